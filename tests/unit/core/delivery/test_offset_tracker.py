"""OffsetTracker: what is committed, and what of it a later tracker makes."""

from __future__ import annotations

from streamverify.core.delivery.offset_map import OffsetMap
from streamverify.core.delivery.offset_tracker import Delivery, LocalWork, OffsetTracker
from streamverify.core.delivery.suspects import PROBATION


def fresh(start: int = 0) -> OffsetTracker:
    return OffsetTracker(OffsetMap(start, start))


def deliver(tracker: OffsetTracker, *offsets: int) -> list[Delivery]:
    return [tracker.deliver(offset) for offset in offsets]


def test_nothing_delivered_commits_where_it_started() -> None:
    assert fresh(7).commit_point == 7
    assert fresh(7).snapshot(is_open=False) == OffsetMap(7, 7)


def test_the_commit_point_is_that_of_the_lowest_incomplete_and_not_of_the_highest_seen() -> None:
    tracker = fresh()
    deliver(tracker, 0, 1, 2)
    tracker.complete(2)
    tracker.complete(1)
    assert tracker.commit_point == 0
    assert tracker.snapshot(is_open=False) == OffsetMap(0, 3, {0: 0})
    tracker.complete(0)
    assert tracker.commit_point == 3


def test_the_window_ends_after_the_highest_finished_offset() -> None:
    tracker = fresh()
    deliver(tracker, 0, 1, 2, 3)
    tracker.complete(1)
    assert tracker.snapshot(is_open=True) == OffsetMap(0, 2, {0: 0}, open=True)


def test_gaps_left_by_compaction_count_as_done() -> None:
    tracker = fresh(10)
    deliver(tracker, 15)
    assert tracker.commit_point == 15
    tracker.complete(15)
    assert tracker.commit_point == 16


def test_a_redelivered_offset_is_not_worked_on_twice() -> None:
    tracker = fresh()
    assert deliver(tracker, 0, 0) == [Delivery.NEW, Delivery.REPEATED]
    assert tracker.complete(0)
    assert not tracker.complete(0)
    assert deliver(tracker, 0) == [Delivery.REPEATED]
    assert tracker.commit_point == 1


def test_an_offset_that_the_restored_map_does_not_list_was_finished() -> None:
    tracker = OffsetTracker(OffsetMap(5, 9, {5: 0, 7: 0}))
    assert deliver(tracker, 5, 6, 7, 8, 9) == [
        Delivery.NEW,
        Delivery.DONE,
        Delivery.NEW,
        Delivery.DONE,
        Delivery.NEW,
    ]


def test_the_commit_point_is_never_above_the_next_offset_to_be_delivered() -> None:
    tracker = OffsetTracker(OffsetMap(5, 9, {5: 0, 8: 0}))
    deliver(tracker, 5)
    tracker.complete(5)
    assert tracker.commit_point == 6
    assert tracker.snapshot(is_open=False) == OffsetMap(6, 9, {8: 0})


def test_a_restored_incomplete_that_a_delivery_passes_over_is_gone() -> None:
    tracker = OffsetTracker(OffsetMap(5, 9, {5: 2, 7: 0}))
    assert deliver(tracker, 8) == [Delivery.DONE]
    assert tracker.commit_point == 9
    assert tracker.snapshot(is_open=True).incomplete == {}


def test_an_offset_that_finished_here_counts_when_it_is_delivered_again_and_not_before() -> None:
    tracker = OffsetTracker(OffsetMap(3, 3), LocalWork(finished={3, 5}))
    assert tracker.snapshot(is_open=False) == OffsetMap(3, 3)
    assert deliver(tracker, 3, 4, 5) == [Delivery.DONE, Delivery.NEW, Delivery.DONE]
    assert tracker.snapshot(is_open=False) == OffsetMap(4, 6, {4: 0})


def test_an_offset_that_still_runs_here_is_incomplete_and_not_run_again() -> None:
    tracker = OffsetTracker(OffsetMap(3, 3), LocalWork(running={3, 4}))
    assert not tracker.complete(4)
    assert deliver(tracker, 3, 4) == [Delivery.RUNNING, Delivery.DONE]
    assert tracker.commit_point == 3
    assert tracker.complete(3)
    assert tracker.commit_point == 5


def test_a_dropped_job_does_not_swallow_the_redelivery_of_its_offset() -> None:
    tracker = OffsetTracker(OffsetMap(3, 3), LocalWork(running={3}))
    tracker.forget(3)
    assert deliver(tracker, 3) == [Delivery.NEW]


def test_a_record_that_another_worker_finished_is_not_unfinished() -> None:
    tracker = OffsetTracker(OffsetMap(3, 6, {4: 0}), LocalWork(running={3, 4, 6}))
    assert [tracker.is_unfinished(offset) for offset in (2, 3, 4, 5, 6)] == [False, False, True, False, True]


def test_local_work_has_the_offsets_finished_since_the_last_commit_and_the_unfinished_ones() -> None:
    tracker = fresh()
    deliver(tracker, 0, 1, 2, 3)
    tracker.complete(0)
    tracker.complete(2)
    assert tracker.local_work(since=0) == LocalWork(finished={0, 2}, running={1, 3})


def test_an_attempt_is_in_the_open_map_and_taken_back_in_the_closed_one() -> None:
    tracker = OffsetTracker(OffsetMap(0, 2, {0: 1, 1: 0}))
    deliver(tracker, 0, 1, 2)
    tracker.record_attempt(0)
    tracker.record_attempt(2)
    assert tracker.snapshot(is_open=True).incomplete == {0: 2, 1: 0, 2: 1}
    assert tracker.snapshot(is_open=False).incomplete == {0: 1, 1: 0, 2: 0}
    tracker.withdraw_attempt(0)
    assert tracker.snapshot(is_open=True).incomplete == {0: 1, 1: 0, 2: 1}


def test_a_partition_is_quarantined_until_the_listed_attempts_and_the_first_records_are_done() -> None:
    tracker = OffsetTracker(OffsetMap(0, 1, {0: 1}))
    for offset in range(PROBATION):
        deliver(tracker, offset)
        assert tracker.suspects
        tracker.complete(offset)
    assert not tracker.suspects
    deliver(tracker, PROBATION)
    assert not tracker.suspects


def test_a_listed_attempt_keeps_the_partition_quarantined_until_it_is_done_or_gone() -> None:
    tracker = OffsetTracker(OffsetMap(0, 2001, {2000: 1}))
    tracker.suspects._probation = 0
    assert tracker.suspects
    deliver(tracker, 2001)
    assert not tracker.suspects


def test_a_closed_map_without_attempts_starts_no_quarantine() -> None:
    assert not OffsetTracker(OffsetMap(0, 5, {0: 0, 3: 0})).suspects


def test_the_window_of_a_delivery_is_counted_from_the_lowest_offset_that_would_be_incomplete() -> None:
    tracker = fresh()
    assert tracker.window(70_000) == 1
    deliver(tracker, 10)
    assert tracker.window(70_000) == 69_991
    restored = OffsetTracker(OffsetMap(0, 9, {0: 0, 8: 0}))
    assert restored.window(8) == 1
    assert restored.window(0) == 1
