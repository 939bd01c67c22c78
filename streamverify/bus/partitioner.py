"""The partitioner of every producer of requests, in the form that aiokafka asks for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from streamverify.core.partitioning import Affinity, is_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class AffinityPartitioner:
    """For `AIOKafkaProducer(partitioner=...)`: by header where the key is a fingerprint, else wherever least was sent.

    One for each producer, as it counts what that producer sends.
    """

    def __init__(self, start: Callable[[], float] = random.random) -> None:
        """`start`: what each partition's count begins with, below 1; default: by chance."""
        self._affinity = Affinity(start)

    def took(self, key: bytes, seconds: float) -> None:
        """A proof with this key took Lean so long: who reads the results may say so, and nobody has to."""
        self._affinity.took(key, seconds)

    def __call__(self, key: bytes | None, all_partitions: Collection[int], available: Collection[int]) -> int:
        """The partition of a record with this key; `available` are the partitions that have a leader.

        Kafka numbers the partitions of a topic from 0 without gaps, so how many there are says which.
        """
        return self._affinity.choose(key if is_fingerprint(key) else None, len(all_partitions), available)
