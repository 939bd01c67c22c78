"""What the service and the groups ask of whatever runs jobs: the pool, or the cache before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.audit.vocabulary import Trusted
    from streamverify.core.job import Job, Verdict
    from streamverify.core.scheduling.decisions import RunningGroups
    from streamverify.lean.callbacks import OnDone


class Runner(Protocol):
    """Takes jobs, and has a verdict on each. `lean.pool.Pool` says what each of these does."""

    trusted: Trusted
    groups: RunningGroups

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        ...

    @property
    def running(self) -> int:
        """Jobs that Lean runs."""
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

    def pause(self) -> None:
        """Start nothing but jobs that run alone."""
        ...

    def resume(self) -> None:
        """Start again what waits."""
        ...
