"""The Faust table of results, whose rows are held as `core.table` holds them."""

from __future__ import annotations

from typing import Any, cast

from streamverify.core.table.rows import PartitionRows, is_row
from streamverify.streams.application import PartitionedTable
from streamverify.streams.store import PartitionStore

Key = tuple[int, str]
"""Partition of the result topic, and custom_id."""


class ResultStore(PartitionStore):
    """Rows of results."""

    def make_partition(self) -> PartitionRows:
        """Make the rows of one partition, without any."""
        return PartitionRows()

    def __setitem__(self, key: Key, value: Any) -> None:
        # The changelog may hold what a stranger wrote there. It must not stop the reading of the rest.
        if is_row(value):
            super().__setitem__(key, value)


class ResultTable(PartitionedTable[Key, dict[str, Any]]):
    """The newest row of each custom_id, by (partition, custom_id)."""

    store_type = ResultStore

    @property
    def partitions_held(self) -> dict[int, PartitionRows]:
        """The rows of each partition that is ours."""
        return cast("dict[int, PartitionRows]", cast("ResultStore", self.data).partitions)
