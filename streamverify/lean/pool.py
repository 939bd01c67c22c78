"""The pool: N slots, never more than N REPL processes, one queue. `Scheduler` decides, `Slot` runs; this wires them.

Knows nothing of Kafka, nor of what becomes of a verdict.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog

from streamverify.core.about import about_job
from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.messages.models import Reason, Timings
from streamverify.core.metrics.lean_counts import LeanCounts
from streamverify.core.scheduling.import_sizes import ImportSizes
from streamverify.core.scheduling.scheduler import Rules, Scheduler, Start, Warm
from streamverify.core.scheduling.work import work_of
from streamverify.lean.auditor import Auditor
from streamverify.lean.import_errors import FailedHeaders, ImportClassifier
from streamverify.lean.repl.usage import usage
from streamverify.lean.slot import Slot, known_failure
from streamverify.lean.slot_process import PoolLimits, Shared
from streamverify.lean.warm_headers import keep_saving, prewarm, read_saved_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job, Verdict
    from streamverify.core.metrics.labels import Environment
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand

    OnDone = Callable[[Job, Verdict], None]
    Action = Start[Job] | Warm

__all__ = ["Pool", "PoolLimits"]

_FIRST_BACK_OFF = 0.1
_MAX_BACK_OFF = 10.0

_log = structlog.get_logger(__name__)


SlotDoing = Literal["running", "importing", "idle", "empty"]


class SlotLook(NamedTuple):
    """What a slot does at one moment."""

    slot: int
    state: SlotDoing
    header: Header | None
    """The header that it runs, imports or used last; None without a process."""
    seconds: float | None
    """How long it has been doing that; None where it is idle."""
    job: Job | None
    memory: int | None
    """Bytes of private memory of its process; None without one."""
    uses: int
    """Proofs that its process has run."""


class Pool:
    """Runs jobs in `slots` REPL processes. To be used in one event loop.

    A process is started when a slot first needs it, and replaced when it is needed again after it died; where there
    are spares, or nothing else to do, before it is needed.
    """

    def __init__(  # noqa: PLR0913 - what a worker sets
        self,
        command: ReplCommand,
        *,
        slots: int,
        limits: PoolLimits,
        rules: Rules | None = None,
        saved_headers: Path | None = None,
        trusted: Trusted | None = None,
    ) -> None:
        """Make a pool; `start` starts it.

        Args:
            command: The REPL.
            slots: How many proofs run at once.
            limits: The limits of one proof, and of one process.
            rules: The rules of the scheduler; its `slots` are those above.
            saved_headers: The file in which the hottest headers are kept over restarts.
            trusted: Words that the policy of the audits takes as harmless besides its own lists.
        """
        rules = (rules or Rules())._replace(slots=slots)
        self.trusted = trusted or Trusted()
        auditor = Auditor(command, import_timeout=limits.import_timeout, trusted=self.trusted)
        self.counts = LeanCounts()
        # Of a confined command the project's folder is among its arguments only.
        classifier = ImportClassifier(command.outside or command)
        self._shared = Shared(command, limits, classifier, FailedHeaders(), auditor, ImportSizes(), self.counts)
        self._slots = [Slot(self._shared, partial(self._imported, number)) for number in range(slots + rules.spares)]
        self._imports_at_once = rules.imports or len(self._slots)
        self._scheduler: Scheduler[Job] = Scheduler(rules)
        self._saved_headers = saved_headers
        self._callbacks: dict[Job, OnDone] = {}
        # Each slot's next action. The scheduler gives a slot one at a time: only when it has said that it is idle.
        self._actions: list[asyncio.Queue[Action]] = [asyncio.Queue(1) for _ in self._slots]
        self._timer: asyncio.TimerHandle | None = None
        self._running = 0
        self._nothing_runs = asyncio.Event()
        self._nothing_runs.set()
        self._stopped = False
        self._lane_told = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def queued(self) -> int:
        """Jobs that wait for a slot."""
        return self._scheduler.queued

    @property
    def running(self) -> int:
        """Jobs that are being run."""
        return self._running

    @property
    def environments(self) -> Mapping[Environment, int]:
        """How the proofs that a slot took found the environment of their header."""
        return self._scheduler.environments

    @property
    def processes(self) -> int:
        """REPL processes that live."""
        return sum(slot.process.pid is not None for slot in self._slots)

    def look(self, now: float) -> list[SlotLook]:
        """Tell what each slot does, spares included; `now` in monotonic seconds. Memory is read as this is asked."""
        return [self._look_at(number, slot, now) for number, slot in enumerate(self._slots)]

    def _look_at(self, number: int, slot: Slot, now: float) -> SlotLook:
        process, busy = slot.process, self._scheduler.slots.busy.get(number)
        # Read first: a process that is gone by now has no memory, and is not idle.
        memory = None if process.pid is None else usage(process.pid).memory
        if busy is None:
            state: SlotDoing = "empty" if process.pid is None else "idle"
            return SlotLook(number, state, process.header, None, None, memory, process.uses)
        state = "importing" if busy.importing else "running"
        header = process.header if busy.job is None else busy.job.header
        return SlotLook(number, state, header, max(0.0, now - busy.since), busy.job, memory, process.uses)

    def vocabulary_of(self, header: Header) -> Vocabulary | None:
        """What Lean has said that the environment of a header knows; None where no audit has asked it yet."""
        return self._shared.auditor.known_vocabulary(header)

    async def start(self, headers: Sequence[Header] = ()) -> None:
        """Open the slots. Jobs submitted before wait until then.

        Args:
            headers: Those of PREWARM, the most important first; each is imported once before this returns.

        Raises:
            ReplUnavailable: One of them cannot be imported.
        """
        if self._saved_headers is not None:
            self._scheduler.stats.restore(read_saved_headers(self._saved_headers), time.monotonic())
        # Before the slots open, so that no job waits behind an import that may fail the start.
        await prewarm(self._slots, headers, self._scheduler.stats, at_once=self._imports_at_once)
        self._tasks = [
            asyncio.create_task(self._serve(number), name=f"slot-{number}") for number in range(len(self._slots))
        ]
        if self._saved_headers is not None:
            saving = keep_saving(self._saved_headers, self._scheduler.stats)
            self._tasks.append(asyncio.create_task(saving, name="save-headers"))

    def submit(self, job: Job, on_done: OnDone, *, alone: bool = False) -> None:
        """Queue a job. `on_done` is called once, in the event loop, and must not raise.

        It is not called for a job that is discarded, nor for one that `close` interrupts: of that nothing is known.
        `alone`: it starts although the pool is held. Who asks for that has held the pool and waited until nothing runs.
        """
        self._callbacks[job] = on_done
        if not self._stopped and (verdict := known_failure(job, self._shared)):
            # Not from in here: a caller may not be ready for its answer yet.
            asyncio.get_running_loop().call_soon(self._answer, job, verdict)
            return
        limits = self._shared.limits
        work = work_of(job, default_timeout=limits.default_timeout, max_timeout=limits.max_timeout)
        self._act(self._scheduler.submit(job, time.monotonic(), work=work, alone=alone))

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the queued jobs that `doomed` names, and return them. Running jobs go on."""
        dropped = self._scheduler.discard(doomed)
        for job in dropped:
            del self._callbacks[job]
        return dropped

    def supersede(self, job: Job, verdict: Verdict) -> None:
        """End a job with this verdict, as nobody needs its own any more: at once where it waits for a slot.

        A running one is ended only where its rest is expected to take longer than to import again what its process has
        imported; and if it has its own verdict first, then that is its verdict.
        """
        if self._scheduler.withdraw(job):
            queued = max(0.0, time.monotonic() - job.record.received)
            self._answer(job, replace(verdict, timings=Timings(queued=queued, total=queued)))
        elif (slot := self._scheduler.slot_to_end(job, time.monotonic())) is not None:
            self._slots[slot].end(verdict)

    def hold_group(self, scope: str) -> None:
        """Start no job of this scope while others wait, until `release_group`: one of it has succeeded."""
        self._scheduler.groups.hold(scope)

    def release_group(self, scope: str) -> None:
        """Undo one `hold_group`."""
        self._scheduler.groups.release(scope)

    def pause(self) -> None:
        """Start nothing but jobs that run alone, until `resume`; what runs goes on."""
        self._scheduler.pause()

    def resume(self) -> None:
        """Start again what waits."""
        self._act(self._scheduler.resume(time.monotonic()))

    def stop_dispatching(self) -> None:
        """Start no more jobs: what is queued stays queued, what runs goes on."""
        self._stopped = True
        self._scheduler.drain()

    async def wait_running(self) -> None:
        """Wait until no job runs."""
        while self._running:
            await self._nothing_runs.wait()

    async def close(self) -> None:
        """Kill every process group and wait until it is reaped. May be called again, and at any time."""
        self.stop_dispatching()
        if self._timer is not None:
            self._timer.cancel()
        # A cancelled slot kills its process at once; the wait for all of them comes after.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.close() for slot in self._slots))

    def _act(self, actions: list[Action]) -> None:
        """Hand the actions to their slots, and ask again when time makes more eligible."""
        for action in actions:
            if isinstance(action, Start):
                self._running += 1
                self._nothing_runs.clear()
            self._actions[action.slot].put_nowait(action)
        if self._scheduler.timed:
            self._ask_later()

    def _ask_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        # Time alone makes a job eligible for a slot with another header: nothing else would wake the scheduler.
        actions, again = self._scheduler.due(now)
        if actions:
            self._act(actions)
        elif again is not None:
            self._timer = asyncio.get_running_loop().call_later(again - now, self._ask_later)

    def _imported(self, number: int, header: Header, seconds: float) -> None:
        self._act(self._scheduler.imported(number, header, seconds, time.monotonic()))

    async def _serve(self, number: int) -> None:
        """Carry out the actions for one slot, and say each time that it is free."""
        slot, actions = self._slots[number], self._actions[number]
        while True:
            now = time.monotonic()
            self._act(self._scheduler.slot_freed(number, slot.state, now))
            if not self._lane_told and self._scheduler.keeps_slot_idle(now):
                self._lane_told = True
                _log.warning(
                    "slot_kept_for_short_work",
                    queued=self.queued,
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
            if slot.failed_starts:
                await asyncio.sleep(min(_FIRST_BACK_OFF * 2**slot.failed_starts, _MAX_BACK_OFF))

    def _finished(self, job: Job, verdict: Verdict) -> None:
        # Counted before the answer: who gets it may ask how many jobs run.
        self._running -= 1
        if self._running == 0:
            self._nothing_runs.set()
        self._answer(job, verdict)
        if verdict.reason is not Reason.HEADER_ERROR:
            return
        # Those that wait with a header that turned out not to be importable need not wait for a slot.
        for waiting in self._scheduler.discard(lambda each: each.header.fingerprint == job.header.fingerprint):
            if known := known_failure(waiting, self._shared):
                self._answer(waiting, known)

    def _answer(self, job: Job, verdict: Verdict) -> None:
        on_done = self._callbacks.pop(job)
        try:
            on_done(job, verdict)
        except Exception:  # noqa: BLE001 - one caller's fault must not stop the slot
            _log.exception(
                "on_done_failed",
                **about_job(job),
                hint="an error of streamverify's own: please report it with this traceback; the result may be missing",
            )
