"""Which offsets of a partition are finished, and up to where it may be committed.

Pure: no I/O, no clock. One tracker lives for one partition in one assignment.
"""

from __future__ import annotations

from collections import OrderedDict


class OffsetTracker:
    """The incomplete offsets of one partition.

    Offsets are admitted in the order of delivery, with gaps where compaction or transaction markers left some out,
    and completed in any order. An offset that was never delivered counts as done.
    """

    def __init__(self, start: int) -> None:
        """A tracker for a partition that is read from the offset `start`."""
        self._next = start
        # Ordered by admission, so by offset; unlike a dict's, an OrderedDict's first key costs nothing to find
        # after many deletions at the front.
        self._incomplete: OrderedDict[int, None] = OrderedDict()

    def admit(self, offset: int) -> bool:
        """Note a delivered offset as incomplete; False where it was delivered before."""
        if offset < self._next:
            return False
        self._next = offset + 1
        self._incomplete[offset] = None
        return True

    def complete(self, offset: int) -> None:
        """Note that `offset` needs no more work.

        Raises:
            KeyError: It was not admitted, or completed before.
        """
        del self._incomplete[offset]

    @property
    def commit_point(self) -> int:
        """The offset to commit: the lowest incomplete one, else the next that will be delivered."""
        return next(iter(self._incomplete), self._next)

    @property
    def incomplete(self) -> int:
        """How many offsets are admitted and not complete."""
        return len(self._incomplete)
