"""How far a group of workers is with a partition: what its last commit, and the bounds of the log, say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.errors import UndecodableOffsetMap

if TYPE_CHECKING:
    from streamverify.core.delivery.commits import Committed

MapState = Literal["open", "closed", "none", "foreign", "new"]
"""What the metadata of the last commit is: `streamverify offsets --help` explains the words."""


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """How far a group is with one partition."""

    partition: int
    committed: int | None
    end: int
    lag: int
    """Records from the committed offset (or the oldest one that is kept) to the end."""
    to_do: int
    """The same without the records that the map lists as finished."""
    incomplete: list[tuple[int, int]]
    """The offset and the attempts of each record that the map lists as not finished."""
    state: MapState
    problem: str = ""
    """The reason why the metadata is not ours."""

    @property
    def attempted(self) -> list[tuple[int, int]]:
        """The records of `incomplete` that were running when a worker died, or that run in quarantine now."""
        return [pair for pair in self.incomplete if pair[1]]


def group_position(topic: str, partition: int, first: int, end: int, committed: Committed | None) -> GroupPosition:
    """Put together what the broker says of one partition; `first` and `end` are the bounds of its log."""
    if committed is None:
        return GroupPosition(partition, None, end, end - first, end - first, [], "new")
    offset = committed.offset
    lag = max(0, end - max(first, offset))
    if not committed.metadata:
        return GroupPosition(partition, offset, end, lag, lag, [], "none")
    try:
        found = decode_map(committed.metadata, topic, partition, offset)
    except UndecodableOffsetMap as error:
        return GroupPosition(partition, offset, end, lag, lag, [], "foreign", str(error))
    state: MapState = "open" if found.open else "closed"
    return GroupPosition(partition, offset, end, lag, _to_do(found, first, end), list(found.incomplete.items()), state)


def _to_do(found: OffsetMap, first: int, end: int) -> int:
    listed = sum(1 for offset in found.incomplete if first <= offset < end)
    return listed + max(0, end - max(first, found.end))
