"""Which partition a proof goes to: a hot header to all of them in turn, every other one always to the same.

`docs/partitioning.md` says why; `schemas/partitioner.md` is the specification for producers in other languages, and
`schemas/partitioner.vectors.json` what they can test theirs with. Knows nothing of Kafka but that the partitions of
a topic are numbered from 0.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from streamverify.core.errors import HeaderError
from streamverify.core.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTERS = 1024
"""Headers that are counted at once. An undercount of at most 1/1025 of what was seen: with up to 100 partitions every
header is found hot that has a quarter more than its share."""

WINDOW = 16_384
"""Records after which everything counted is halved: what was hot an hour ago does not stay so."""

_FINGERPRINT = re.compile(rb"[0-9a-f]{32}")
_REMEMBERED = 4096


def affinity_key(proof: str) -> bytes:
    """The key of a proof's record: its header's fingerprint, as 32 hexadecimal digits in ASCII.

    A header that is no Lean gets that of a blank one: whoever answers it needs no Lean for that.
    """
    try:
        return parse_header(proof).fingerprint.encode("ascii")
    except HeaderError:
        return BLANK


def is_fingerprint(key: bytes | None) -> bool:
    """Whether a record's key is what `affinity_key` makes."""
    return key is not None and _FINGERPRINT.fullmatch(key) is not None


@lru_cache(maxsize=_REMEMBERED)
def rendezvous(key: bytes, partitions: int) -> int:
    """The partition with the greatest SHA-256(key, then the partition as 4 bytes, big-endian); digests as numbers.

    Rendezvous hashing (Thaler and Ravishankar, 1998): of n partitions each gets its n-th part of the headers, and
    where partitions are added only the headers that those win move.
    """
    return max(range(partitions), key=lambda number: hashlib.sha256(key + number.to_bytes(4, "big")).digest())


class RecentCounts:
    """How often each of the most frequent keys was seen of late, in bounded space (Misra and Gries, 1982).

    A count is never too high. It is too low by at most `total / (counters + 1)`, and by 1 for each halving.
    """

    def __init__(self, counters: int = COUNTERS, window: int = WINDOW) -> None:
        self._counters = counters
        self._window = window
        self._counts: dict[bytes, int] = {}
        self.total = 0

    def add(self, key: bytes) -> int:
        """Count one more; what is known of `key` now."""
        self.total += 1
        counts = self._counts
        if key in counts or len(counts) < self._counters:
            counts[key] = counts.get(key, 0) + 1
        else:
            self._counts = {other: count - 1 for other, count in counts.items() if count > 1}
        if self.total >= self._window:
            self._halve()
        return self._counts.get(key, 0)

    def __len__(self) -> int:
        return len(self._counts)

    def _halve(self) -> None:
        self.total //= 2
        self._counts = {key: count // 2 for key, count in self._counts.items() if count > 1}


class Affinity:
    """The decision. Each producer has its own, and what it has sent is all that it goes by."""

    def __init__(self, start: int = 0, counts: RecentCounts | None = None) -> None:
        """`start` is where turns begin: a random number keeps many producers from filling the same partition."""
        self._start = start
        self._counts = RecentCounts() if counts is None else counts
        self._turns: dict[bytes, int] = {}

    def choose(self, key: bytes, partitions: Sequence[int], reachable: Sequence[int]) -> int:
        """The partition for one record.

        Args:
            key: What `affinity_key` made of its proof.
            partitions: All partitions of the topic, in ascending order.
            reachable: Those that have a leader; a hot header need not wait for the others.
        """
        if self._is_hot(key, len(partitions)):
            return self.next_in_turn(key, reachable or partitions)
        return partitions[rendezvous(key, len(partitions))]

    def next_in_turn(self, key: bytes, partitions: Sequence[int]) -> int:
        """One partition after the other, for each key on its own: two keys that alternate both get around."""
        if key not in self._turns and len(self._turns) >= COUNTERS:
            self._turns.clear()
        turn = self._turns.get(key, self._start + len(self._turns))
        self._turns[key] = turn + 1
        return partitions[turn % len(partitions)]

    def _is_hot(self, key: bytes, partitions: int) -> bool:
        """More than half of what one partition would get if all got the same.

        True of whatever comes first, too: who has seen little spreads, as a producer of a single proof should.
        """
        return self._counts.add(key) * 2 * partitions > self._counts.total


BLANK = affinity_key("")
"""The key of a file without imports."""
