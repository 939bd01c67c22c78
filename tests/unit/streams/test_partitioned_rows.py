"""The rows of a table as a mapping, and what is left when partitions are lost."""

from __future__ import annotations

from typing import Any

import pytest

from streamverify.core.table.rows import PartitionRows
from streamverify.streams.partitioned_rows import PartitionedRows


def test_it_is_a_mapping_by_partition_and_name() -> None:
    rows = PartitionedRows()
    rows[0, "a"], rows[3, "a"], rows[0, "b"] = 1, 2, 3
    rows[0, "a"] = 4
    assert dict(rows) == {(0, "a"): 4, (3, "a"): 2, (0, "b"): 3}
    assert ((0, "a") in rows, (1, "a") in rows, len(rows)) == (True, False, 3)
    del rows[0, "a"]
    assert (rows.get((0, "a")), rows.pop((7, "x"), None)) == (None, None)
    with pytest.raises(KeyError):
        rows[7, "x"]
    rows.clear()
    assert len(rows) == 0


def test_the_rows_of_a_lost_partition_are_dropped_as_a_whole() -> None:
    rows = PartitionedRows()
    for partition in range(3):
        rows[partition, "a"] = partition
    rows.keep_only({1, 9})
    assert dict(rows) == {(1, "a"): 1}
    assert rows.partitions == {1: {"a": 1}}


def test_each_partition_is_made_once_and_by_who_knows_its_form() -> None:
    made: list[Any] = []

    def make() -> Any:
        made.append({})
        return made[-1]

    rows = PartitionedRows(make)
    rows[2, "a"], rows[2, "b"] = 1, 2
    assert made == [{"a": 1, "b": 2}]
    assert isinstance(PartitionedRows(PartitionRows).partitions, dict)
