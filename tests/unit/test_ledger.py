"""Ledger: assignments, restoring, commits and pauses."""

from __future__ import annotations

import pytest

from streamverify.core.ledger import Admission, Commit, Committed, Ledger, Limits, Pauses, Place, Restored, Standing
from streamverify.core.offset_map import OffsetMap, decode_map, encode_map
from streamverify.core.offsets import Delivery

TOPIC = "t"


def written(partition: int, offsets: OffsetMap) -> Committed:
    return Committed(offsets.base, encode_map(offsets, TOPIC, partition))


def read(commit: Commit | None, partition: int = 0) -> OffsetMap:
    assert commit is not None
    point = commit.points[partition]
    return decode_map(point.metadata, TOPIC, partition, point.offset)


def acknowledge(ledger: Ledger, *, closing: bool = False) -> Commit:
    commit = ledger.commit(closing=closing)
    assert commit is not None
    ledger.acknowledged(commit)
    return commit


def owned(limits: Limits | None = None, **starts: int) -> Ledger:
    """A ledger that owns the partitions p0, p1, … from the given offsets, open and resumed."""
    ledger = Ledger(TOPIC, limits)
    partitions = {int(name.removeprefix("p")): start for name, start in starts.items()}
    ledger.assign(partitions)
    for partition, start in partitions.items():
        ledger.restore(partition, None, start)
    acknowledge(ledger)
    assert ledger.pauses().resume == partitions.keys()
    return ledger


def deliver(ledger: Ledger, offset: int, partition: int = 0, size: int = 1) -> Admission:
    admission = ledger.deliver(partition, offset, size)
    assert admission is not None
    return admission


def rebalance(ledger: Ledger, *partitions: int) -> frozenset[int]:
    ledger.revoke()
    return ledger.assign(partitions)


# --- assignments and restoring ------------------------------------------------------------------------------------


def test_a_record_of_a_partition_that_is_not_restored_is_not_taken() -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    assert ledger.deliver(0, 0, 1) is None
    assert ledger.commit() is None


def test_the_first_commit_opens_the_map_before_the_partition_is_resumed() -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    ledger.restore(0, None, 7)
    assert ledger.pauses() == Pauses(frozenset(), frozenset())
    commit = acknowledge(ledger)
    assert read(commit) == OffsetMap(7, 7, open=True)
    assert ledger.pauses().resume == {0}


def test_the_closing_commit_closes_the_map_although_nothing_has_changed() -> None:
    ledger = owned(p0=7)
    assert read(ledger.commit(closing=True)) == OffsetMap(7, 7, open=False)


def test_nothing_is_committed_between_revoke_and_restore() -> None:
    ledger = owned(p0=0)
    deliver(ledger, 0)
    ledger.revoke()
    ledger.complete(Place(0, 0, 0))
    assert ledger.commit() is None
    assert ledger.commit(closing=True) is None
    ledger.assign({0})
    assert ledger.commit() is None
    assert ledger.deliver(0, 1, 1) is None


def test_given_back_unchanged_the_tracker_is_kept_and_nothing_is_delivered_again() -> None:
    ledger = owned(p0=0)
    places = [deliver(ledger, offset).place for offset in range(3)]
    ledger.complete(places[1])
    last = acknowledge(ledger, closing=True)
    assert rebalance(ledger, 0) == frozenset()
    ledger.complete(places[2])
    assert ledger.restore(0, last.points[0], 0) == Restored(3, kept=True)
    assert read(acknowledge(ledger)) == OffsetMap(0, 3, {0: 0}, open=True)
    ledger.complete(places[0])
    assert read(ledger.commit()) == OffsetMap(3, 3, open=True)


def test_a_commit_whose_acknowledgement_was_lost_is_recognised() -> None:
    ledger = owned(p0=0)
    deliver(ledger, 0)
    commit = ledger.commit(closing=True)
    assert commit is not None
    ledger.failed(commit)
    rebalance(ledger, 0)
    assert ledger.restore(0, commit.points[0], 0).kept


