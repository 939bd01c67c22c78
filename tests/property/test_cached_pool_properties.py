"""The pool with a cache before it: whatever happens, each job has one end, and the right one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from cache_fakes import FakeTiers, make_cache, make_job, make_verdict
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from worker_fakes import FakePool

from streamverify.core.cache.cacheable import may_be_kept
from streamverify.core.messages.models import OUTCOMES, Reason, Status
from streamverify.worker.cached_pool import CachedPool
from streamverify.worker.result_cache import Hit

if TYPE_CHECKING:
    from streamverify.core.job import Job, Verdict
    from streamverify.worker.tiers import Tiers

PROOFS = ["theorem a : True := trivial", "theorem b : True := trivial"]
ENDS = [Reason.OK, Reason.LEAN_ERROR, Reason.TIMEOUT, Reason.WORKER_ERROR, Reason.PROTOCOL_VIOLATION, Reason.EXPIRED]


class Pool(FakePool):
    """A pool that says as the real one does how many wait; the first `running` jobs run."""

    def submit(self, job: Job, on_done: Any, *, alone: bool = False) -> None:
        assert all(job is not each for each, _ in self.jobs), "it is in the pool already"
        super().submit(job, on_done, alone=alone)

    def supersede(self, job: Job, verdict: Verdict) -> None:
        if any(job is each for each, _ in self.jobs):
            super().supersede(job, verdict)

    def discard(self, doomed: Any) -> list[Job]:
        running = {id(job) for job, _ in self.jobs[: self.running]}
        return super().discard(lambda job: id(job) not in running and doomed(job))


class CachedPoolMachine(RuleBasedStateMachine):
    """Submits jobs, of which few are different, and lets everything happen to them that a worker does."""

    def __init__(self) -> None:
        super().__init__()
        self.real = Pool()
        self.cache = make_cache()
        self.pool = CachedPool(
            self.real, cast("Tiers", FakeTiers()), self.cache, default_timeout=60.0, max_timeout=600.0
        )
        self.open: list[Job] = []
        self.ended: Counter[Job] = Counter()
        self.kept: list[tuple[str, Reason]] = []
        self.draining = False
        self.asking: list[Job] = []
        """What the cache was asked for, and may have been dropped since."""
        self.wrong: list[tuple[Job, Verdict]] = []

    def done(self, job: Job, verdict: Verdict) -> None:
        self.ended[job] += 1
        self.open.remove(job)
        if verdict.cached_age is not None:
            # It is what identical work had, and of its own it has only the time that it waited.
            right = (
                (job.request.proof, verdict.reason) in self.kept
                and may_be_kept_by_reason(verdict.reason)
                and not job.request.disable_cache
                and (verdict.attempts, verdict.timings.run, verdict.timings.import_) == (0, 0.0, 0.0)
            )
            # Told to the invariant: who calls this catches what it raises.
            self.wrong += [] if right else [(job, verdict)]

    @rule(
        proof=st.sampled_from(PROOFS),
        timeout=st.sampled_from([None, 60.0, 5.0]),
        fresh=st.sampled_from([True] + 4 * [False]),
        count=st.integers(1, 4),
    )
    def submit(self, proof: str, timeout: float | None, count: int, *, fresh: bool) -> None:
        for _ in range(count):
            job = make_job(proof, len(self.ended) + len(self.open), timeout=timeout, disable_cache=fresh)
            self.open.append(job)
            self.pool.submit(job, self.done)

    @rule(hits=st.sampled_from([True, False, False, False]), reason=st.sampled_from([Reason.OK, Reason.SORRY]))
    def look_up(self, reason: Reason, *, hits: bool) -> None:
        jobs, self.asking = self.asking, list(self.pool._looked_up)
        if hits and not self.draining:
            self.kept += [(job.request.proof, reason) for job in jobs]
        found = [Hit(make_verdict(reason), 5.0) if hits else None for _ in jobs]
        self.pool._looked_up_are(jobs, found)

    @precondition(lambda self: self.real.jobs)
    @rule(reason=st.sampled_from(ENDS), data=st.data())
    def finish(self, reason: Reason, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.real.jobs) - 1))
        job, on_done = self.real.jobs.pop(at)
        self.real.running = max(0, self.real.running - (at < self.real.running))
        if may_be_kept_by_reason(reason):
            self.kept.append((job.request.proof, reason))
        on_done(job, make_verdict(reason))
        if OUTCOMES[reason].status is Status.INCONCLUSIVE:
            # Nobody else got it: whoever followed is run by itself now, or is led by another.
            assert self.ended[job] == 1

    @precondition(lambda self: self.real.jobs)
    @rule()
    def start(self) -> None:
        self.real.running = min(len(self.real.jobs), self.real.running + 1)

    @rule(partition=st.integers(0, 2))
    def revoke(self, partition: int) -> None:
        for job in self.pool.discard(lambda job: job.record.id.partition == partition):
            self.ended[job] += 1
            self.open.remove(job)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def supersede(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.open))
        running = any(each is job for each, _ in self.real.jobs[: self.real.running])
        self.pool.supersede(job, make_verdict(Reason.SUPERSEDED))
        assert (job in self.open) == running

    @precondition(lambda self: not self.draining and len(self.ended) > 8)
    @rule(drains=st.sampled_from([True, False, False, False]))
    def drain(self, *, drains: bool) -> None:
        if drains:
            self.pool.drain()
            self.draining = True

    @invariant()
    def every_job_is_in_one_place(self) -> None:
        assert not self.wrong
        assert max(self.ended.values(), default=1) == 1
        in_pool = [job for job, _ in self.real.jobs]
        following = self.pool._in_flight.following
        assert len(in_pool) + len(self.pool._looked_up) + following == len(self.open)
        # Whoever waits for another's verdict waits for one that will come.
        assert not following or in_pool
        assert set(self.pool._asked) <= set(self.open)

    def teardown(self) -> None:
        """Let everything come to its end."""
        while self.real.jobs or (self.pool._looked_up and not self.draining):
            self.pool._looked_up_are(jobs := list(self.pool._looked_up), [None] * len(jobs))
            if self.real.jobs:
                self.kept.append((self.real.jobs[0][0].request.proof, Reason.OK))
                self.real.finish(make_verdict())
        assert self.draining or not self.open


def may_be_kept_by_reason(reason: Reason) -> bool:
    return may_be_kept(make_verdict(reason))


CachedPoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCachedPool = CachedPoolMachine.TestCase
