"""The pool: N slots, never more than N REPL processes, one queue. `Scheduler` decides, `Slot` does; this wires them.

Knows nothing of Kafka, nor of what becomes of a verdict.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from streamverify.core.scheduler import Scheduler, Start
from streamverify.lean.failed_headers import FailedHeaders
from streamverify.lean.modules import Modules
from streamverify.lean.slot import PoolLimits, Shared, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.jobs import Job
    from streamverify.core.verdict import Verdict
    from streamverify.lean.command import ReplCommand

    OnDone = Callable[[Job, Verdict], None]

__all__ = ["Pool", "PoolLimits"]

_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 10.0

_log = structlog.get_logger(__name__)


class Pool:
    """Runs jobs in `slots` REPL processes. To be used in one event loop.

    A process is started when a slot first needs it, and replaced when it is needed again after it died.
    """

    def __init__(self, command: ReplCommand, *, slots: int, limits: PoolLimits) -> None:
        shared = Shared(command, limits, Modules(command), FailedHeaders())
        self._slots = [Slot(shared) for _ in range(slots)]
        self._scheduler = Scheduler()
        self._callbacks: dict[Job, OnDone] = {}
        self._inboxes: list[asyncio.Future[Job] | None] = [None] * slots
        self._running = 0
        self._nothing_runs = asyncio.Event()
        self._nothing_runs.set()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def queued(self) -> int:
        """Jobs that wait for a slot."""
        return self._scheduler.queued

    @property
    def running(self) -> int:
        """Jobs that are being run."""
        return self._running

    async def start(self) -> None:
        """Open the slots. Jobs submitted before wait until then."""
        self._tasks = [
            asyncio.create_task(self._serve(number), name=f"slot-{number}") for number in range(len(self._slots))
        ]

    def submit(self, job: Job, on_done: OnDone, *, despite_hold: bool = False) -> None:
        """Queue a job. `on_done` is called once, in the event loop, and must not raise.

        It is not called for a job that is discarded, nor for one that `close` interrupts: of that nothing is known.
        A job that is submitted `despite_hold` is started before all others, and although the pool is held.
        """
        self._callbacks[job] = on_done
        if start := self._scheduler.submit(job, time.monotonic(), despite_hold=despite_hold):
            self._start(start)

    def hold(self) -> None:
        """Start nothing but what is submitted `despite_hold`, until `release`; what runs goes on."""
        self._scheduler.hold()

    def release(self) -> None:
        """Start again what waits."""
        for start in self._scheduler.release(time.monotonic()):
            self._start(start)

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the queued jobs that `doomed` names, and return them. Running jobs go on."""
        dropped = self._scheduler.discard(doomed)
        for job in dropped:
            del self._callbacks[job]
        return dropped

    def stop_dispatching(self) -> None:
        """Start no more jobs: what is queued stays queued, what runs goes on."""
        self._scheduler.stop()

    async def wait_running(self) -> None:
        """Wait until no job runs."""
        while self._running:
            await self._nothing_runs.wait()

    async def close(self) -> None:
        """Kill every process group and wait until it is reaped. May be called again, and at any time."""
        self._scheduler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.close() for slot in self._slots))

    def _start(self, start: Start) -> None:
        self._running += 1
        self._nothing_runs.clear()
        inbox = self._inboxes[start.slot]
        if inbox is not None:
            inbox.set_result(start.job)

    async def _serve(self, number: int) -> None:
        """The life of one slot."""
        slot = self._slots[number]
        while True:
            job = await self._next_job(number)
            verdict = await slot.run(job)
            self._done(job, verdict)
            if slot.failed_starts:
                await asyncio.sleep(min(_FIRST_BACK_OFF * 2**slot.failed_starts, _LONGEST_BACK_OFF))

    async def _next_job(self, number: int) -> Job:
        if start := self._scheduler.slot_freed(number, self._slots[number].holding, time.monotonic()):
            self._start(start)
            # A verdict that needed no REPL has not let the event loop turn.
            await asyncio.sleep(0)
            return start.job
        inbox: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._inboxes[number] = inbox
        try:
            return await inbox
        finally:
            self._inboxes[number] = None

    def _done(self, job: Job, verdict: Verdict) -> None:
        self._running -= 1
        if self._running == 0:
            self._nothing_runs.set()
        on_done = self._callbacks.pop(job)
        try:
            on_done(job, verdict)
        except Exception:  # noqa: BLE001 - one caller's fault must not stop the slot
            _log.exception("on_done_failed", custom_id=job.request.custom_id)