def test_given_back_changed_what_runs_here_is_not_run_again_and_what_was_queued_is() -> None:
    ledger = owned(p0=0)
    places = [deliver(ledger, offset).place for offset in range(4)]
    acknowledge(ledger, closing=True)
    rebalance(ledger, 0)
    ledger.complete(places[2])
    restored = ledger.restore(0, written(0, OffsetMap(1, 1)), 0)
    assert (restored.position, restored.kept) == (1, False)
    ledger.forget(places[3])  # it was queued, and is dropped
    assert [deliver(ledger, offset).delivery for offset in (1, 2, 3)] == [
        Delivery.RUNNING,
        Delivery.DONE,
        Delivery.NEW,
    ]


def test_what_finished_after_the_last_acknowledged_commit_is_remembered_too() -> None:
    ledger = owned(p0=0)
    place = deliver(ledger, 0).place
    ledger.complete(place)
    commit = ledger.commit(closing=True)
    assert commit is not None
    ledger.failed(commit)
    rebalance(ledger, 0)
    # Another worker had it for a moment, and flagged its commit closed.
    assert ledger.restore(0, written(0, OffsetMap(0, 0)), 0) == Restored(0, kept=False)
    assert deliver(ledger, 0).delivery is Delivery.DONE


def test_a_lost_partition_keeps_what_runs_for_the_day_that_it_comes_back() -> None:
    ledger = owned(p0=0, p1=0)
    running, other = deliver(ledger, 0).place, deliver(ledger, 1).place
    acknowledge(ledger, closing=True)
    assert rebalance(ledger, 1) == {0}
    assert ledger.in_flight == 0
    assert ledger.standing(running) is Standing.GONE
    ledger.complete(other)
    rebalance(ledger, 0, 1)
    assert ledger.standing(running) is Standing.UNDECIDED
    assert not ledger.restore(0, written(0, OffsetMap(0, 0)), 0).kept
    assert ledger.standing(running) is Standing.OURS
    assert deliver(ledger, 0).delivery is Delivery.RUNNING
    assert deliver(ledger, 1).delivery is Delivery.DONE


def test_what_another_worker_has_finished_is_nothing_to_us_any_more() -> None:
    ledger = owned(p0=0)
    place = deliver(ledger, 0).place
    acknowledge(ledger, closing=True)
    rebalance(ledger)
    rebalance(ledger, 0)
    ledger.restore(0, written(0, OffsetMap(5, 5)), 0)
    assert ledger.standing(place) is Standing.GONE


def test_between_revoke_and_assign_nobody_knows_whose_a_record_is() -> None:
    ledger = owned(p0=0)
    place = deliver(ledger, 0).place
    assert ledger.standing(place) is Standing.OURS
    ledger.revoke()
    assert ledger.standing(place) is Standing.UNDECIDED
    ledger.assign({0})
    assert ledger.standing(place) is Standing.UNDECIDED


def test_a_delivery_below_the_commit_point_drops_the_map() -> None:
    ledger = owned(p0=10)
    old = deliver(ledger, 10).place
    admission = deliver(ledger, 3)
    assert admission.reset
    assert admission.is_new
    assert ledger.standing(old) is Standing.GONE
    ledger.complete(old)
    assert read(ledger.commit()) == OffsetMap(3, 3, open=True)
    assert [deliver(ledger, offset).delivery for offset in (4, 10)] == [Delivery.NEW, Delivery.NEW]
    assert ledger.in_flight == 3


@pytest.mark.parametrize("point", [None, written(0, OffsetMap(2, 2))])
def test_a_group_that_was_set_back_runs_everything_again(point: Committed | None) -> None:
    ledger = owned(p0=0)
    for offset in range(5):
        ledger.complete(deliver(ledger, offset).place)
    running = deliver(ledger, 5).place
    acknowledge(ledger, closing=True)
    rebalance(ledger, 0)
    restored = ledger.restore(0, point, 2)
    assert restored.set_back
    assert ledger.standing(running) is Standing.GONE
    assert [deliver(ledger, offset).delivery for offset in range(2, 6)] == [Delivery.NEW] * 4


