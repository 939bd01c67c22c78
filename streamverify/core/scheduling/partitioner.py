"""Chooses the partition of a proof: a header gets as many partitions as its share of the proofs needs, and a few more.

`docs/partitioning.md` says why and with what effect; `schemas/partitioner.md` is the specification for producers in
other languages, and `schemas/partitioner.vectors.json` has what they can test theirs with. This module knows nothing of
Kafka but that the partitions of a topic are numbered from 0. Pure: no clock, and chance only where the counts begin.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
import random
import re
import struct
from typing import TYPE_CHECKING

from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SPREAD = (3, 2)
"""A header gets ceil(3/2 x its share of the proofs x partitions) partitions.

Below 1 its partitions would get more than the others. The half more is room for shares that are known only from what
was sent of late, and for proofs that take longer than most. Simulated: each half beyond costs imports and waiting."""

RELIEF = 4
"""The partitions of its order that a header may fall back on: four, or twice its own where that is more."""

NEW = 8
"""Among how many of its order a header is placed that was not sent of late: nobody has imported it, so all are as good.

More would be more even for one producer, and several producers would no longer agree."""

SLACK = 8
"""Records by which a header's own partitions must be ahead of those it falls back on.

Without relief the headers of a long tail pile up on some partitions, and so do many proofs of one header in a row;
without slack every header would be imported in all of them."""

COUNTERS = 4096
"""Headers that are counted at once. An undercount of at most 1/4097 of the records: half a partition of a thousand."""

WINDOW = 16_384
"""Records after which all counts are halved: a header that was frequent 100,000 records ago is not so for ever."""

MAX_WEIGHT = 8.0
"""A record counts for at most so many usual ones, and at least for that part of one."""

MAX_LOADS = 4
"""Numbers of partitions for which counts are kept: a producer may serve several topics, and partitions are added."""

_FINGERPRINT = re.compile(rb"[0-9a-f]{32}")


def affinity_key(proof: str) -> bytes:
    """Return the key of a proof's record: its header's fingerprint, as 32 hexadecimal digits in ASCII.

    A header that is no Lean gets that of a blank one: whoever answers it needs no Lean for that.
    """
    try:
        return parse_header(proof).fingerprint.encode("ascii")
    except HeaderError:
        return BLANK


def is_fingerprint(key: bytes | None) -> bool:
    """Tell whether a record's key is one that `affinity_key` makes."""
    return key is not None and _FINGERPRINT.fullmatch(key) is not None


def jump(number: int, partitions: int) -> int:
    """Return the partition of a 64-bit number by jump consistent hashing (Lamping and Veach, 2014).

    Each of n partitions gets the n-th part of the numbers, and one more partition takes its part from all others alike:
    no number moves between those that were there.
    """
    at, after = -1, 0
    while after < partitions:
        at = after
        number = (number * 2862933555777941757 + 1) & 0xFFFF_FFFF_FFFF_FFFF
        after = ((at + 1) << 31) // ((number >> 33) + 1)
    return at


def first_partitions(key: bytes, partitions: int, first: int = 1) -> list[int]:
    """Return the first partitions in the order of a key.

    SHA-256 of the key and 0, 1, 2 ... (4 bytes, big-endian) is read as four 64-bit numbers each, and each of them
    jumps to a partition; one that was there before is left out. So no partition is looked at but those that are asked
    for, and where partitions are added a number moves to a new one or stays.

    Args:
        key: What `affinity_key` made.
        partitions: How many the topic has.
        first: How many are asked for. Half of the partitions cost 1.4 numbers each, nine tenths 2.6; all of P, P ln P.
    """
    first = min(first, partitions)
    order: dict[int, None] = {}
    for block in itertools.count():
        digest = hashlib.sha256(key + block.to_bytes(4, "big")).digest()
        for number in struct.unpack(">4Q", digest):
            order[jump(number, partitions)] = None
            if len(order) == first:
                return list(order)
    raise AssertionError  # Counting has no end.


def partitions_for(count: float, total: float, partitions: int) -> int:
    """Return the number of partitions that a header gets: from 1 to all.

    Args:
        count: Records with this header, of late.
        total: All records.
        partitions: How many the topic has.
    """
    times, of = SPREAD
    return min(partitions, max(1, math.ceil(times * count * partitions / (of * total))))


