"""The commits of one partition: which the broker has, and which it may have. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple


class Committed(NamedTuple):
    """A commit of one partition as the broker has it (Kafka's OffsetAndMetadata)."""

    offset: int
    metadata: str


class SentCommits:
    """The commits that this worker has sent of one partition since it was restored.

    A commit of which nothing was heard may have reached the broker all the same. So all that were sent since the last
    acknowledged one are kept: the commit that is read when the partition comes back is ours if it is one of them.
    """

    def __init__(self) -> None:
        self.last: Committed | None = None
        """The last commit that the broker is known to have."""
        self._sent: set[Committed] = set()
        """Those that it may have: `last`, and those sent since."""

    def restored_from(self, read: Committed | None) -> None:
        """The broker has `read`, and nothing of ours is on its way; None: it has no commit of the group."""
        self.last, self._sent = read, {read} if read else set()

    def recognises(self, read: Committed | None) -> bool:
        """Tell whether the broker's commit is one of ours, so that nobody else has had the partition meanwhile."""
        return read is not None and read in self._sent

    def forget_sent(self) -> None:
        """Recognise no commit any more, not even our own."""
        self._sent = set()

    def send(self, point: Committed) -> None:
        """A commit is on its way."""
        self._sent.add(point)

    def acknowledge(self, point: Committed) -> bool:
        """Note that the broker has `point`.

        Returns:
            False where the partition was restored, or a later commit acknowledged, since `point` was sent.
        """
        if point not in self._sent:
            return False
        # The broker keeps one commit a partition, so those that were sent before are gone. One that was given up on may
        # still come after this one: then the next restore rebuilds the state, and records run twice.
        self.restored_from(point)
        return True

    @property
    def map_bytes(self) -> int:
        """The bytes of the metadata of the last commit; 0 where there is none."""
        return 0 if self.last is None else len(self.last.metadata)
