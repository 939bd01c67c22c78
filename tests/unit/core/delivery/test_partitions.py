"""Partitions: assignments, restoring, commits and pauses."""

from __future__ import annotations

import pytest
from partitions_bench import TOPIC, acknowledge, deliver, owned, read, rebalance, written

from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.flow_control import Pauses
from streamverify.core.delivery.offset_map import OffsetMap, encode_map
from streamverify.core.delivery.offset_tracker import Delivery
from streamverify.core.delivery.partition_state import Ownership, Restored
from streamverify.core.delivery.partitions import Partitions
from streamverify.core.job import RecordId

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
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset())
    commit = acknowledge(partitions)
    assert read(commit) == OffsetMap(7, 7, open=True)
    assert partitions.flow.pauses().resume == {0}


def test_the_closing_commit_closes_the_map_although_nothing_has_changed() -> None:
    partitions = owned(p0=7)
    assert read(partitions.commit(closing=True)) == OffsetMap(7, 7, open=False)


def test_nothing_is_committed_between_revoke_and_restore() -> None:
    partitions = owned(p0=0)
    deliver(partitions, 0)
    partitions.revoke()
    partitions.records.complete(RecordId(0, 0, 0))
    assert partitions.commit() is None
    assert partitions.commit(closing=True) is None
    partitions.assign({0})
    assert partitions.commit() is None
    assert partitions.deliver(0, 1, 1) is None


def test_a_partition_that_comes_back_unchanged_keeps_its_state_and_nothing_is_delivered_again() -> None:
    partitions = owned(p0=0)
    records = [deliver(partitions, offset).id for offset in range(3)]
    partitions.records.complete(records[1])
    last = acknowledge(partitions, closing=True)
    assert rebalance(partitions, 0) == frozenset()
    partitions.records.complete(records[2])
    assert partitions.restore(0, last.points[0], 0) == Restored(3, kept=True)
    assert read(acknowledge(partitions)) == OffsetMap(0, 3, {0: 0}, open=True)
    partitions.records.complete(records[0])
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
    partitions.records.complete(records[2])
    restored = partitions.restore(0, written(0, OffsetMap(1, 1)), 0)
    assert (restored.position, restored.kept) == (1, False)
    partitions.records.forget(records[3])  # it was queued, and is dropped
    assert [deliver(partitions, offset).delivery for offset in (1, 2, 3)] == [
        Delivery.RUNNING,
        Delivery.DONE,
        Delivery.NEW,
    ]


def test_a_record_that_finished_after_the_last_acknowledged_commit_is_remembered_too() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    partitions.records.complete(record)
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
    assert partitions.flow.in_flight == 0
    assert partitions.records.ownership(running) is Ownership.LOST
    partitions.records.complete(other)
    rebalance(partitions, 0, 1)
    assert partitions.records.ownership(running) is Ownership.UNKNOWN
    assert not partitions.restore(0, written(0, OffsetMap(0, 0)), 0).kept
    assert partitions.records.ownership(running) is Ownership.OWNED
    assert deliver(partitions, 0).delivery is Delivery.RUNNING
    assert deliver(partitions, 1).delivery is Delivery.DONE


def test_a_delivery_below_the_commit_point_starts_a_new_epoch() -> None:
    partitions = owned(p0=10)
    old = deliver(partitions, 10).id
    admission = deliver(partitions, 3)
    assert admission.regressed_from == 11
    assert admission.is_new
    assert partitions.records.ownership(old) is Ownership.LOST
    partitions.records.complete(old)
    assert read(partitions.commit()) == OffsetMap(3, 3, open=True)
    assert [deliver(partitions, offset).delivery for offset in (4, 10)] == [Delivery.NEW, Delivery.NEW]
    assert partitions.flow.in_flight == 3


@pytest.mark.parametrize("point", [None, written(0, OffsetMap(2, 2))])
def test_a_group_whose_offsets_were_reset_runs_everything_again(point: Committed | None) -> None:
    partitions = owned(p0=0)
    for offset in range(5):
        partitions.records.complete(deliver(partitions, offset).id)
    running = deliver(partitions, 5).id
    acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    restored = partitions.restore(0, point, 2)
    assert restored.regressed_from == 5
    assert partitions.records.ownership(running) is Ownership.LOST
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
    partitions.records.complete(record)
    commit = acknowledge(partitions)
    assert dict(commit.points) == {0: written(0, OffsetMap(6, 6, open=True))}
    assert partitions.commit() is None


def test_a_commit_that_failed_is_due_again() -> None:
    partitions = owned(p0=0)
    partitions.records.complete(deliver(partitions, 0).id)
    first = partitions.commit()
    assert first is not None
    assert not partitions.commit_is_due
    partitions.failed(first)
    assert partitions.commit_is_due
    again = partitions.commit()
    assert again is not None
    assert dict(first.points) == dict(again.points)
    assert partitions.flow.in_flight == 1


def test_a_late_acknowledgement_changes_nothing_of_a_restored_partition() -> None:
    partitions = owned(p0=0)
    partitions.records.complete(deliver(partitions, 0).id)
    commit = partitions.commit()
    assert commit is not None
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(0, 0)), 0)
    deliver(partitions, 1)
    partitions.acknowledged(commit)
    assert partitions.flow.in_flight == 1


# --- pauses ---------------------------------------------------------------------------------------------------------


# --- poison ---------------------------------------------------------------------------------------------------------


def test_quarantined_partitions_are_listed() -> None:
    partitions = owned(p0=0)
    assert partitions.quarantined() == frozenset()
    partitions.assign({0, 1})
    partitions.restore(1, written(1, OffsetMap(0, 0, open=True)), 0)
    assert partitions.quarantined() == {1}
