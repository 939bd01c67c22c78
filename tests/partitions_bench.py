"""Partitions that own what a test says, and what was committed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.offset_map import OffsetMap, decode_map, encode_map
from streamverify.core.delivery.partitions import Commit, Partitions

if TYPE_CHECKING:
    from streamverify.core.delivery.load import AdmissionLimits
    from streamverify.core.delivery.partition_state import AdmissionOutcome

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
    assert owned.flow.pauses().resume == assigned.keys()
    return owned


def deliver(partitions: Partitions, offset: int, partition: int = 0, size: int = 1) -> AdmissionOutcome:
    admission = partitions.deliver(partition, offset, size)
    assert admission is not None
    return admission


def rebalance(partitions: Partitions, *assigned: int) -> frozenset[int]:
    partitions.revoke()
    return partitions.assign(assigned)
