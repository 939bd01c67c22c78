"""The partitioner of every producer of requests, in the form that aiokafka asks for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from streamverify.core.partitioning import Affinity, is_fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_HEADER = b""
_STARTS = 1 << 20


class AffinityPartitioner:
    """For `AIOKafkaProducer(partitioner=...)`: by header where the key is a fingerprint, else in turn.

    One for each producer, as it counts what that producer sends.
    """

    def __init__(self, start: int | None = None) -> None:
        """`start`: where turns begin; default: anywhere."""
        self._affinity = Affinity(
            random.randrange(_STARTS) if start is None else start  # noqa: S311 - spreads load, keeps no secret
        )

    def __call__(self, key: bytes | None, all_partitions: Sequence[int], available: Sequence[int]) -> int:
        """The partition of a record with this key; `available` are the partitions that have a leader."""
        partitions = sorted(all_partitions)
        reachable = sorted(available)
        if key is None or not is_fingerprint(key):
            return self._affinity.next_in_turn(_NO_HEADER, reachable or partitions)
        return self._affinity.choose(key, partitions, reachable)
