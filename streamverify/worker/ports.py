"""The protocol of whatever takes jobs: the pool, or the cache before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.job import Job, Verdict
    from streamverify.lean.callbacks import OnDone


class JobRunner(Protocol):
    """Takes jobs, and has a verdict on each. Whether jobs are started at all is the pool's own (`lean.pool.Pool`)."""

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        ...

    def submit(self, job: Job, on_done: OnDone, *, alone: bool = False) -> None:
        """Take a job; `on_done` is called once, later."""
        ...

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the jobs that wait and that `doomed` names, and return them."""
        ...

    def supersede(self, job: Job, verdict: Verdict) -> None:
        """End a job with this verdict, as nobody needs its own any more."""
        ...
