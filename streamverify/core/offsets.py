"""Which offsets of one partition are finished, and what of that is written into a commit.

Pure: no I/O, no clock. A tracker begins with what a commit said (`OffsetMap`) and with what this worker remembers of
its own; it ends when the partition goes to another worker.

The rules, each tested as a property:

- The commit point is the lower of the lowest incomplete offset and the next offset to be delivered.
- An offset of the restored window that is not listed was finished before: it is done when it is delivered again.
- An offset that is never delivered (compaction, transaction markers) is done; so is a listed one that a later
  delivery passes over.
- What finished here, or still runs here, under an earlier tracker counts only when its offset is delivered again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum, auto

from streamverify.core.offset_map import MAX_ATTEMPTS, OffsetMap

PROBATION = 1_000
"""Records that a worker which died may have had in flight: as many as admission lets in."""


class Delivery(Enum):
    """What a delivered record is to the tracker."""

    NEW = auto()
    """It is to be worked on."""
    DONE = auto()
    """It was finished before."""
    RUNNING = auto()
    """Work on it, begun before a rebalance, still goes on here; it is incomplete until that ends."""
    REPEATED = auto()
    """It was delivered to this tracker before."""


@dataclass(slots=True)
class Memory:
    """What this worker knows of a partition beyond what was committed: offsets finished, offsets still being run."""

    finished: set[int] = field(default_factory=set)
    running: set[int] = field(default_factory=set)


class OffsetTracker:
    """The incomplete offsets of one partition."""

    def __init__(self, restored: OffsetMap, memory: Memory | None = None, *, careful: bool = False) -> None:
        """A tracker for a partition that is read from `restored.base` on.

        Args:
            restored: What the last commit said.
            memory: What finished or runs here beside that.
            careful: Whoever wrote `restored` may have died of one of the records.
        """
        memory = memory or Memory()
        self.base = restored.base
        """Where the tracker began."""
        self._next = restored.base
        self._known_to = restored.end
        self._end = restored.end
        # By offset. Unlike a dict's, an OrderedDict's first key costs nothing to find after many deletions in front.
        self._incomplete: OrderedDict[int, int] = OrderedDict(restored.incomplete)
        self._undelivered = deque(restored.incomplete)
        self._finished = {offset for offset in memory.finished if offset >= restored.base}
        self._running = {offset for offset in memory.running if offset >= restored.base}
        self.marked: set[int] = set()
        """Offsets with an attempt of this life: they run, or are about to."""
        listed = {offset for offset, attempts in restored.incomplete.items() if attempts}
        self._suspects = listed
        self._probation = PROBATION if careful or listed else 0

    # --- records ------------------------------------------------------------------------------------------------

    def deliver(self, offset: int) -> Delivery:
        """Take note of a delivered record."""
        if offset < self._next:
            return Delivery.REPEATED
        self._pass_over(offset)
        self._next = offset + 1
        listed = offset in self._incomplete
        if listed:
            self._undelivered.popleft()
        if (offset < self._known_to and not listed) or offset in self._finished:
            self._finish(offset)
            return Delivery.DONE
        if not listed:
            self._incomplete[offset] = 0
        if offset in self._running:
            return Delivery.RUNNING
        if self._probation:
            self._probation -= 1
            self._suspects.add(offset)
        return Delivery.NEW

    def _pass_over(self, offset: int) -> None:
        """Restored incompletes below a delivered offset exist no more."""
        while self._undelivered and self._undelivered[0] < offset:
            gone = self._undelivered.popleft()
            del self._incomplete[gone]
            self._suspects.discard(gone)

    def complete(self, offset: int) -> bool:
        """`offset` needs no more work; whether it was incomplete here. What runs on from before waits for delivery."""
        if offset >= self._next:
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
        self.marked.discard(offset)
        self._suspects.discard(offset)
        self._end = max(self._end, offset + 1)

    def forget(self, offset: int) -> None:
        """Work that went on from before has ended without a result: where `offset` is delivered again, it is new."""
        self._running.discard(offset)

    def wants(self, offset: int) -> bool:
        """Whether a result for `offset` is still of use: as far as is known it is not finished."""
        return offset in self._incomplete or (offset >= self._known_to and offset >= self._next)

    # --- commits ------------------------------------------------------------------------------------------------

    @property
    def next(self) -> int:
        """The next offset to be delivered, or a lower one."""
        return self._next

    @property
    def commit_point(self) -> int:
        """The offset to commit."""
        return min(next(iter(self._incomplete), self._next), self._next)

    @property
    def incomplete(self) -> int:
        """How many offsets are known and not complete."""
        return len(self._incomplete)

    def snapshot(self, *, is_open: bool) -> OffsetMap:
        """What to commit. A closed map leaves out the attempts of what is running here: none of it has died."""
        base = self.commit_point
        end = max(self._end, base)
        listed = {}
        for offset, attempts in self._incomplete.items():
            if offset >= end:
                break
            listed[offset] = min(attempts + (is_open and offset in self.marked), MAX_ATTEMPTS)
        return OffsetMap(base, end, listed, open=is_open)

    def memory(self, since: int) -> Memory:
        """What finished from the offset `since` on and what is being worked on, for the tracker that follows."""
        begun = {offset for offset in self._incomplete if offset < self._next}
        finished = set(range(since, self._next)) - begun
        return Memory(finished | self._finished, begun | self._running)

    def window(self, offset: int) -> int:
        """How many offsets a map would speak of at most, were `offset` delivered next."""
        lowest = next(iter(self._incomplete), offset)
        if lowest >= self._next:  # restored and not delivered: a delivery at `offset` passes it over
            lowest = min((each for each in self._undelivered if each >= offset), default=offset)
        return offset + 1 - min(lowest, offset)

    # --- poison -------------------------------------------------------------------------------------------------

    @property
    def careful(self) -> bool:
        """Whether one of the records may have killed a worker: see DESIGN, "Poison"."""
        return bool(self._probation or self._suspects)

    def attempts(self, offset: int) -> int:
        """How often a worker has died with `offset` running."""
        return self._incomplete.get(offset, 0)

    def mark(self, offset: int) -> None:
        """`offset` is about to be run: the next open snapshot counts one attempt more."""
        if offset in self._incomplete:
            self.marked.add(offset)
            self._end = max(self._end, offset + 1)

    def unmark(self, offset: int) -> None:
        """`offset` was not run after all."""
        self.marked.discard(offset)
