"""The records of a cancellation, and which requests it may concern."""

from __future__ import annotations

import pytest
from record_fakes import FakeRecord

from streamverify.client import Client
from streamverify.client.cancellation import _count, _is_named, _records
from streamverify.core.delivery.offset_map import OffsetMap
from streamverify.core.errors import ClientMisused
from streamverify.core.groups.announcement import decode_cancellation
from streamverify.core.groups.cancellation import Cancellation, Names
from streamverify.settings import Settings


def test_the_python_client_says_so_too() -> None:
    with pytest.raises(ClientMisused, match="has to name"):
        Client(Settings()).cancel()


def test_many_ids_go_in_several_records_and_each_keeps_the_other_conditions() -> None:
    ids = frozenset(f"{number:03}" for number in range(250))
    records = _records(Cancellation("g", "t", Names(run="r", ids=ids), (1, 2), 3.0))
    found = [decode_cancellation(each.value, each.timestamp_ms) for each in records]
    assert [len(each.names.ids) for each in found] == [100, 100, 50]
    assert frozenset().union(*(each.names.ids for each in found)) == ids
    assert {(each.names.run, each.ends, each.cancelled) for each in found} == {("r", (1, 2), 3.0)}
    assert len({each.key for each in records}) == 3


def test_what_is_finished_beyond_the_committed_offset_does_not_count() -> None:
    finished = OffsetMap(10, 20, {10: 0, 15: 1})
    assert [_count(end, finished) for end in (10, 11, 16, 20, 25)] == [0, 1, 2, 2, 7]


@pytest.mark.parametrize(
    "value", [None, b"no JSON", b'{"custom_id": "a"}', b'{"custom_id": "a", "proof": 1, "run": "r"}']
)
def test_what_is_no_request_is_not_counted(value: bytes | None) -> None:
    assert not _is_named(FakeRecord(value), Names(ids=frozenset({"a"})))