class RecentCounts:
    """Counts the most frequent keys of late, in bounded space (Misra and Gries, 1982).

    A count is never too high. Where all weigh 1 it is too low by at most `total / (counters + 1)`, and by 1 for each
    halving.
    """

    def __init__(self, counters: int = COUNTERS, window: int = WINDOW) -> None:
        self._counters = counters
        self._window = window
        self._counts: dict[bytes, float] = {}
        self.total = 0.0
        self.halvings = 0

    def add(self, key: bytes, weight: float = 1.0) -> float:
        """Count one more, for as much as it weighs.

        Returns:
            What is known of `key` now; 0 where there was no room to count it.
        """
        self.total += weight
        counts = self._counts
        if key in counts or len(counts) < self._counters:
            counts[key] = counts.get(key, 0.0) + weight
        else:
            # The weight is taken from every other key, too: amortised that costs no more than what was counted before.
            self._counts = {other: count - weight for other, count in counts.items() if count > weight}
        if self.total >= self._window:
            self.total /= 2
            self.halvings += 1
            self._counts = {key: count / 2 for key, count in self._counts.items() if count > 1}
        return self._counts.get(key, 0.0)

    def __len__(self) -> int:
        return len(self._counts)


class RunTimes:
    """The run times of the proofs of each header, where somebody says them, beside those of all headers."""

    def __init__(self) -> None:
        """Start before the first run time is known."""
        self._usual = 0.0
        self._of: BoundedDict[bytes, tuple[int, float]] = BoundedDict(COUNTERS)

    def note(self, key: bytes, seconds: float) -> None:
        """A proof of this header took so long."""
        self._usual = self._usual + 0.01 * (seconds - self._usual) if self._of else seconds
        number, mean = self._of.get(key, (0, self._usual))
        # The first ten count little: one proof that took long says nothing of a header.
        self._of[key] = number + 1, mean + max(1 / (number + 10), 0.02) * (seconds - mean)

    def weight(self, key: bytes) -> float:
        """Return the cost of a record of this header, as a multiple of the usual one; 1 where nothing is known."""
        known = self._of.get(key)
        if known is None or self._usual <= 0:
            return 1.0
        return min(MAX_WEIGHT, max(1 / MAX_WEIGHT, known[1] / self._usual))