@pytest.mark.parametrize("metadata", ["committed by hand", encode_map(OffsetMap(4, 9, {4: 0}), "other", 0)])
def test_metadata_that_does_not_verify_costs_repeats_and_care(metadata: str) -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    restored = ledger.restore(0, Committed(4, metadata), 0)
    assert restored.unreadable is not None
    assert restored.careful
    assert deliver(ledger, 8).is_new


def test_without_metadata_nobody_died() -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    assert ledger.restore(0, Committed(4, ""), 0) == Restored(4, kept=False)


def test_offsets_passed_over_are_told() -> None:
    ledger = owned(p0=0)
    assert deliver(ledger, 0).skipped_from is None
    assert deliver(ledger, 5).skipped_from == 1


# --- commits --------------------------------------------------------------------------------------------------------


def test_only_changes_are_committed() -> None:
    ledger = owned(p0=5, p1=8)
    assert ledger.commit() is None
    place = deliver(ledger, 5).place
    assert ledger.commit() is None
    ledger.complete(place)
    commit = acknowledge(ledger)
    assert dict(commit.points) == {0: written(0, OffsetMap(6, 6, open=True))}
    assert ledger.commit() is None


def test_a_commit_that_failed_is_due_again() -> None:
    ledger = owned(p0=0)
    ledger.complete(deliver(ledger, 0).place)
    first = ledger.commit()
    assert first is not None
    assert not ledger.commit_is_due
    ledger.failed(first)
    assert ledger.commit_is_due
    again = ledger.commit()
    assert again is not None
    assert dict(first.points) == dict(again.points)
    assert ledger.in_flight == 1


def test_finished_records_count_as_in_flight_until_the_commit_is_acknowledged() -> None:
    ledger = owned(p0=0)
    ledger.complete(deliver(ledger, 0, size=10).place)
    commit = ledger.commit()
    ledger.complete(deliver(ledger, 1, size=10).place)
    assert (ledger.in_flight, ledger.bytes) == (2, 20)
    assert commit is not None
    ledger.acknowledged(commit)
    assert (ledger.in_flight, ledger.bytes) == (1, 10)


def test_finished_records_of_a_commit_that_turns_out_to_have_arrived_do_not_count_for_ever() -> None:
    ledger = owned(p0=0)
    ledger.complete(deliver(ledger, 0).place)
    lost = ledger.commit()
    assert lost is not None
    ledger.failed(lost)
    rebalance(ledger, 0)
    assert ledger.restore(0, lost.points[0], 0).kept
    acknowledge(ledger)
    assert ledger.in_flight == 0


def test_a_late_acknowledgement_changes_nothing_of_a_new_tracker() -> None:
    ledger = owned(p0=0)
    ledger.complete(deliver(ledger, 0).place)
    commit = ledger.commit()
    assert commit is not None
    rebalance(ledger)
    rebalance(ledger, 0)
    ledger.restore(0, written(0, OffsetMap(0, 0)), 0)
    deliver(ledger, 1)
    ledger.acknowledged(commit)
    assert ledger.in_flight == 1


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_a_full_partition_takes_no_more_and_goes_on_at_half() -> None:
    ledger = owned(Limits(records=4), p0=0, p1=0)
    places = [deliver(ledger, offset).place for offset in range(4)]
    assert ledger.pauses() == Pauses(frozenset({0}), frozenset())
    assert deliver(ledger, 4).delivery is None
    assert deliver(ledger, 0, partition=1).is_new
    for place in places[:2]:
        ledger.complete(place)
    assert ledger.pauses() == Pauses(frozenset(), frozenset())
    acknowledge(ledger)
    assert ledger.pauses() == Pauses(frozenset(), frozenset({0}))
    assert deliver(ledger, 4).is_new


def test_a_record_too_far_from_the_lowest_incomplete_waits() -> None:
    ledger = owned(Limits(window=100), p0=0)
    first = deliver(ledger, 0).place
    assert deliver(ledger, 100).delivery is None
    assert ledger.pauses() == Pauses(frozenset(), frozenset())
    ledger.complete(first)
    acknowledge(ledger)
    assert ledger.pauses().resume == {0}
    assert deliver(ledger, 100).is_new


