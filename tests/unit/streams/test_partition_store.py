"""The rows of a table, partition by partition."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streamverify.streams.partition_store import NOTHING_READ, PartitionStore


@pytest.fixture
def store() -> Any:
    made: Any = object.__new__(PartitionStore)
    made.__post_init__()
    return made


def change(partition: int, offset: int, name: str, value: Any) -> Any:
    raw = None if value is None else b"raw"
    message = SimpleNamespace(partition=partition, offset=offset, value=raw)
    return SimpleNamespace(key=[partition, name], value=value, message=message)


def apply(store: Any, *changes: Any) -> None:
    store.apply_changelog_batch(changes, tuple, lambda value: value)


def test_the_changelog_is_applied_in_its_order_and_a_tombstone_takes_a_row_away(store: Any) -> None:
    apply(store, change(0, 1, "a", 1), change(0, 2, "a", None), change(0, 3, "a", 2), change(1, 9, "b", None))
    assert dict(store.items()) == {(0, "a"): 2}
    assert len(store) == 1
    assert ((0, "a") in store, (1, "a") in store) == (True, False)


async def test_what_is_lost_with_a_partition_is_read_again_from_its_beginning(store: Any) -> None:
    apply(store, change(0, 7, "a", 1), change(1, 8, "b", 2))
    assert store.persisted_offset(TP("log", 0)) == 7
    await store.on_rebalance({TP("log", 1), TP("source", 1)}, set(), set(), 2)
    assert dict(store.items()) == {(1, "b"): 2}
    assert (store.persisted_offset(TP("log", 0)), store.persisted_offset(TP("log", 1))) == (NOTHING_READ, 8)
    # An event of the lost partition that comes late is dropped, and does not count as read.
    apply(store, change(0, 9, "late", 1))
    await store.on_recovery_completed({TP("log", 1)}, set())
    assert store.persisted_offset(TP("log", 0)) == NOTHING_READ
    assert list(store) == [(1, "b")]


def test_it_is_the_mapping_that_faust_reads_and_writes(store: Any) -> None:
    store[0, "a"] = 1
    store[1, "b"] = 2
    assert (store[0, "a"], sorted(store.keys()), sorted(store.values())) == (1, [(0, "a"), (1, "b")], [1, 2])
    del store[0, "a"]
    assert dict(store.rows) == {(1, "b"): 2}
    apply(store, change(1, 5, "b", 3))
    store.clear()
    assert (len(store), store.persisted_offset(TP("log", 1))) == (0, NOTHING_READ)
