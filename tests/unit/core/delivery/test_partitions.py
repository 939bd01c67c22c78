"""Partitions: assignments, restoring, commits and pauses."""

from __future__ import annotations

import pytest

from streamverify.core.delivery.offset_map import OffsetMap, decode_map, encode_map
from streamverify.core.delivery.offset_tracker import Delivery
from streamverify.core.delivery.partition_state import Admission, AdmissionLimits, Committed, Ownership, Restored
from streamverify.core.delivery.partitions import Commit, Partitions, Pauses
from streamverify.core.job import RecordId

TOPIC = "t"


def written(partition: int, offsets: OffsetMap) -> Committed:
    return Committed(offsets.base, encode_map(offsets, TOPIC, partition))


def read(commit: Commit | None, partition: int = 0) -> OffsetMap:
    assert commit is not None
    point = commit.points[partition]
    return decode_map(point.metadata, TOPIC, partition, point.offset)


def acknowledge(partitions: Partitions, *, closing: bool = False) -> Commit:
    commit = partitions.commit(closing=closing)
    assert commit is not None
    partitions.acknowledged(commit)
    return commit


def owned(limits: AdmissionLimits | None = None, **starts: int) -> Partitions:
    """A partitions that owns the partitions p0, p1, … from the given offsets, open and resumed."""
    owned = Partitions(TOPIC, limits)
    assigned = {int(name.removeprefix("p")): start for name, start in starts.items()}
    owned.assign(assigned)
    for partition, start in assigned.items():
        owned.restore(partition, None, start)
    acknowledge(owned)
    assert owned.pauses().resume == assigned.keys()
    return owned


def deliver(partitions: Partitions, offset: int, partition: int = 0, size: int = 1) -> Admission:
    admission = partitions.deliver(partition, offset, size)
    assert admission is not None
    return admission


def rebalance(partitions: Partitions, *assigned: int) -> frozenset[int]:
    partitions.revoke()
    return partitions.assign(assigned)


# --- assignments and restoring ------------------------------------------------------------------------------------


def test_a_record_of_a_partition_that_is_not_restored_is_not_taken() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    assert partitions.deliver(0, 0, 1) is None
    assert partitions.commit() is None


def test_the_first_commit_opens_the_map_before_the_partition_is_resumed() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, None, 7)
    assert partitions.pauses() == Pauses(frozenset(), frozenset())
    commit = acknowledge(partitions)
    assert read(commit) == OffsetMap(7, 7, open=True)
    assert partitions.pauses().resume == {0}


def test_the_closing_commit_closes_the_map_although_nothing_has_changed() -> None:
    partitions = owned(p0=7)
    assert read(partitions.commit(closing=True)) == OffsetMap(7, 7, open=False)


def test_nothing_is_committed_between_revoke_and_restore() -> None:
    partitions = owned(p0=0)
    deliver(partitions, 0)
    partitions.revoke()
    partitions.complete(RecordId(0, 0, 0))
    assert partitions.commit() is None
    assert partitions.commit(closing=True) is None
    partitions.assign({0})
    assert partitions.commit() is None
    assert partitions.deliver(0, 1, 1) is None


def test_a_partition_that_comes_back_unchanged_keeps_its_state_and_nothing_is_delivered_again() -> None:
    partitions = owned(p0=0)
    records = [deliver(partitions, offset).id for offset in range(3)]
    partitions.complete(records[1])
    last = acknowledge(partitions, closing=True)
    assert rebalance(partitions, 0) == frozenset()
    partitions.complete(records[2])
    assert partitions.restore(0, last.points[0], 0) == Restored(3, kept=True)
    assert read(acknowledge(partitions)) == OffsetMap(0, 3, {0: 0}, open=True)
    partitions.complete(records[0])
    assert read(partitions.commit()) == OffsetMap(3, 3, open=True)


