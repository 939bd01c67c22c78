"""The result cache before the pool: identical work is answered without Lean, and done once where it is new."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamverify.core.cache.cacheable import may_be_answered, may_be_kept
from streamverify.core.cache.digests import work_digest
from streamverify.core.cache.in_flight import InFlight
from streamverify.core.messages.models import Reason, Timings
from streamverify.lean.callbacks import call_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamverify.core.job import Job, Verdict
    from streamverify.lean.callbacks import OnDone
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.result_cache import Hit, ResultCache
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)


class _Asked(NamedTuple):
    """The terms on which a job was submitted."""

    on_done: OnDone
    alone: bool


class CachedPool:
    """Answers jobs from the cache, and has the pool run the others. Each job is in one place at a time:

    submit ── may not be cached ──────────────────────────────────────────────> POOL
           ── LOOKED UP ── a verdict is there ──> answered
                        ── none, and identical work is on its way ──> FOLLOWS
                        ── none ──> POOL
    FOLLOWS ── the other has a verdict that identical work gets, too ──> answered
            ── it has another one, or was dropped ──> POOL
    """  # noqa: D415 - ends with the diagram

    def __init__(
        self, pool: JobRunner, tiers: Tiers, cache: ResultCache, *, default_timeout: float, max_timeout: float
    ) -> None:
        """Stand before `pool`, and before what goes on above `audited`. The time-outs are those of the pool."""
        self._pool = pool
        self._tiers = tiers
        self.cache = cache
        self._default_timeout = default_timeout
        self._max_timeout = max_timeout
        self._asked: dict[Job, _Asked] = {}
        """The jobs that were submitted here and have no answer, wherever they are."""
        self._looked_up: dict[Job, None] = {}
        self._in_flight: InFlight[Job] = InFlight()
        self._arrived = asyncio.Event()
        self._is_draining = False
        """True once the worker drains."""
        self.followed = 0
        """Jobs that got the verdict of one that was on its way at the same time."""

    @property
    def queued(self) -> int:
        """Jobs that wait: for a slot, for the cache, or for identical work."""
        return self._pool.queued + len(self._looked_up) + self._in_flight.following

    def status(self) -> Mapping[str, object]:
        """Return what the cache has done, for `/ready`."""
        return {**self.cache.status(), "followed": self.followed}

    def submit(self, job: Job, on_done: OnDone, *, alone: bool = False) -> None:
        """Take a job, as the pool does."""
        if self._is_draining or not self.cache.is_on or not may_be_answered(job):
            self._pool.submit(job, on_done, alone=alone)
            return
        self._asked[job] = _Asked(on_done, alone)
        self._looked_up[job] = None
        self._arrived.set()

    async def run(self) -> None:
        """Look jobs up until cancelled: all that have come at a time, in their order."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            jobs = list(self._looked_up)
            try:
                found = await self.cache.find(jobs)
            except Exception:  # noqa: BLE001 - whatever it is, the proofs are verified without the cache
                _log.exception(
                    "cache_failed",
                    hint="a bug of streamverify: these proofs are verified as if they were new; please report it",
                )
                found = [None] * len(jobs)
            self._looked_up_are(jobs, found)

    def _looked_up_are(self, jobs: Sequence[Job], found: Sequence[Hit | None]) -> None:
        """Answer those that were found, and start the others."""
        for job, hit in zip(jobs, found, strict=True):
            # It may have been dropped or superseded meanwhile.
            if job not in self._looked_up or self._is_draining:
                continue
            del self._looked_up[job]
            if hit is None:
                self._start(job)
            else:
                self._answer(job, _as_hit(hit.verdict, hit.age, job))

    def drain(self) -> None:
        """Start nothing more: what is looked up stays where it is, its records come again elsewhere."""
        self._is_draining = True

    # --- what the pool is asked, too --------------------------------------------------------------------------------

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the jobs that wait and that `doomed` names, and return them."""
        dropped = [job for job in self._looked_up if doomed(job)]
        for job in dropped:
            del self._looked_up[job]
        dropped += self._in_flight.leave(doomed)
        # One that is on its way to a higher tier may lead, too; the pool has its own that wait.
        from_pool = [*self._pool.discard(doomed), *self._tiers.discard(doomed)]
        for job in [*dropped, *from_pool]:
            self._asked.pop(job, None)
        for job in from_pool:
            self._succeed(job)
        return dropped + from_pool

    def supersede(self, job: Job, verdict: Verdict) -> None:
        """End a job with this verdict; where it waits for the cache or for identical work, at once."""
        if job in self._looked_up:
            del self._looked_up[job]
        elif not self._in_flight.leave(lambda each: each is job):
            self._pool.supersede(job, verdict)
            return
        self._answer(job, replace(verdict, timings=_waited(job)))

    # --- what becomes of a job that is not in the cache -------------------------------------------------------------

    def _start(self, job: Job) -> None:
        """Have a job run, unless identical work is on its way."""
        if self._asked[job].alone:
            # The pool is paused for it: whom it would follow could not be started.
            self._pool.submit(job, self._ran, alone=True)
            return
        # The digest names neither installation nor vocabulary: in one worker there is one of each for a header. With
        # the time-out, as nobody waits for a run that is longer than its own may be.
        timeout = min(job.request.timeout or self._default_timeout, self._max_timeout)
        if self._in_flight.enter((work_digest(job, "", ""), timeout), job):
            self._pool.submit(job, self._ran)

    def _ran(self, job: Job, verdict: Verdict) -> None:
        """The pool has the verdict on a job: it goes on to the tier that it asks for, or that is its end."""
        if not self._tiers.take(job, verdict, self._ended):
            self._ended(job, verdict)

    def _ended(self, job: Job, verdict: Verdict) -> None:
        """A job has the verdict that is its answer: it is kept, and whoever follows gets it or is run."""
        self.cache.keep(job, verdict)
        if verdict.reason is Reason.SUPERSEDED:
            # That is about this request alone: those that follow still have one run for all.
            self._succeed(job)
            self._answer(job, verdict)
            return
        followers = self._in_flight.ended(job)
        self._answer(job, verdict)
        for each in followers:
            if may_be_kept(verdict):
                self.followed += 1
                self._answer(each, _as_hit(verdict, 0.0, each))
            else:
                # Each by itself, as without a cache: one after the other they would wait for all those time-outs.
                self._pool.submit(each, self._ran)

    def _succeed(self, job: Job) -> None:
        """Have the next of those that follow a job run in its place."""
        successor = self._in_flight.step_down(job)
        if successor is not None:
            self._pool.submit(successor, self._ran)

    def _answer(self, job: Job, verdict: Verdict) -> None:
        call_back(self._asked.pop(job).on_done, job, verdict)


def _as_hit(verdict: Verdict, age: float, job: Job) -> Verdict:
    """Make the verdict of identical work that of this job: it was not run itself, and took the time that it waited."""
    return replace(verdict, cached_age=age, attempts=0, timings=_waited(job))


def _waited(job: Job) -> Timings:
    queued = max(0.0, time.monotonic() - job.record.received)
    return Timings(queued=queued, total=queued)
