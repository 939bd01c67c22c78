"""The rows of a table in memory, each partition apart: what is lost with a partition is dropped as a whole.

Faust's own store in memory does not know up to where it holds a changelog. Where an event of a partition that has gone
to another member comes late, Faust remembers its offset, and reads from there on when the partition comes back: the
rows before it would be missing. Here the store says from which offset on it lacks the changelog.
"""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, cast

from faust.stores.base import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableMapping

    from faust.types import TP, EventT

NOTHING_READ = -1


class PartitionStore(Store[tuple[int, str], Any]):
    """Rows by (partition, name)."""

    def __post_init__(self) -> None:
        """Begin without rows."""
        self.partitions: dict[int, MutableMapping[str, Any]] = {}
        self._read_upto: dict[int, int] = {}

    def make_partition(self) -> MutableMapping[str, Any]:
        """Make the rows of one partition, without any."""
        return {}

    def persisted_offset(self, tp: TP) -> int | None:
        """The last offset of the changelog that the rows contain. Faust reads what follows."""
        return self._read_upto.get(tp.partition, NOTHING_READ)

    async def on_rebalance(
        self, assigned: set[TP], _revoked: set[TP], _newly_assigned: set[TP], _generation_id: int = 0
    ) -> None:
        """Drop the rows of partitions that are another member's now."""
        self._keep_only({tp.partition for tp in assigned})

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Drop what came late of partitions that are another member's."""
        self._keep_only({tp.partition for tp in active_tps | standby_tps})

    def _keep_only(self, ours: set[int]) -> None:
        for number in self.partitions.keys() - ours:
            del self.partitions[number]
        for number in self._read_upto.keys() - ours:
            del self._read_upto[number]

    def apply_changelog_batch(
        self, batch: Iterable[EventT[Any]], to_key: Callable[[Any], Any], to_value: Callable[[Any], Any]
    ) -> None:
        """Apply records of the changelog, in their order."""
        for event in batch:
            key = to_key(event.key)
            if event.message.value is None:
                self.pop(key, None)
            else:
                self[key] = to_value(event.value)
            self._read_upto[event.message.partition] = event.message.offset

    def reset_state(self) -> None:
        """Remove files: there are none."""

    async def backup_partition(self, *_given: Any, **_options: Any) -> None:
        """Save a partition: its changelog is what it is made from again."""

    def restore_backup(self, *_given: Any, **_options: Any) -> None:
        """Read what was saved: nothing was."""

    def __getitem__(self, key: tuple[int, str]) -> Any:
        partition, name = key
        return self.partitions[partition][name]

    def __setitem__(self, key: tuple[int, str], value: Any) -> None:
        partition, name = key
        if partition not in self.partitions:
            self.partitions[partition] = self.make_partition()
        self.partitions[partition][name] = value

    def __delitem__(self, key: tuple[int, str]) -> None:
        partition, name = key
        del self.partitions[partition][name]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return ((partition, name) for partition, rows in self.partitions.items() for name in rows)

    def __contains__(self, key: object) -> bool:
        partition, name = cast("tuple[int, str]", key)
        return name in self.partitions.get(partition, ())

    def keys(self) -> KeysView[tuple[int, str]]:
        """All keys."""
        return KeysView(self)

    def values(self) -> ValuesView[Any]:
        """All values."""
        return ValuesView(self)

    def items(self) -> ItemsView[tuple[int, str], Any]:
        """All rows."""
        return ItemsView(self)

    def __len__(self) -> int:
        return sum(map(len, self.partitions.values()))

    def clear(self) -> None:
        """Drop all rows."""
        self._keep_only(set())
