"""The committer's inbox: what it is asked to do, and when the next commit is due.

It is a file of its own, as the rebalance listener and the service post to it and know nothing of the committer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import Enum, auto

COMMIT_INTERVAL = 0.1
"""Seconds between two commits at least, but for those that a quarantined record waits for."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """The group has given us these partitions; they are paused."""

    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class Revoked:
    """The group takes all partitions back; `done` is awaited by the listener."""

    done: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class CommitDue:
    """Something has changed, and the last commit is long enough ago or may not be waited for."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing runs any more: make the last commit. `done` gets whether the broker has all of it."""

    done: asyncio.Future[bool]


class _Due(Enum):
    """The time of the next commit; the diagram is in `CommitRequests`."""

    NOTHING = auto()
    LATER = auto()
    POSTED = auto()


class CommitRequests:
    """The committer's inbox, and when the next commit is due. Made before the committer, for those who post to it.

    NOTHING ── commit_soon, commit_in ──> LATER ── the timer ends, or commit_now ──> POSTED ── next ──> NOTHING
    NOTHING ── commit_now ──────────────────────────────────────────────────────────> POSTED
    LATER: a timer runs. POSTED: a `CommitDue` is in the inbox, and no second one is needed.
    """

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[Assigned | Revoked | CommitDue | Finish] = asyncio.Queue()
        self._due = _Due.NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._last_commit = 0.0

    def commit_soon(self) -> None:
        """A record was completed: commit when the last commit is long enough ago."""
        # One commit is enough: whatever completes until then is in it.
        if self._due is _Due.NOTHING:
            self.commit_in(max(0.0, self._last_commit + COMMIT_INTERVAL - time.monotonic()))

    def commit_now(self) -> None:
        """A quarantined record waits for the commit."""
        if self._due is not _Due.POSTED:
            self.cancel_timer()
            self._due = _Due.POSTED
            self._inbox.put_nowait(CommitDue())

    def commit_in(self, seconds: float) -> None:
        """Commit after `seconds`, unless a commit is posted already."""
        if self._due is not _Due.POSTED:
            self.cancel_timer()
            self._due = _Due.LATER
            self._timer = asyncio.get_running_loop().call_later(seconds, self.commit_now)

    def revoked(self) -> asyncio.Future[None]:
        """The group takes all partitions back.

        Returns:
            A future that is done when the last commit is made, or has failed.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(Revoked(done))
        return done

    def assigned(self, partitions: frozenset[int]) -> None:
        """The group has given us these partitions. They are paused."""
        self._inbox.put_nowait(Assigned(partitions))

    async def finish(self) -> bool:
        """Make the last commit of this worker's life.

        Returns:
            Whether the broker has all that is complete. False: it did not take it, or a rebalance is under way.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(Finish(done))
        return await done

    async def next(self) -> Assigned | Revoked | CommitDue | Finish:
        """The committer's next message."""
        message = await self._inbox.get()
        if isinstance(message, CommitDue):
            # The commit that follows has all changes up to now; for later ones another has to be asked for.
            self._due = _Due.NOTHING
        return message

    def commit_begins(self) -> None:
        """Take note of the time: the next commit waits for the interval from now on."""
        self._last_commit = time.monotonic()

    def cancel_timer(self) -> None:
        """Forget the commit that was to come later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due is _Due.LATER:
            self._due = _Due.NOTHING
