"""Whose a record is, and what its attempts do to the commits."""

from __future__ import annotations

from partitions_bench import TOPIC, acknowledge, deliver, owned, read, rebalance, written

from streamverify.core.delivery.offset_map import OffsetMap
from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.delivery.partitions import Partitions


def test_a_record_that_another_worker_finished_is_no_longer_ours() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    acknowledge(partitions, closing=True)
    rebalance(partitions)
    rebalance(partitions, 0)
    partitions.restore(0, written(0, OffsetMap(5, 5)), 0)
    assert partitions.records.ownership(record) is Ownership.LOST


def test_between_revoke_and_assign_the_owner_of_a_record_is_unknown() -> None:
    partitions = owned(p0=0)
    record = deliver(partitions, 0).id
    assert partitions.records.ownership(record) is Ownership.OWNED
    partitions.revoke()
    assert partitions.records.ownership(record) is Ownership.UNKNOWN
    partitions.assign({0})
    assert partitions.records.ownership(record) is Ownership.UNKNOWN


def test_a_recorded_attempt_is_committed_and_named_in_the_commit() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, written(0, OffsetMap(0, 1, {0: 1}, open=True)), 0)
    acknowledge(partitions)
    admission = deliver(partitions, 0)
    assert (admission.worker_deaths, admission.quarantined) == (1, True)
    partitions.records.record_attempt(admission.id)
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
    partitions.records.record_attempt(record)
    acknowledge(partitions)
    last = acknowledge(partitions, closing=True)
    rebalance(partitions, 0)
    partitions.restore(0, last.points[0], 0)
    assert read(acknowledge(partitions)).incomplete == {0: 1}
    partitions.records.withdraw_attempt(record)
    assert read(acknowledge(partitions)).incomplete == {0: 0}
