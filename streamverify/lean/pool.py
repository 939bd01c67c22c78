"""The pool: one queue, N slots that run proofs and the spares, a REPL process in each. Its face to whoever has jobs.

`Scheduler` decides which job is started where, `Dispatcher` carries that out, and `Slot` runs the proof.

Knows nothing of Kafka, nor of what becomes of a verdict.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from streamverify.core.audit.vocabulary import Trusted
from streamverify.core.messages.models import Timings
from streamverify.core.metrics.lean_counts import LeanCounts
from streamverify.core.scheduling.decisions import SchedulerPhase
from streamverify.core.scheduling.import_sizes import ImportSizes
from streamverify.core.scheduling.scheduler import Rules, Scheduler
from streamverify.core.scheduling.work import work_of
from streamverify.lean.auditor import Auditor
from streamverify.lean.callbacks import Callbacks
from streamverify.lean.dispatcher import Dispatcher
from streamverify.lean.import_errors import FailedHeaders, ImportClassifier
from streamverify.lean.occupancy import Occupancy
from streamverify.lean.slot import known_failure
from streamverify.lean.slot_process import PoolLimits, Shared
from streamverify.lean.warm_headers import keep_saving, prewarm, read_saved_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streamverify.core.job import Job, Verdict
    from streamverify.core.syntax.header import Header
    from streamverify.lean.callbacks import OnDone
    from streamverify.lean.repl.command import ReplCommand

__all__ = ["Pool", "PoolLimits"]


class Pool:
    """Runs jobs in `slots` REPL processes. To be used in one event loop.

    MADE --start--> OPEN --pause--> PAUSED --resume--> OPEN
    MADE, OPEN or PAUSED --drain--> DRAINING --close--> CLOSED

    Jobs are taken in any of these; they are started where it is open, and the one that runs alone while it is paused.
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
        counts: LeanCounts | None = None,
    ) -> None:
        """Make a pool; `start` starts it.

        Args:
            command: The REPL.
            slots: How many proofs run at once.
            limits: The limits of one proof, and of one process.
            rules: The rules of the scheduler; its `slots` are those above.
            saved_headers: The file in which the hottest headers are kept over restarts.
            trusted: Words that the policy of the audits takes as harmless besides its own lists.
            counts: Those that the pool keeps up to date.
        """
        rules = (rules or Rules())._replace(slots=slots)
        self.trusted = trusted or Trusted()
        auditor = Auditor(command, import_timeout=limits.import_timeout, trusted=self.trusted)
        self.vocabularies = auditor.vocabularies
        """What Lean has said that the environments of headers know, where an audit has asked it."""
        self.counts = counts or LeanCounts()
        # Of a confined command the project's folder is among its arguments only.
        classifier = ImportClassifier(command.outside or command)
        self._shared = Shared(command, limits, classifier, FailedHeaders(), auditor, ImportSizes(), self.counts)
        self._scheduler: Scheduler[Job] = Scheduler(rules)
        self._callbacks = Callbacks()
        self._dispatcher = Dispatcher(self._shared, self._scheduler, self._callbacks, slots=slots + rules.spares)
        self.groups = self._scheduler.groups
        """The groups of which no job is started while others wait: one of it runs or has succeeded."""
        self.environments = self._scheduler.environments
        """Proofs that a slot took, by how they found the environment of their header."""
        self.occupancy = Occupancy(self._dispatcher.slots, self._scheduler)
        self._imports_at_once = rules.imports or len(self._dispatcher.slots)
        self._saved_headers = saved_headers
        self._saving: asyncio.Task[None] | None = None
        self._is_draining = False

    @property
    def queued(self) -> int:
        """Jobs that wait for a slot."""
        return self._scheduler.queued

    @property
    def running(self) -> int:
        """Jobs that are being run."""
        return self._dispatcher.running

    @property
    def paused(self) -> bool:
        """True from `pause` to `resume`, unless it drains meanwhile: then nothing is started anyway."""
        return self._scheduler.decisions.phase is SchedulerPhase.PAUSED

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
        await prewarm(self._dispatcher.slots, headers, self._scheduler.stats, at_once=self._imports_at_once)
        self._dispatcher.start()
        if self._saved_headers is not None:
            saving = keep_saving(self._saved_headers, self._scheduler.stats)
            self._saving = asyncio.create_task(saving, name="save-headers")

    def submit(self, job: Job, on_done: OnDone, *, alone: bool = False) -> None:
        """Queue a job. `on_done` is called once, in the event loop, and must not raise.

        It is not called for a job that is discarded, nor for one that `close` interrupts: of that nothing is known.
        `alone`: it starts although the pool is paused. The caller has paused it, and waited until nothing runs.
        """
        self._callbacks.add(job, on_done)
        # A pool that drains answers nothing new: the record is not committed, and another worker gets it.
        if not self._is_draining and (verdict := known_failure(job, self._shared)):
            # Not from in here: a caller may not be ready for its answer yet.
            asyncio.get_running_loop().call_soon(self._callbacks.answer, job, verdict)
            return
        limits = self._shared.limits
        work = work_of(job, default_timeout=limits.default_timeout, max_timeout=limits.max_timeout)
        self._dispatcher.act(self._scheduler.submit(job, time.monotonic(), work=work, alone=alone))

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the queued jobs that `doomed` names, and return them. Running jobs go on."""
        dropped = self._scheduler.discard(doomed)
        for job in dropped:
            self._callbacks.forget(job)
        return dropped

    def supersede(self, job: Job, verdict: Verdict) -> None:
        """End a job with this verdict, as nobody needs its own any more: at once where it waits for a slot.

        A running one is ended only where its rest is expected to take longer than to import again what its process has
        imported; and if it has its own verdict first, then that is its verdict.
        """
        if self._scheduler.withdraw(job):
            queued = max(0.0, time.monotonic() - job.record.received)
            self._callbacks.answer(job, replace(verdict, timings=Timings(queued=queued, total=queued)))
        elif (slot := self._scheduler.slot_to_end(job, time.monotonic())) is not None:
            self._dispatcher.slots[slot].end(verdict)

    def pause(self) -> None:
        """Start nothing but jobs that run alone, until `resume`; what runs goes on."""
        self._scheduler.pause()

    def resume(self) -> None:
        """Start again what waits."""
        self._dispatcher.act(self._scheduler.resume(time.monotonic()))

    def drain(self) -> None:
        """Start no more jobs: what is queued stays queued, what runs goes on."""
        self._is_draining = True
        self._scheduler.drain()

    async def wait_running(self) -> None:
        """Wait until no job runs."""
        await self._dispatcher.wait_running()

    async def close(self) -> None:
        """Kill every process group and wait until it is reaped. May be called again, and at any time."""
        self.drain()
        if self._saving is not None:
            # It saves once more as it ends.
            self._saving.cancel()
        await self._dispatcher.close()
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
