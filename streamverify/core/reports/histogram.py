"""A histogram of durations with logarithmic buckets: percentiles with a bounded error, in bounded memory.

The buckets are those of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch", VLDB
2019): each is wider than the one before by a constant factor, so a percentile is off by at most `RELATIVE_ERROR` of its
value, however the durations are distributed, and two histograms can be added without a further error.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

RELATIVE_ERROR = 0.01
"""A percentile differs by at most this share of the duration that stands at its place."""
SHORTEST = 1e-6
"""Seconds; what is shorter is counted as 0, which is then off by at most this."""
MAX_SECONDS = 1e8
"""Seconds; what is longer counts into the last bucket. `longest` is exact all the same."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_LAST = math.ceil(math.log(MAX_SECONDS) / _LOG_GAMMA)


class HistogramBar(NamedTuple):
    """One bar of a plot: the durations from `low`, and below `high`, in seconds."""

    low: float
    high: float
    number: int


class LogHistogram:
    """Counts durations in seconds. It has at most some 1,600 buckets, whatever is added."""

    __slots__ = ("_buckets", "_zeros", "count", "longest", "shortest", "total")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._zeros = 0
        self.count = 0
        self.total = 0.0
        self.shortest = math.inf
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration, which is finite and not negative."""
        self.count += 1
        self.total += seconds
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)
        if seconds < SHORTEST:
            self._zeros += 1
        else:
            self._buckets[min(math.ceil(math.log(seconds) / _LOG_GAMMA), _LAST)] += 1

    def merge(self, other: LogHistogram) -> None:
        """Count everything that the other has counted."""
        self._buckets.update(other._buckets)
        self._zeros += other._zeros
        self.count += other.count
        self.total += other.total
        self.shortest = min(self.shortest, other.shortest)
        self.longest = max(self.longest, other.longest)

    @property
    def mean(self) -> float | None:
        """The mean, exact up to rounding; None where nothing was counted."""
        return self.total / self.count if self.count else None

    def percentile(self, percent: float) -> float | None:
        """Estimate the duration that `percent` of all do not exceed (nearest rank).

        Returns:
            Seconds, off by at most `RELATIVE_ERROR`; None where nothing was counted.
        """
        if not self.count:
            return None
        rank = max(1, math.ceil(self.count * percent / 100))
        if rank == self.count:
            return self.longest  # known exactly
        seen = self._zeros
        if seen >= rank:
            return 0.0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                # The middle, in ratio, of the bucket; what was really there bounds it.
                middle = 2 * _GAMMA**bucket / (_GAMMA + 1)
                return min(max(middle, self.shortest), self.longest)
        return self.longest

    def bars(self, per_decade: int = 6, most: int = 60) -> list[HistogramBar]:
        """Sum the buckets up for a plot: bars of equal width on a logarithmic axis, without gaps.

        Args:
            per_decade: Bars from one power of ten to the next; fewer where there would be more than `most`.
            most: The largest number of bars.

        Returns:
            From the shortest to the longest; what is counted as 0 is in the first one. Each bucket counts as a whole
            into the bar that has its middle.
        """
        if not self.count:
            return []
        counts: Counter[int] = Counter()
        middles = {bucket: math.log10(2 * _GAMMA**bucket / (_GAMMA + 1)) for bucket in self._buckets}
        span = max(middles.values()) - min(middles.values()) if middles else 0.0
        while per_decade > 1 and span * per_decade + 2 > most:
            per_decade -= 1
        for bucket, number in self._buckets.items():
            counts[math.floor(middles[bucket] * per_decade)] += number
        first = min(counts, default=math.floor(math.log10(SHORTEST) * per_decade))
        counts[first] += self._zeros
        return [
            HistogramBar(10 ** (at / per_decade), 10 ** ((at + 1) / per_decade), counts[at])
            for at in range(first, max(counts) + 1)
        ]