def test_a_commit_whose_acknowledgement_was_lost_is_recognised() -> None:
    partitions = owned(p0=0)
    deliver(partitions, 0)
    commit = partitions.commit(closing=True)
    assert commit is not None
    partitions.failed(commit)
    rebalance(partitions, 0)
    assert partitions.restore(0, commit.points[0], 0).kept


def test_of_a_partition_that_comes_back_changed_running_jobs_are_not_run_again_and_queued_ones_are() -> None:
    partitions = owned(p0=0)
    records = [deliver(partitions, offset).id for offset in range(4)]
    acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    partitions.complete(records[2])
    restored = partitions.restore(0, written(0, OffsetMap(1, 1)), 0)
    assert (restored.position, restored.kept) == (1, False)
    partitions.forget(records[3])  # it was queued, and is dropped
    assert [deliver(partitions, offset).delivery for offset in (1, 2, 3)] == [
        Delivery.RUNNING,
        Delivery.DONE,
        Delivery.NEW,
    ]


def test_a_record_that_finished_after_the_last_acknowledged_commit_is_remembered_too() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    partitions.complete(record)
    commit = partitions.commit(closing=True)
    assert commit is not None
    partitions.failed(commit)
    rebalance(partitions, 0)
    # Another worker had it for a moment, and flagged its commit closed.
    assert partitions.restore(0, written(0, OffsetMap(0, 0)), 0) == Restored(0, kept=False)
    assert deliver(partitions, 0).delivery is Delivery.DONE


def test_a_lost_partition_remembers_its_running_jobs_until_it_comes_back() -> None:
    partitions = owned(p0=0, p1=0)
    running, other = deliver(partitions, 0).id, deliver(partitions, 1).id
    acknowledge(partitions, closing=True)
    assert rebalance(partitions, 1) == {0}
    assert partitions.in_flight == 0
    assert partitions.ownership(running) is Ownership.LOST
    partitions.complete(other)
    rebalance(partitions, 0, 1)
    assert partitions.ownership(running) is Ownership.UNKNOWN
    assert not partitions.restore(0, written(0, OffsetMap(0, 0)), 0).kept
    assert partitions.ownership(running) is Ownership.OWNED
    assert deliver(partitions, 0).delivery is Delivery.RUNNING
    assert deliver(partitions, 1).delivery is Delivery.DONE


def test_a_record_that_another_worker_finished_is_no_longer_ours() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    acknowledge(partitions, closing=True)
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(5, 5)), 0)
    assert partitions.ownership(record) is Ownership.LOST


def test_between_revoke_and_assign_the_owner_of_a_record_is_unknown() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    assert partitions.ownership(record) is Ownership.OWNED
    partitions.revoke()
    assert partitions.ownership(record) is Ownership.UNKNOWN
    partitions.assign({0})
    assert partitions.ownership(record) is Ownership.UNKNOWN


def test_a_delivery_below_the_commit_point_starts_a_new_epoch() -> None:
    partitions = owned(p0=10)
    old = deliver(partitions, 10).id
    admission = deliver(partitions, 3)
    assert admission.regressed_from == 11
    assert admission.is_new
    assert partitions.ownership(old) is Ownership.LOST
    partitions.complete(old)
    assert read(partitions.commit()) == OffsetMap(3, 3, open=True)
    assert [deliver(partitions, offset).delivery for offset in (4, 10)] == [Delivery.NEW, Delivery.NEW]
    assert partitions.in_flight == 3


@pytest.mark.parametrize("point", [None, written(0, OffsetMap(2, 2))])
def test_a_group_whose_offsets_were_reset_runs_everything_again(point: Committed | None) -> None:
    partitions = owned(p0=0)
    for offset in range(5):
        partitions.complete(deliver(partitions, offset).id)
    running = deliver(partitions, 5).id
    acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    restored = partitions.restore(0, point, 2)
    assert restored.regressed_from == 5
    assert partitions.ownership(running) is Ownership.LOST
    assert [deliver(partitions, offset).delivery for offset in range(2, 6)] == [Delivery.NEW] * 4


