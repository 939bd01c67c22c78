"""Decides which proof runs in which slot. Pure: no I/O and no clock; `now` is passed in, in monotonic seconds.

`Scheduler` takes the events of a pool; `Decisions` (`decisions.py`) has the rules. A slot has room for one REPL
process. There may be more slots than may run at once: the *spares*, whose processes wait with their headers imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from streamverify.core.scheduling.decisions import (
    PATIENCE,
    QUANTUM,
    WARM_UP_INTERVAL,
    Decisions,
    Rules,
    SchedulerPhase,
    Start,
    Warm,
)
from streamverify.core.scheduling.durations import ProofDurations
from streamverify.core.scheduling.header_stats import HeaderStats
from streamverify.core.scheduling.job_queue import J, JobQueue
from streamverify.core.scheduling.slots import NO_PROCESS, Slots, SlotState
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.core.metrics.labels import EnvironmentState
    from streamverify.core.syntax.header import Header

__all__ = ["NO_PROCESS", "PATIENCE", "QUANTUM", "WARM_UP_INTERVAL", "Rules", "Scheduler", "SlotState", "Start", "Warm"]


class Scheduler(Generic[J]):
    """The queue of a pool and its slots. Each event returns the actions to carry out.

    Its phases, SERVING, PAUSED and DRAINING, are those of `Decisions`, which has the diagram.
    """

    def __init__(self, rules: Rules, stats: HeaderStats | None = None) -> None:
        """Start without slots.

        Args:
            rules: The numbers in the rules. The caller numbers the slots.
            stats: Demand and cost of the headers, as far as they are known already.
        """
        self.stats = HeaderStats() if stats is None else stats
        self._durations = ProofDurations(rules.long_timeout)
        # With one slot there is no lane for short work: long work could run nowhere.
        self._queue: JobQueue[J] = JobQueue(self._durations, lanes=rules.slots > 1, worker=rules.worker)
        self.slots: Slots[J] = Slots(self.stats)
        """Read by others, changed here alone."""
        self.decisions: Decisions[J] = Decisions(rules, self._queue, self.slots, self.stats)
        """Others may ask it; events reach it through the methods here alone."""
        self.groups = self.decisions.groups
        self.environments: Mapping[EnvironmentState, int] = self.decisions.environments
        """Counts how the jobs that were started found the environment of their header."""

    # --- events -------------------------------------------------------------------------------------------------

    def submit(self, job: J, now: float, *, work: Work | None = None, alone: bool = False) -> list[Start[J] | Warm]:
        """Queue a job.

        Args:
            job: The job to run.
            now: Monotonic seconds.
            work: What is known of its work. Default: it is short, and of no group.
            alone: Start the job although the scheduler is paused, once no slot is busy. The caller has paused the
                scheduler, has waited until nothing runs, and resumes when the job has ended: so there is only one.
        """
        self.stats.asked(job.header, now)
        if alone:
            self.decisions.alone = job
        else:
            self._queue.add(job, work or Work(), now)
        return self.decisions.decide(now) if self.slots.idle else []

    def slot_freed(self, slot: int, state: SlotState, now: float) -> list[Start[J] | Warm]:
        """Note that a slot is idle: for the first time, or because its job or its import ahead of demand has ended."""
        ended = self.slots.free(slot, state)
        if ended is not None:
            self.groups.ended(ended.work.group)
            if ended.importing:
                if ended.header not in state.headers:
                    self.stats.failed(ended.header)
            elif ended.job is not None:
                self.stats.ran(ended.header, now - ended.since)
                self._durations.ran(ended.work, ended.header, now - ended.since)
        return self.decisions.decide(now, process_gone=not state.headers)

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Start[J] | Warm]:
        """Note that a busy slot has imported its header and goes on with its job."""
        self.stats.imported(header, seconds, now)
        return self.decisions.decide(now) if self.slots.imported(slot, now) else []

    def due(self, now: float) -> tuple[list[Start[J] | Warm], float | None]:
        """Start what may start only because time has passed.

        Returns:
            The actions, and the time at which to ask again if no event comes before; None if there is no such time.
        """
        return self.decisions.decide(now), self.decisions.next_time(now)

    def discard(self, doomed: Callable[[J], bool]) -> list[J]:
        """Drop the waiting jobs for which `doomed` is true, and return them."""
        alone, dropped = self.decisions.alone, []
        if alone is not None and doomed(alone):
            dropped.append(alone)
            self.decisions.alone = None
        return dropped + self._queue.discard(doomed)

    def withdraw(self, job: J) -> bool:
        """Drop one waiting job. Returns whether it was waiting; one that waits to run alone stays."""
        return self._queue.remove(job)

    def slot_to_end(self, job: J, now: float) -> int | None:
        """Decide whether to end a running job whose verdict nobody needs any more.

        Returns:
            Its slot; None where the job does not run, or is better left to its end: to end it costs its process, and
            with that the imports of all headers that it holds.
        """
        slot = self.slots.of_job(job)
        if slot is None:
            return None
        busy = self.slots.busy[slot]
        # While it imports nothing is lost yet: the import is of use for others, and is not to be followed by a run.
        if busy.importing:
            return slot
        rest = self._durations.rest(busy.header, now - busy.since, busy.work.timeout)
        return slot if rest > self.slots.reimport_seconds(slot) else None

    def pause(self) -> None:
        """Start nothing but a job that was submitted as `alone`; the queue stays as it is."""
        # The quarantine goes on while the worker drains: its pauses must not undo the drain.
        if self.decisions.phase is SchedulerPhase.SERVING:
            self.decisions.phase = SchedulerPhase.PAUSED

    def resume(self, now: float) -> list[Start[J] | Warm]:
        """Start the waiting jobs again."""
        if self.decisions.phase is SchedulerPhase.PAUSED:
            self.decisions.phase = SchedulerPhase.SERVING
        return self.decisions.decide(now)

    def drain(self) -> None:
        """Start nothing any more; the queue stays as it is."""
        self.decisions.phase = SchedulerPhase.DRAINING

    # --- what others see ----------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """The number of waiting jobs."""
        return len(self._queue) + (self.decisions.alone is not None)
