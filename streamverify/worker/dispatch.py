"""Hands jobs to the pool: at once, or through the gate where their partition is careful. Decided in `core.gate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streamverify.core.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.core.jobs import Job
    from streamverify.core.ledger import Place
    from streamverify.core.verdict import Verdict
    from streamverify.lean.pool import Pool

    OnDone = Callable[[Job, Verdict], None]

_log = structlog.get_logger(__name__)


class Dispatcher:
    """The way of a job into the pool and out of it."""

    def __init__(self, pool: Pool, *, slots: int, on_done: OnDone, mark: Callable[[Iterable[Place]], None]) -> None:
        """`mark` has the attempts of these records committed; `written` is to be called then."""
        self._pool = pool
        self._gate = Gate(slots)
        self._on_done = on_done
        self._mark = mark
        self._held = False

    def submit(self, job: Job, *, careful: bool, attempts: int) -> None:
        """Run a job; a careful one when a commit has its attempt, and alone where it has one already."""
        if not careful:
            self._pool.submit(job, self._done)
            return
        self._gate.add(job, attempts=attempts)
        self._decide()

    def written(self, places: Iterable[Place]) -> None:
        """The broker has the attempts of these records."""
        for job, alone in self._gate.written(places):
            if alone:
                _log.warning("runs_alone", partition=job.place.partition, offset=job.place.offset)
            self._pool.submit(job, self._done, alone=alone)
        self._decide()

    def suspend(self) -> Iterable[Place]:
        """Dispatch no careful job until `resume`; those that were marked and are not run."""
        unmarked = self._gate.suspend()
        self._decide()
        return unmarked

    def resume(self) -> None:
        """Dispatch careful jobs again."""
        self._gate.resume()
        self._decide()

    def drop(self, partitions: frozenset[int]) -> list[Place]:
        """Forget what is queued of these partitions; what was."""

        def doomed(job: Job) -> bool:
            return job.place.partition in partitions

        dropped = [*self._pool.discard(doomed), *self._gate.discard(doomed)]
        for job in dropped:
            self._gate.ended(job.place)
        self._decide()
        return [job.place for job in dropped]

    @property
    def waiting(self) -> int:
        """Careful jobs that wait for their turn."""
        return self._gate.waiting

    @property
    def has_backlog(self) -> bool:
        """Whether jobs wait in the pool: then nobody waits for one result more than for the next."""
        return self._pool.queued > 0

    def ended(self, place: Place) -> None:
        """A job has ended for good: the broker has its result, or nobody wants it.

        Not before: until then the next commit would still have its attempt, and the death of another would be its own.
        """
        self._gate.ended(place)
        self._decide()

    def _done(self, job: Job, verdict: Verdict) -> None:
        self._on_done(job, verdict)
        self._decide()

    def _decide(self) -> None:
        decision = self._gate.decide(self._pool.running)
        if decision.hold != self._held:
            self._held = decision.hold
            if decision.hold:
                self._pool.hold()
            else:
                self._pool.release()
        if decision.mark:
            self._mark(decision.mark)