@pytest.mark.parametrize("metadata", ["committed by hand", encode_map(OffsetMap(4, 9, {4: 0}), "other", 0)])
def test_metadata_that_does_not_verify_costs_repeats_and_a_quarantine(metadata: str) -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    restored = partitions.restore(0, Committed(4, metadata), 0)
    assert restored.unreadable is not None
    assert restored.quarantined
    assert deliver(partitions, 8).is_new


def test_a_commit_without_metadata_starts_no_quarantine() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    assert partitions.restore(0, Committed(4, ""), 0) == Restored(4, kept=False)


def test_an_admission_says_where_skipped_offsets_begin() -> None:
    partitions = owned(p0=0)
    assert deliver(partitions, 0).skipped_from is None
    assert deliver(partitions, 5).skipped_from == 1


# --- commits --------------------------------------------------------------------------------------------------------


def test_only_changes_are_committed() -> None:
    partitions = owned(p0=5, p1=8)
    assert partitions.commit() is None
    record = deliver(partitions, 5).id
    assert partitions.commit() is None
    partitions.complete(record)
    commit = acknowledge(partitions)
    assert dict(commit.points) == {0: written(0, OffsetMap(6, 6, open=True))}
    assert partitions.commit() is None


def test_a_commit_that_failed_is_due_again() -> None:
    partitions = owned(p0=0)
    partitions.complete(deliver(partitions, 0).id)
    first = partitions.commit()
    assert first is not None
    assert not partitions.commit_is_due
    partitions.failed(first)
    assert partitions.commit_is_due
    again = partitions.commit()
    assert again is not None
    assert dict(first.points) == dict(again.points)
    assert partitions.in_flight == 1


def test_finished_records_count_as_in_flight_until_the_commit_is_acknowledged() -> None:
    partitions = owned(p0=0)
    partitions.complete(deliver(partitions, 0, size=10).id)
    commit = partitions.commit()
    partitions.complete(deliver(partitions, 1, size=10).id)
    assert (partitions.in_flight, partitions.bytes) == (2, 20)
    assert commit is not None
    partitions.acknowledged(commit)
    assert (partitions.in_flight, partitions.bytes) == (1, 10)


def test_finished_records_of_a_commit_that_turns_out_to_have_arrived_do_not_count_for_ever() -> None:
    partitions = owned(p0=0)
    partitions.complete(deliver(partitions, 0).id)
    lost = partitions.commit()
    assert lost is not None
    partitions.failed(lost)
    rebalance(partitions, 0)
    assert partitions.restore(0, lost.points[0], 0).kept
    acknowledge(partitions)
    assert partitions.in_flight == 0


def test_a_late_acknowledgement_changes_nothing_of_a_restored_partition() -> None:
    partitions = owned(p0=0)
    partitions.complete(deliver(partitions, 0).id)
    commit = partitions.commit()
    assert commit is not None
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(0, 0)), 0)
    deliver(partitions, 1)
    partitions.acknowledged(commit)
    assert partitions.in_flight == 1


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_a_full_partition_takes_no_more_and_goes_on_at_half() -> None:
    partitions = owned(AdmissionLimits(records=4), p0=0, p1=0)
    records = [deliver(partitions, offset).id for offset in range(4)]
    assert partitions.pauses() == Pauses(frozenset({0}), frozenset())
    assert deliver(partitions, 4).delivery is None
    assert deliver(partitions, 0, partition=1).is_new
    for record in records[:2]:
        partitions.complete(record)
    assert partitions.pauses() == Pauses(frozenset(), frozenset())
    acknowledge(partitions)
    assert partitions.pauses() == Pauses(frozenset(), frozenset({0}))
    assert deliver(partitions, 4).is_new


def test_a_record_too_far_from_the_lowest_incomplete_waits() -> None:
    partitions = owned(AdmissionLimits(window=100), p0=0)
    first = deliver(partitions, 0).id
    assert deliver(partitions, 100).delivery is None
    assert partitions.pauses() == Pauses(frozenset(), frozenset())
    partitions.complete(first)
    acknowledge(partitions)
    assert partitions.pauses().resume == {0}
    assert deliver(partitions, 100).is_new


