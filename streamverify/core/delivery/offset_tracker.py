"""Tracks which offsets of one partition are finished, and makes the offset map of a commit.

Pure: no I/O, no clock. A tracker begins with what a commit said (`OffsetMap`) and with the work of this worker that
the commit does not mention (`LocalWork`); it ends when the partition goes to another worker.

The rules, each tested as a property:

- The commit point is the lower of the lowest incomplete offset and the next offset to be delivered.
- An offset of the restored window that is not listed was finished before: it is done when it is delivered again.
- An offset that is never delivered (compaction, transaction markers) is done; so is a listed one that a later
  delivery passes over.
- An offset that finished here, or still runs here, under an earlier tracker counts only when it is delivered again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum, auto

from streamverify.core.delivery.offset_map import MAX_ATTEMPTS, OffsetMap
from streamverify.core.delivery.suspects import Suspects


class Delivery(Enum):
    """The tracker's answer to a delivered record."""

    NEW = auto()
    """The record is to be worked on."""
    DONE = auto()
    """The record was finished before."""
    RUNNING = auto()
    """Work on the record, begun before a rebalance, still goes on here; it is incomplete until that ends."""
    REPEATED = auto()
    """The record was delivered to this tracker before."""


@dataclass(slots=True)
class LocalWork:
    """Offsets that this worker finished or still runs, and of which the commit does not know."""

    finished: set[int] = field(default_factory=set)
    running: set[int] = field(default_factory=set)


class OffsetTracker:
    """The incomplete offsets of one partition."""

    def __init__(self, restored: OffsetMap, work: LocalWork | None = None, *, quarantined: bool = False) -> None:
        """A tracker for a partition that is read from `restored.base` on.

        Args:
            restored: What the last commit said.
            work: What finished here, or still runs here, beside that.
            quarantined: The worker that wrote `restored` may have died of one of the records.
        """
        work = work or LocalWork()
        self.base = restored.base
        """The offset at which the tracker began."""
        self.next = restored.base
        """The next offset to be delivered, or a lower one."""
        self.changed = True
        """True if there is something that the last commit did not say. Whoever makes a commit resets it."""
        # Below it an offset that the map does not list was finished before; from it on all are new.
        self._restored_end = restored.end
        self._window_end = restored.end
        # By offset. Unlike a dict's, an OrderedDict's first key costs nothing to find after many deletions in front.
        self._incomplete: OrderedDict[int, int] = OrderedDict(restored.incomplete)
        self._undelivered = deque(restored.incomplete)
        self._finished = {offset for offset in work.finished if offset >= restored.base}
        self._running = {offset for offset in work.running if offset >= restored.base}
        self.attempted: set[int] = set()
        """Offsets with an attempt of this worker: they run, or are about to."""
        listed = {offset for offset, attempts in restored.incomplete.items() if attempts}
        self.suspects = Suspects(listed, quarantined=quarantined)
        """True while one of the records may have killed a worker: "Poison and quarantine" in docs/delivery.md."""

    # --- records ------------------------------------------------------------------------------------------------

    def deliver(self, offset: int) -> Delivery:
        """Take note of a delivered record."""
        if offset < self.next:
            return Delivery.REPEATED
        # The restored incomplete offsets that this delivery passes over: their records no longer exist.
        while self._undelivered and self._undelivered[0] < offset:
            gone = self._undelivered.popleft()
            del self._incomplete[gone]
            self.suspects.clear(gone)
        self.next = offset + 1
        listed = offset in self._incomplete
        if listed:
            self._undelivered.popleft()
        if (offset < self._restored_end and not listed) or offset in self._finished:
            # A record that is finished already moves the commit point without being completed again.
            self._finish(offset)
            return Delivery.DONE
        if not listed:
            self._incomplete[offset] = 0
        if offset in self._running:
            return Delivery.RUNNING
        self.suspects.delivered(offset)
        return Delivery.NEW

    def complete(self, offset: int) -> bool:
        """Note that `offset` needs no more work. Work that goes on from before counts only when it is delivered again.

        Returns:
            True if the offset was incomplete in this tracker.
        """
        if offset >= self.next:
            # It runs from before a rebalance. The commit point must not pass it before the log has shown it again.
            if offset in self._running:
                self._running.discard(offset)
                self._finished.add(offset)
            return False
        if offset not in self._incomplete:
            return False
        self._running.discard(offset)
        self._finish(offset)
        return True

    def _finish(self, offset: int) -> None:
        self._incomplete.pop(offset, None)
        self._finished.discard(offset)
        self.attempted.discard(offset)
        self.suspects.clear(offset)
        self._window_end = max(self._window_end, offset + 1)
        self.changed = True

    def forget(self, offset: int) -> None:
        """Note that work which went on from before ended without a result: delivered again, `offset` is new."""
        self._running.discard(offset)

    def is_unfinished(self, offset: int) -> bool:
        """Tell whether a result for `offset` is still of use: as far as this worker knows, nobody has finished it."""
        return offset in self._incomplete or (offset >= self._restored_end and offset >= self.next)

    # --- commits ------------------------------------------------------------------------------------------------

    @property
    def commit_point(self) -> int:
        """The offset to commit: everything before it is finished, or does not exist."""
        return min(next(iter(self._incomplete), self.next), self.next)

    def snapshot(self, *, is_open: bool) -> OffsetMap:
        """The map to commit. A closed map leaves out the attempts of what is running here: none of it has died."""
        base = self.commit_point
        end = max(self._window_end, base)
        listed = {}
        for offset, attempts in self._incomplete.items():
            # Beyond the window the next owner takes everything as new: listing it would only cost metadata.
            if offset >= end:
                break
            listed[offset] = min(attempts + (is_open and offset in self.attempted), MAX_ATTEMPTS)
        return OffsetMap(base, end, listed, open=is_open)

    def local_work(self, since: int | None) -> LocalWork:
        """Return the offsets that finished here and those being worked on, for the tracker that follows.

        Args:
            since: The offset of the last commit that the broker has; None: all since this tracker began.
        """
        since = self.base if since is None else since
        begun = {offset for offset in self._incomplete if offset < self.next}
        finished = set(range(since, self.next)) - begun
        return LocalWork(finished | self._finished, begun | self._running)

    def window(self, offset: int) -> int:
        """The number of offsets that the map would cover at most if `offset` were delivered next."""
        lowest = next(iter(self._incomplete), offset)
        if lowest >= self.next:  # restored and not delivered: a delivery at `offset` passes it over
            lowest = min((each for each in self._undelivered if each >= offset), default=offset)
        return offset + 1 - min(lowest, offset)

    # --- poison -------------------------------------------------------------------------------------------------

    def worker_deaths(self, offset: int) -> int:
        """The number of times that a worker has died with `offset` running."""
        return self._incomplete.get(offset, 0)

    def record_attempt(self, offset: int) -> None:
        """Count one more attempt of `offset`, which is about to be run, in every open snapshot from now on."""
        if offset in self._incomplete:
            self.attempted.add(offset)
            # Beyond the window a map lists nothing.
            self._window_end = max(self._window_end, offset + 1)
        self.changed = True

    def withdraw_attempt(self, offset: int) -> None:
        """Take the attempt back: `offset` was not run."""
        self.attempted.discard(offset)
        self.changed = True
