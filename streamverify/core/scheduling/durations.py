"""Estimates how long proofs run: which are long work, and how much longer a running one is likely to take.

Pure: no clock. Everything that is remembered is bounded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streamverify.core.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from streamverify.core.scheduling.work import Work

LONG_TIMEOUT = 120.0
"""Default of the setting, in seconds."""

MAX_NAMES = 10_000
"""The number of groups, id prefixes and headers whose durations are remembered."""

MAX_HISTOGRAMS = 1_000
"""The number of headers whose durations are remembered in full."""

_DECAY = 0.3
"""The weight of a duration below the average. One above it becomes the average at once: see `ProofDurations.ran`."""

_FADE = 0.99
"""The weight that a duration keeps in its header's histogram with each later one: about the last hundred count."""

_FORGOTTEN = 0.5
"""The weight of proofs in a histogram below which nothing is concluded from them: the fading memory of one."""

_LARGE = 1e9
"""The weight at which all weights are divided by it, far below the end of what a float holds exactly."""

_SHORTEST = 0.001
_BINS_PER_DOUBLING = 2
_BINS = 44
"""Bins of a histogram: from a millisecond to an hour, each 1.4 times as wide as the one before."""


class ProofDurations:
    """The durations of the proofs of one pool."""

    def __init__(self, long_timeout: float = LONG_TIMEOUT) -> None:
        """`long_timeout`: the seconds above which work is long."""
        self._long_timeout = long_timeout
        self._seen: BoundedDict[str, float] = BoundedDict(MAX_NAMES)
        self._histograms: BoundedDict[str, _Histogram] = BoundedDict(MAX_HISTOGRAMS)

    def __len__(self) -> int:
        return len(self._seen) + len(self._histograms)

    def is_long(self, work: Work, header: str) -> bool:
        """Tell whether a job may hold a slot for long.

        By its time-out, where the sender chose it; else by what its group, its id's prefix or its header (the first
        of them that is known) was observed to take. Where nothing is known yet the work counts as short: as long it
        would leave a slot idle in front of a queue of which nobody knows anything.
        """
        if work.timeout <= self._long_timeout:
            return False
        if work.names is None:
            return True
        seen = next((self._seen[name] for name in (*work.names, header) if name in self._seen), 0.0)
        return seen > self._long_timeout

    def ran(self, work: Work, header: str, seconds: float) -> None:
        """Note how long a job ran, whether or not it came to an end by itself."""
        # All are read before the first is written, which may drive another of them out.
        seen = [(name, self._seen.get(name, 0.0)) for name in (*(work.names or ()), header)]
        for name, before in seen:
            # A peak that comes down slowly, not a mean: one in four that takes five minutes blocks a slot as all do.
            self._seen[name] = max(seconds, before + _DECAY * (seconds - before))

        histogram = self._histograms.get(header) or _Histogram()
        histogram.add(seconds)
        self._histograms[header] = histogram

    def rest(self, header: str, elapsed: float, timeout: float) -> float:
        """Estimate how many seconds a job will run on that has run for `elapsed`: at most to its time-out.

        That is the mean rest of those proofs of its header that ran for longer. If there are none it is as much
        again as it has run: a proof of which nobody knows anything is half done on average.
        """
        histogram = self._histograms.get(header)
        expected = None if histogram is None else histogram.rest(elapsed)
        if expected is None:
            expected = elapsed
        return max(0.0, min(expected, timeout - elapsed))


class _Histogram:
    """The durations by their size, the older ones with less and less weight."""

    def __init__(self) -> None:
        self._weights = [0.0] * _BINS
        # Each one counts more than the one before, instead of all before it less: that would be a loop for each.
        self._next = 1.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._next /= _FADE
        self._weights[_bin(seconds)] += self._next
        if self._next > _LARGE:
            self._weights = [weight / self._next for weight in self._weights]
            self._next = 1.0

    def rest(self, elapsed: float) -> float | None:
        """The mean rest of those that took longer than `elapsed`; None where there are too few of them."""
        longer = [
            (weight, _seconds(number) - elapsed)
            for number, weight in enumerate(self._weights)
            if _seconds(number) > elapsed
        ]
        total = sum(weight for weight, _rest in longer)
        return None if total < _FORGOTTEN * self._next else sum(weight * rest for weight, rest in longer) / total


def _bin(seconds: float) -> int:
    """Return the number of the bin that a duration falls into; the last one takes all that are longer."""
    doublings = math.log2(max(seconds, _SHORTEST) / _SHORTEST)
    return min(_BINS - 1, int(doublings * _BINS_PER_DOUBLING))


def _seconds(number: int) -> float:
    """The duration in the middle of a bin."""
    return _SHORTEST * math.pow(2.0, (number + 0.5) / _BINS_PER_DOUBLING)
