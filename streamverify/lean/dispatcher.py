"""Carries the scheduler's actions to the slots, and tells it what came of them.

Which job runs where is decided there. Here only: who waits with a header that failed, and how long a slot pauses
whose REPL does not start.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.core.messages.models import Reason
from streamverify.core.scheduling.scheduler import Start
from streamverify.lean.slot import Slot, known_failure

if TYPE_CHECKING:
    from streamverify.core.job import Job, Verdict
    from streamverify.core.scheduling.scheduler import Scheduler, Warm
    from streamverify.core.syntax.header import Header
    from streamverify.lean.callbacks import Callbacks
    from streamverify.lean.slot_process import Shared

    Action = Start[Job] | Warm

_FIRST_BACK_OFF = 0.1
_MAX_BACK_OFF = 10.0

_log = structlog.get_logger(__name__)


class Dispatcher:
    """The slots, and a task for each. To be used in one event loop.

    In the scheduler's eyes a slot is busy from the action that it gets until its task has said that it is free:

    FREE --act--> BUSY --verdict, or header imported--> (waits, where its REPL does not start) --slot_freed--> FREE
    """

    def __init__(self, shared: Shared, scheduler: Scheduler[Job], callbacks: Callbacks, *, slots: int) -> None:
        """Make so many slots, spares included; `start` opens them."""
        self.slots = [Slot(shared, partial(self._imported, number)) for number in range(slots)]
        self.running = 0
        """Jobs that are being run."""
        self._shared = shared
        self._scheduler = scheduler
        self._callbacks = callbacks
        # Each slot's next action. The scheduler gives a slot one at a time: only when it has said that it is idle.
        self._actions: list[asyncio.Queue[Action]] = [asyncio.Queue(1) for _ in self.slots]
        self._timer: asyncio.TimerHandle | None = None
        self._nothing_runs = asyncio.Event()
        self._nothing_runs.set()
        self._lane_told = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Open the slots: what was submitted is started, and what is submitted from now on."""
        self._tasks = [
            asyncio.create_task(self._serve(number), name=f"slot-{number}") for number in range(len(self.slots))
        ]

    def act(self, actions: list[Action]) -> None:
        """Hand the actions to their slots, and ask again when time makes more eligible."""
        for action in actions:
            if isinstance(action, Start):
                self.running += 1
                self._nothing_runs.clear()
            self._actions[action.slot].put_nowait(action)
        if self._scheduler.decisions.timed:
            self._ask_later()

    async def wait_running(self) -> None:
        """Wait until no job runs."""
        # Again: another may have been started between the event and this task's turn.
        while self.running:
            await self._nothing_runs.wait()

    async def close(self) -> None:
        """Kill every process group and wait until it is reaped. May be called again, and at any time."""
        if self._timer is not None:
            self._timer.cancel()
        # A cancelled slot kills its process at once; the wait for all of them comes after.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.close() for slot in self.slots))

    def _ask_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        # Time alone makes a job eligible for a slot with another header: nothing else would wake the scheduler.
        actions, again = self._scheduler.due(now)
        if actions:
            self.act(actions)
        elif again is not None:
            self._timer = asyncio.get_running_loop().call_later(again - now, self._ask_later)

    def _imported(self, number: int, header: Header, seconds: float) -> None:
        self.act(self._scheduler.imported(number, header, seconds, time.monotonic()))

    async def _serve(self, number: int) -> None:
        """Carry out the actions for one slot, and say each time that it is free."""
        slot, actions = self.slots[number], self._actions[number]
        while True:
            now = time.monotonic()
            self.act(self._scheduler.slot_freed(number, slot.process.state, now))
            if not self._lane_told and self._scheduler.decisions.keeps_slot_idle(now):
                self._lane_told = True
                _log.warning(
                    "slot_kept_for_short_work",
                    queued=self._scheduler.queued,
                    hint="proofs with a timeout above LONG_TIMEOUT wait while one slot is idle; if most of yours ask "
                    "for that much, raise LONG_TIMEOUT",
                )
            action = await actions.get()
            if isinstance(action, Start):
                self._finished(action.job, await slot.run(action.job))
            elif failure := await slot.prewarm(action.header):
                _log.warning(
                    "prewarm_failed",
                    header=action.header.canonical[:200],
                    error=failure[:200],
                    hint="proofs with this header wait for its import and may fail, too: run `lean` on a file with it",
                )
            # A REPL that does not start would be started in a loop, as fast as proofs come.
            if failures := slot.process.failed_starts:
                await asyncio.sleep(min(_FIRST_BACK_OFF * 2**failures, _MAX_BACK_OFF))

    def _finished(self, job: Job, verdict: Verdict) -> None:
        # Counted before the answer: who gets it may ask how many jobs run.
        self.running -= 1
        if self.running == 0:
            self._nothing_runs.set()
        self._callbacks.answer(job, verdict)
        if verdict.reason is not Reason.HEADER_ERROR:
            return
        # Those that wait with a header that turned out not to be importable need not wait for a slot. Each is asked
        # before it leaves the queue: a failure is not remembered for ever, and who has no verdict waits on.
        answers: list[tuple[Job, Verdict]] = []

        def has_failed(waiting: Job) -> bool:
            same = waiting.header.fingerprint == job.header.fingerprint
            known = known_failure(waiting, self._shared) if same else None
            if known is not None:
                answers.append((waiting, known))
            return known is not None

        self._scheduler.discard(has_failed)
        for waiting, known in answers:
            self._callbacks.answer(waiting, known)
