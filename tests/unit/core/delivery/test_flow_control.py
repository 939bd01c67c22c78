"""Pauses: what a full partition or a full worker does, and when it goes on."""

from __future__ import annotations

from partitions_bench import acknowledge, deliver, owned, read, rebalance, written

from streamverify.core.delivery.flow_control import Pauses
from streamverify.core.delivery.load import AdmissionLimits
from streamverify.core.delivery.offset_map import OffsetMap


def test_finished_records_count_as_in_flight_until_the_commit_is_acknowledged() -> None:
    partitions = owned(p0=0)
    partitions.records.complete(deliver(partitions, 0, size=10).id)
    commit = partitions.commit()
    partitions.records.complete(deliver(partitions, 1, size=10).id)
    assert (partitions.flow.in_flight, partitions.flow.bytes) == (2, 20)
    assert commit is not None
    partitions.acknowledged(commit)
    assert (partitions.flow.in_flight, partitions.flow.bytes) == (1, 10)


def test_finished_records_of_a_commit_that_turns_out_to_have_arrived_do_not_count_for_ever() -> None:
    partitions = owned(p0=0)
    partitions.records.complete(deliver(partitions, 0).id)
    lost = partitions.commit()
    assert lost is not None
    partitions.failed(lost)
    rebalance(partitions, 0)
    assert partitions.restore(0, lost.points[0], 0).kept
    acknowledge(partitions)
    assert partitions.flow.in_flight == 0


def test_a_full_partition_takes_no_more_and_goes_on_at_half() -> None:
    partitions = owned(AdmissionLimits(records=4), p0=0, p1=0)
    records = [deliver(partitions, offset).id for offset in range(4)]
    assert partitions.flow.pauses() == Pauses(frozenset({0}), frozenset())
    assert deliver(partitions, 4).delivery is None
    assert deliver(partitions, 0, partition=1).is_new
    for record in records[:2]:
        partitions.records.complete(record)
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset())
    acknowledge(partitions)
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset({0}))
    assert deliver(partitions, 4).is_new


def test_a_record_too_far_from_the_lowest_incomplete_waits() -> None:
    partitions = owned(AdmissionLimits(window=100), p0=0)
    first = deliver(partitions, 0).id
    assert deliver(partitions, 100).delivery is None
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset())
    partitions.records.complete(first)
    acknowledge(partitions)
    assert partitions.flow.pauses().resume == {0}
    assert deliver(partitions, 100).is_new


def test_too_many_bytes_pause_their_partition_or_all() -> None:
    partitions = owned(AdmissionLimits(partition_bytes=10, worker_bytes=15), p0=0, p1=0)
    big = deliver(partitions, 0, size=12).id
    assert partitions.flow.pauses().pause == {0}
    assert deliver(partitions, 0, partition=1, size=4).delivery is None
    assert deliver(partitions, 0, partition=1, size=3).is_new
    partitions.records.complete(big)
    acknowledge(partitions)
    assert partitions.flow.pauses().resume == {0, 1}


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
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset())
    partitions.records.complete(record)
    acknowledge(partitions)
    assert partitions.flow.pauses().resume == {0}


def test_draining_nothing_is_resumed_and_everything_is_committed() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    partitions.flow.drain()
    partitions.records.complete(record)
    assert read(acknowledge(partitions)) == OffsetMap(1, 1, open=True)
    assert partitions.flow.pauses() == Pauses(frozenset(), frozenset())


def test_records_of_a_lost_partition_do_not_count_as_in_flight() -> None:
    partitions = owned(AdmissionLimits(records=2), p0=0)
    deliver(partitions, 0)
    deliver(partitions, 1)
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(0, 0)), 0)
    acknowledge(partitions)
    assert partitions.flow.in_flight == 0
    assert partitions.flow.pauses().resume == {0}
