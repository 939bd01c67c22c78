"""OffsetTracker: the commit point never passes an incomplete offset."""

from __future__ import annotations

import pytest

from streamverify.core.offsets import OffsetTracker


def test_nothing_admitted_commits_where_it_started() -> None:
    assert OffsetTracker(7).commit_point == 7


def test_the_commit_point_waits_for_the_lowest_incomplete_offset() -> None:
    tracker = OffsetTracker(0)
    for offset in range(3):
        tracker.admit(offset)
    tracker.complete(2)
    tracker.complete(1)
    assert tracker.commit_point == 0
    tracker.complete(0)
    assert tracker.commit_point == 3


def test_gaps_left_by_compaction_count_as_done() -> None:
    tracker = OffsetTracker(10)
    tracker.admit(15)
    assert tracker.commit_point == 15
    tracker.complete(15)
    assert tracker.commit_point == 16


def test_a_redelivered_offset_is_not_admitted_twice() -> None:
    tracker = OffsetTracker(0)
    assert tracker.admit(0)
    assert not tracker.admit(0)
    tracker.complete(0)
    assert not tracker.admit(0)
    assert tracker.commit_point == 1


def test_completing_what_is_not_incomplete_is_an_error() -> None:
    tracker = OffsetTracker(0)
    tracker.admit(0)
    tracker.complete(0)
    with pytest.raises(KeyError):
        tracker.complete(0)
