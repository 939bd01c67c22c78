"""The store of a table, as Faust wants it, for rows that are kept partition by partition.

Faust's own store in memory does not know up to where it holds a changelog. Where an event of a partition that has gone
to another member comes late, Faust remembers its offset, and reads from there on when the partition comes back: the
rows before it would be missing. Here the store says from which offset on it lacks the changelog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faust.stores.base import Store

from streamverify.streams.partitioned_rows import Key, PartitionedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from faust.types import TP, EventT

NOTHING_READ = -1


class PartitionStore(Store[Key, Any]):
    """Recovers rows from the changelog, and drops those of partitions that are lost. Faust reads them in `data`."""

    def __post_init__(self) -> None:
        """Begin without rows."""
        self.rows = self.make_rows()
        # By this name Faust's own class reads and writes them for whoever uses the store as a mapping.
        self.data = self.rows
        self._read_upto: dict[int, int] = {}

    def make_rows(self) -> PartitionedRows:
        """Make the rows of the table, without any."""
        return PartitionedRows()

    def takes(self, _value: Any) -> bool:
        """Tell whether a value of the changelog can be a row: whoever may write to the topic may have written it."""
        return True

    def persisted_offset(self, tp: TP) -> int | None:
        """The last offset of the changelog that the rows contain. Faust reads what follows."""
        # Never None: Faust would take that for "I do not know" and go on from the offset that it remembers itself.
        return self._read_upto.get(tp.partition, NOTHING_READ)

    async def on_rebalance(
        self, assigned: set[TP], _revoked: set[TP], _newly_assigned: set[TP], _generation_id: int = 0
    ) -> None:
        """Drop the rows of partitions that are another member's now."""
        self._keep_only({tp.partition for tp in assigned})

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Drop what came late of partitions that are another member's."""
        self._keep_only({tp.partition for tp in active_tps | standby_tps})

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Apply records of the changelog, in their order."""
        for event in batch:
            key = to_key(event.key)
            if event.message.value is None:
                self.rows.pop(key, None)
            elif self.takes(value := to_value(event.value)):
                self.rows[key] = value
            # A value that is no row counts as read, too: it must not stop the reading of the rest.
            self._read_upto[event.message.partition] = event.message.offset

    def reset_state(self) -> None:
        """Remove no files: the rows are in memory."""

    async def backup_partition(self, *_given: Any, **_options: Any) -> None:
        """Save a partition: its changelog is what it is made from again."""

    def restore_backup(self, *_given: Any, **_options: Any) -> None:
        """Read what was saved: nothing was."""

    def clear(self) -> None:
        """Drop all rows, and with them how far the changelog was read."""
        self._keep_only(set())

    def _keep_only(self, ours: set[int]) -> None:
        self.rows.keep_only(ours)
        # With the rows goes the offset: when the partition comes back its changelog is read from the beginning.
        for number in self._read_upto.keys() - ours:
            del self._read_upto[number]
