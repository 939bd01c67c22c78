"""The store of the results table: what a stranger wrote to the changelog is no row, and stops nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cli_fakes import make_result
from faust.types import TP

from streamverify.core.table.row import result_row
from streamverify.core.table.rows import PartitionRows
from streamverify.table.result_table import ResultStore


def test_a_value_of_the_changelog_that_is_no_row_is_passed_over_and_what_follows_is_read() -> None:
    store: Any = object.__new__(ResultStore)
    store.__post_init__()
    row = result_row(make_result("a"), topic="t", partition=0, offset=0, timestamp=1)
    events = [
        SimpleNamespace(key=[0, name], value=value, message=SimpleNamespace(partition=0, offset=offset, value=b"raw"))
        for offset, (name, value) in enumerate([("x", {"custom_id": "x"}), ("y", [1]), ("a", row)])
    ]
    store.apply_changelog_batch(events, tuple, lambda value: value)
    assert dict(store) == {(0, "a"): row}
    assert isinstance(store.rows.partitions[0], PartitionRows)
    assert store.persisted_offset(TP("log", 0)) == 2
