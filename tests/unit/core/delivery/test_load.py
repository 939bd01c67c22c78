"""When a partition is full, and when it has room again."""

from __future__ import annotations

from streamverify.core.delivery.load import AdmissionLimits, PartitionLoad


def test_a_finished_record_counts_until_its_commit_is_acknowledged() -> None:
    load = PartitionLoad(AdmissionLimits(records=2))
    load.admit(0, 10)
    load.admit(1, 20)
    load.finish(0)
    assert (load.records, load.bytes, load.finished, load.finished_bytes) == (2, 30, 1, 10)
    assert load.is_full
    assert not load.has_room_for(1)
    load.release(1, 10)
    assert (load.records, load.bytes, load.finished, load.finished_bytes) == (1, 20, 0, 0)
    assert load.is_half_empty


def test_the_only_record_has_room_whatever_its_size() -> None:
    load = PartitionLoad(AdmissionLimits(partition_bytes=10))
    assert load.has_room_for(100)
    load.admit(0, 100)
    assert load.is_full
    assert not load.has_room_for(1)
