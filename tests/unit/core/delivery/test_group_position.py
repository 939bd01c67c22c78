"""What a commit and the bounds of a log say of a group."""

from __future__ import annotations

import pytest

from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.group_position import group_position
from streamverify.core.delivery.offset_map import OffsetMap, encode_map

TOPIC = "lean.proofs"


def commit(base: int, end: int, incomplete: dict[int, int], *, is_open: bool = False) -> Committed:
    return Committed(base, encode_map(OffsetMap(base, end, incomplete, open=is_open), TOPIC, 0))


def test_to_do_leaves_out_the_records_that_the_map_lists_as_finished() -> None:
    one = group_position(TOPIC, 0, 0, 20, commit(10, 16, {10: 0, 12: 2}, is_open=True))
    assert (one.lag, one.to_do, one.state) == (10, 6, "open")
    assert one.incomplete == [(10, 0), (12, 2)]
    assert one.attempted == [(12, 2)]


def test_a_closed_map_with_nothing_left() -> None:
    one = group_position(TOPIC, 0, 0, 10, commit(10, 10, {}))
    assert (one.lag, one.to_do, one.state, one.incomplete) == (0, 0, "closed", [])


@pytest.mark.parametrize("metadata", ["hello", "aGVsbG8gd29ybGQ=", commit(10, 12, {10: 0}).metadata[:-2]])
def test_metadata_that_is_no_map_is_foreign_and_says_why(metadata: str) -> None:
    one = group_position(TOPIC, 0, 0, 20, Committed(10, metadata))
    assert (one.state, one.lag, one.to_do, one.incomplete) == ("foreign", 10, 10, [])
    assert one.problem


def test_a_map_of_another_partition_is_foreign() -> None:
    assert group_position(TOPIC, 1, 0, 20, commit(10, 12, {10: 0})).state == "foreign"


def test_an_offset_without_metadata_and_no_offset_at_all() -> None:
    assert group_position(TOPIC, 0, 0, 20, Committed(5, "")).state == "none"
    fresh = group_position(TOPIC, 0, 4, 20, None)
    assert (fresh.state, fresh.committed, fresh.lag, fresh.to_do) == ("new", None, 16, 16)


def test_records_deleted_by_retention_do_not_count_as_lag() -> None:
    one = group_position(TOPIC, 0, 15, 20, commit(10, 17, {10: 0, 16: 0}))
    assert (one.lag, one.to_do) == (5, 4)
