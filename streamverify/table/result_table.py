"""The Faust table of results, whose rows are held as `core.table` holds them."""

from __future__ import annotations

from typing import Any, cast

from streamverify.core.table.rows import PartitionRows, is_row
from streamverify.streams.application import PartitionedTable
from streamverify.streams.partition_store import PartitionStore
from streamverify.streams.partitioned_rows import Key, PartitionedRows


class ResultStore(PartitionStore):
    """Rows of results, by (partition of the result topic, custom_id)."""

    def make_rows(self) -> PartitionedRows:
        """Make the rows, each partition in an order in which pages can be made of it."""
        return PartitionedRows(PartitionRows)

    def takes(self, value: Any) -> bool:
        """Tell whether a value is a row of ours."""
        return is_row(value)


class ResultTable(PartitionedTable[Key, dict[str, Any]]):
    """The newest row of each custom_id, by (partition, custom_id)."""

    store_type = ResultStore

    @property
    def partitions_held(self) -> dict[int, PartitionRows]:
        """The rows of each partition that is ours."""
        return cast("dict[int, PartitionRows]", cast("ResultStore", self.data).rows.partitions)
