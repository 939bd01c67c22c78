"""A pool behind the result cache, between fakes, and what it answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from cache_fakes import FakeTiers, make_cache
from worker_fakes import FakePool

from streamverify.worker.cached_pool import CachedPool

if TYPE_CHECKING:
    from streamverify.core.job import Job, Verdict
    from streamverify.worker.result_cache import ResultCache


class Case:
    """A pool behind a cache without entries, and what was answered."""

    def __init__(self, cache: ResultCache | None = None) -> None:
        self.real = FakePool()
        self.cache = cache or make_cache()
        self.tiers = FakeTiers()
        self.pool = CachedPool(self.real, cast("Any", self.tiers), self.cache, default_timeout=60.0, max_timeout=600.0)
        self.answers: dict[Job, Verdict] = {}

    def submit(self, *jobs: Job, alone: bool = False) -> None:
        for job in jobs:
            self.pool.submit(job, self.answers.__setitem__, alone=alone)

    def look_up(self) -> None:
        jobs = list(self.pool._looked_up)
        self.pool._looked_up_are(jobs, asyncio.run(self.cache.find(jobs)))

    @property
    def running(self) -> list[Job]:
        return [job for job, _ in self.real.jobs]
