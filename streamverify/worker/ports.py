"""What the service and the groups ask of whatever runs jobs: the pool, or the cache before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.audit.vocabulary import Trusted
    from streamverify.core.job import Job, Verdict

    OnDone = Callable[[Job, Verdict], None]


class Runner(Protocol):
    """Takes jobs, and has a verdict on each. `lean.pool.Pool` says what each of these does."""

    trusted: Trusted

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

    def hold_group(self, scope: str) -> None:
        """Start no job of this scope while others wait."""
        ...

    def release_group(self, scope: str) -> None:
        """Undo one `hold_group`."""
        ...

    def pause(self) -> None:
        """Start nothing but jobs that run alone."""
        ...

    def resume(self) -> None:
        """Start again what waits."""
        ...
