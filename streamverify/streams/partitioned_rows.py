"""The rows of a table in memory, each partition apart, so that what is lost with a partition is dropped as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, cast

Key = tuple[int, str]
"""Partition of the source topic, and name: Faust has one mapping for a table, whatever its partitions."""


class PartitionedRows(MutableMapping[Key, Any]):
    """Rows by (partition, name)."""

    def __init__(self, make_partition: Callable[[], MutableMapping[str, Any]] = dict) -> None:
        """`make_partition` makes the rows of one partition, without any."""
        self.partitions: dict[int, MutableMapping[str, Any]] = {}
        """The rows by name, of each partition that has had one."""
        self._make_partition = make_partition

    def keep_only(self, ours: set[int]) -> None:
        """Drop the rows of all partitions but these."""
        for number in self.partitions.keys() - ours:
            del self.partitions[number]

    def __getitem__(self, key: Key) -> Any:
        partition, name = key
        return self.partitions[partition][name]

    def __setitem__(self, key: Key, value: Any) -> None:
        partition, name = key
        # Not setdefault(): it would make the rows of a partition anew with each change, only to drop them.
        if partition not in self.partitions:
            self.partitions[partition] = self._make_partition()
        self.partitions[partition][name] = value

    def __delitem__(self, key: Key) -> None:
        partition, name = key
        del self.partitions[partition][name]

    def __contains__(self, key: object) -> bool:
        # Without reading the row, as `Mapping` would do: a row of the results table is JSON that has to be parsed.
        partition, name = cast("Key", key)
        return name in self.partitions.get(partition, ())

    def __iter__(self) -> Iterator[Key]:
        return ((partition, name) for partition, rows in self.partitions.items() for name in rows)

    def __len__(self) -> int:
        return sum(map(len, self.partitions.values()))