def test_too_many_bytes_pause_their_partition_or_all() -> None:
    partitions = owned(AdmissionLimits(partition_bytes=10, worker_bytes=15), p0=0, p1=0)
    big = deliver(partitions, 0, size=12).id
    assert partitions.pauses().pause == {0}
    assert deliver(partitions, 0, partition=1, size=4).delivery is None
    assert deliver(partitions, 0, partition=1, size=3).is_new
    partitions.complete(big)
    acknowledge(partitions)
    assert partitions.pauses().resume == {0, 1}


def test_a_worker_that_is_full_takes_no_more_of_any_partition() -> None:
    partitions = owned(AdmissionLimits(worker_records=2), p0=0, p1=0)
    deliver(partitions, 0)
    deliver(partitions, 0, partition=1)
    assert deliver(partitions, 1).delivery is None
    assert deliver(partitions, 1, partition=1).delivery is None


def test_a_record_larger_than_every_limit_is_admitted_when_nothing_else_is_in_flight() -> None:
    partitions = owned(AdmissionLimits(partition_bytes=10, worker_bytes=10), p0=0)
    assert deliver(partitions, 0, size=100).is_new


def test_pauses_are_reapplied_after_a_rebalance() -> None:
    partitions = owned(AdmissionLimits(records=2), p0=0)
    record, _ = deliver(partitions, 0).id, deliver(partitions, 1)
    last = acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    partitions.restore(0, last.points[0], 0)
    acknowledge(partitions)
    assert partitions.pauses() == Pauses(frozenset(), frozenset())
    partitions.complete(record)
    acknowledge(partitions)
    assert partitions.pauses().resume == {0}


def test_draining_nothing_is_resumed_and_everything_is_committed() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    partitions.drain()
    partitions.complete(record)
    assert read(acknowledge(partitions)) == OffsetMap(1, 1, open=True)
    assert partitions.pauses() == Pauses(frozenset(), frozenset())


def test_records_of_a_lost_partition_do_not_count_as_in_flight() -> None:
    partitions = owned(AdmissionLimits(records=2), p0=0)
    deliver(partitions, 0)
    deliver(partitions, 1)
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(0, 0)), 0)
    acknowledge(partitions)
    assert partitions.in_flight == 0
    assert partitions.pauses().resume == {0}


# --- poison ---------------------------------------------------------------------------------------------------------


def test_a_recorded_attempt_is_committed_and_named_in_the_commit() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, written(0, OffsetMap(0, 1, {0: 1}, open=True)), 0)
    acknowledge(partitions)
    admission = deliver(partitions, 0)
    assert (admission.attempts, admission.quarantined) == (1, True)
    partitions.record_attempt(admission.id)
    commit = acknowledge(partitions)
    assert commit.attempts == {admission.id}
    assert read(commit).incomplete == {0: 2}
    closing = acknowledge(partitions, closing=True)
    assert read(closing) == OffsetMap(0, 1, {0: 1})
    assert closing.attempts == frozenset()


def test_a_job_that_runs_over_a_rebalance_has_its_attempt_back_in_the_next_open_map() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, written(0, OffsetMap(0, 0, open=True)), 0)
    record = deliver(partitions, 0).id
    partitions.record_attempt(record)
    acknowledge(partitions)
    last = acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    partitions.restore(0, last.points[0], 0)
    assert read(acknowledge(partitions)).incomplete == {0: 1}
    partitions.withdraw_attempt(record)
    assert read(acknowledge(partitions)).incomplete == {0: 0}


def test_quarantined_partitions_are_listed() -> None:
    partitions = owned(p0=0)
    assert partitions.quarantined() == frozenset()
    partitions.assign({0, 1})
    partitions.restore(1, written(1, OffsetMap(0, 0, open=True)), 0)
    assert partitions.quarantined() == {1}
