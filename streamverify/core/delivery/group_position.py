"""Tells how far a group of workers is with a partition, from its last commit and the bounds of the log. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from streamverify.core.delivery.offset_map import decode_map
from streamverify.core.errors import UndecodableOffsetMap

if TYPE_CHECKING:
    from streamverify.core.delivery.commits import Committed

MapState = Literal["open", "closed", "none", "foreign", "new"]
"""The kinds of metadata that a last commit has: `streamverify offsets --help` explains the words."""


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """The position of a group in one partition."""

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
    # Retention may have deleted records that the group had not reached: those are not to be read any more.
    lag = max(0, end - max(first, offset))
    if not committed.metadata:
        return GroupPosition(partition, offset, end, lag, lag, [], "none")
    try:
        found = decode_map(committed.metadata, topic, partition, offset)
    except UndecodableOffsetMap as error:
        return GroupPosition(partition, offset, end, lag, lag, [], "foreign", str(error))
    state: MapState = "open" if found.open else "closed"
    # In the window of the map only what is listed is unfinished; beyond it everything is.
    listed = sum(1 for offset in found.incomplete if first <= offset < end)
    to_do = listed + max(0, end - max(first, found.end))
    return GroupPosition(partition, offset, end, lag, to_do, list(found.incomplete.items()), state)