class _Load:
    """The records that one producer has sent to each partition of a topic of late, and the orders of their headers."""

    def __init__(self, partitions: int, start: Callable[[], float], halvings: int) -> None:
        self.partitions = partitions
        self._sent = [start() for _ in range(partitions)]
        self._halvings = halvings
        self._orders: BoundedDict[bytes, list[int]] = BoundedDict(COUNTERS)
        # All partitions by what was sent when they were put there, which is at most what was sent by now.
        self._least: list[tuple[float, int]] = []
        self._missing: frozenset[int] = frozenset()
        self._having = partitions

    def halve(self, halvings: int) -> None:
        """Let what was sent fade as the counts of headers do."""
        if halvings != self._halvings:
            part = 0.5 ** (halvings - self._halvings)
            self._sent = [sent * part for sent in self._sent]
            self._halvings = halvings
            self._least = []

    def leaders(self, reachable: Collection[int]) -> None:
        """Note which partitions have a leader. One that has one again counts as the others: else it would get all."""
        if len(reachable) == self.partitions - len(self._missing) and (
            not self._missing or self._missing.isdisjoint(reachable)
        ):
            return
        missing = frozenset(range(self.partitions)).difference(reachable)
        mean = sum(self._sent) / self.partitions
        for number in self._missing - missing:
            self._sent[number] = max(self._sent[number], mean)
        # With no leader at all one place is as good as another.
        self._missing = missing if len(missing) < self.partitions else frozenset()
        self._having = self.partitions - len(self._missing)
        self._least = []

    def choose(self, key: bytes | None, count: int, weight: float, *, new: bool) -> int:
        """Choose the partition of a record, and count the record there.

        Args:
            key: None: no header is known.
            count: How many partitions the header gets.
            weight: What the record costs.
            new: Whether the header was not sent of late.
        """
        chosen = self._least_of_all() if key is None or count >= self._having else self._least_of(key, count, new=new)
        self._sent[chosen] += weight
        return chosen

    def _least_of_all(self) -> int:
        """Return the partition that was sent least. O(log partitions) where others are not sent to in between."""
        if not self._least:
            self._least = [(sent, number) for number, sent in enumerate(self._sent) if number not in self._missing]
            heapq.heapify(self._least)
        # An entry is stale where more was sent since: it goes back with what was sent by now.
        while self._least[0][0] != (sent := self._sent[number := self._least[0][1]]):
            heapq.heapreplace(self._least, (sent, number))
        return number

    def _least_of(self, key: bytes, count: int, *, new: bool) -> int:
        """Return the one of a header's first `count` that was sent least, or a less filled one if that is far ahead."""
        relief = max(2 * count, NEW if new else RELIEF)
        everywhere = relief >= self._having
        order = self._order(key, count if everywhere else relief)
        own = min(order[:count], key=self._sent.__getitem__)
        other = self._least_of_all() if everywhere else min(order[:relief], key=self._sent.__getitem__)
        if self._sent[own] <= self._sent[other] + (0 if new else SLACK):
            return own
        if new:
            # Its next records are to find what this one has imported.
            # In place, so that it keeps its turn: the order that was made first is forgotten first.
            known = self._orders[key]
            known[:] = [other, *(number for number in known if number != other)]
        return other

    def _order(self, key: bytes, count: int) -> list[int]:
        """Return at least the first `count` partitions of a header that have a leader, where as many have one."""
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = first_partitions(key, self.partitions, count)
        while True:
            if not self._missing:
                having = order
            else:
                leading = (number for number in order if number not in self._missing)
                having = list(itertools.islice(leading, count))
            if len(having) >= count:
                return having
            # Twice as many as it had, as shares move. The first stays: its first record may have gone elsewhere.
            more = first_partitions(key, self.partitions, min(self.partitions, max(2 * len(order), count)))
            order[1:] = [number for number in more if number != order[0]]


class Affinity:
    """The decision. Each producer has its own, and what it has sent is all that it goes by."""

    def __init__(self, start: Callable[[], float] = lambda: 0.0, counts: RecentCounts | None = None) -> None:
        """Start before the first record is sent.

        Args:
            start: A number below 1 for each partition, to begin counting with. A random one keeps many producers of a
                few proofs each from filling the same partition.
            counts: Of headers.
        """
        self._start = start
        self._counts = RecentCounts() if counts is None else counts
        self._times = RunTimes()
        self._loads: BoundedDict[int, _Load] = BoundedDict(MAX_LOADS)

    def took(self, key: bytes, seconds: float) -> None:
        """A proof of this header took Lean so long: from now on its records count for more or less than one."""
        self._times.note(key, seconds)

    def choose(self, key: bytes | None, partitions: int, reachable: Collection[int]) -> int:
        """Choose the partition of one record.

        Args:
            key: What `affinity_key` made of its proof; None: of this record no header is known.
            partitions: How many the topic has.
            reachable: Those that have a leader.
        """
        load = self._load(partitions)
        load.leaders(reachable)
        count, weight, new = partitions, 1.0, False
        if key is not None:
            weight = self._times.weight(key)
            known = self._counts.add(key, weight)
            new = known <= weight
            # True of whatever comes first, too: who has seen little spreads, as a producer of a single proof should.
            count = partitions_for(known, self._counts.total, partitions)
        load.halve(self._counts.halvings)
        return load.choose(key, count, weight, new=new)

    def _load(self, partitions: int) -> _Load:
        load = self._loads.get(partitions)
        if load is None:
            # Where partitions were added all of them count as equal: what was sent before says nothing of the new ones.
            load = self._loads[partitions] = _Load(partitions, self._start, self._counts.halvings)
        return load


BLANK = affinity_key("")
"""The key of a file without imports."""


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
        """Return the partition of a record with this key; `available` are the partitions that have a leader.

        Kafka numbers the partitions of a topic from 0 without gaps, so how many there are says which.
        """
        return self._affinity.choose(key if is_fingerprint(key) else None, len(all_partitions), available)