def test_too_many_bytes_pause_their_partition_or_all() -> None:
    ledger = owned(Limits(partition_bytes=10, worker_bytes=15), p0=0, p1=0)
    big = deliver(ledger, 0, size=12).place
    assert ledger.pauses().pause == {0}
    assert deliver(ledger, 0, partition=1, size=4).delivery is None
    assert deliver(ledger, 0, partition=1, size=3).is_new
    ledger.complete(big)
    acknowledge(ledger)
    assert ledger.pauses().resume == {0, 1}


def test_a_worker_that_is_full_takes_no_more_of_any_partition() -> None:
    ledger = owned(Limits(worker_records=2), p0=0, p1=0)
    deliver(ledger, 0)
    deliver(ledger, 0, partition=1)
    assert deliver(ledger, 1).delivery is None
    assert deliver(ledger, 1, partition=1).delivery is None


def test_one_record_larger_than_every_limit_is_taken_where_nothing_else_is_in_flight() -> None:
    ledger = owned(Limits(partition_bytes=10, worker_bytes=10), p0=0)
    assert deliver(ledger, 0, size=100).is_new


def test_pauses_are_reapplied_after_a_rebalance() -> None:
    ledger = owned(Limits(records=2), p0=0)
    place, _ = deliver(ledger, 0).place, deliver(ledger, 1)
    last = acknowledge(ledger, closing=True)
    rebalance(ledger, 0)
    ledger.restore(0, last.points[0], 0)
    acknowledge(ledger)
    assert ledger.pauses() == Pauses(frozenset(), frozenset())
    ledger.complete(place)
    acknowledge(ledger)
    assert ledger.pauses().resume == {0}


def test_draining_nothing_is_resumed_and_everything_is_committed() -> None:
    ledger = owned(p0=0)
    place = deliver(ledger, 0).place
    ledger.drain()
    ledger.complete(place)
    assert read(acknowledge(ledger)) == OffsetMap(1, 1, open=True)
    assert ledger.pauses() == Pauses(frozenset(), frozenset())


def test_stale_items_are_no_load() -> None:
    ledger = owned(Limits(records=2), p0=0)
    deliver(ledger, 0)
    deliver(ledger, 1)
    rebalance(ledger)
    rebalance(ledger, 0)
    ledger.restore(0, written(0, OffsetMap(0, 0)), 0)
    acknowledge(ledger)
    assert ledger.in_flight == 0
    assert ledger.pauses().resume == {0}


# --- poison ---------------------------------------------------------------------------------------------------------


def test_a_mark_is_committed_and_told() -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    ledger.restore(0, written(0, OffsetMap(0, 1, {0: 1}, open=True)), 0)
    acknowledge(ledger)
    admission = deliver(ledger, 0)
    assert (admission.attempts, admission.careful) == (1, True)
    ledger.mark(admission.place)
    commit = acknowledge(ledger)
    assert commit.marked == {admission.place}
    assert read(commit).incomplete == {0: 2}
    closing = acknowledge(ledger, closing=True)
    assert read(closing) == OffsetMap(0, 1, {0: 1})
    assert closing.marked == frozenset()


def test_a_job_that_runs_over_a_rebalance_has_its_attempt_back_in_the_next_open_map() -> None:
    ledger = Ledger(TOPIC)
    ledger.assign({0})
    ledger.restore(0, written(0, OffsetMap(0, 0, open=True)), 0)
    place = deliver(ledger, 0).place
    ledger.mark(place)
    acknowledge(ledger)
    last = acknowledge(ledger, closing=True)
    rebalance(ledger, 0)
    ledger.restore(0, last.points[0], 0)
    assert read(acknowledge(ledger)).incomplete == {0: 1}
    ledger.unmark(place)
    assert read(acknowledge(ledger)).incomplete == {0: 0}


def test_careful_partitions_are_told() -> None:
    ledger = owned(p0=0)
    assert ledger.careful_partitions() == frozenset()
    ledger.assign({0, 1})
    ledger.restore(1, written(1, OffsetMap(0, 0, open=True)), 0)
    assert ledger.careful_partitions() == {1}
