"""Confidence intervals and tests. All of them at 95 %, and with the source of their formula."""

from __future__ import annotations

import math
import random
from itertools import repeat
from typing import Literal, NamedTuple

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution, for two-sided 95 %."""
SEED = 20_210_707
"""The seed of every bootstrap, so that the same verdicts give the same report."""
RESAMPLES = 1_000
MAX_RESAMPLED = 2_000
"""Observations up to which a mean is resampled. For more, the normal approximation is as good, and takes no minutes."""
FEWEST = 10
"""Observations below which neither says anything: a resample of few is too much like the sample."""


ROUNDING = 1e-9
"""Observations that differ by no more are equal."""


class Interval(NamedTuple):
    """From `low` to `high`, at 95 % confidence."""

    low: float
    high: float


class MeanInterval(NamedTuple):
    """The interval of a mean, and how it was found."""

    low: float
    high: float
    method: Literal["bootstrap", "normal"]


def wilson(successes: int, trials: int) -> Interval | None:
    """Compute Wilson's score interval of a proportion, without continuity correction.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). It is usable
    for few trials, and for proportions near 0 and 1, where the textbook's interval is not.

    Returns:
        The interval; None without trials.
    """
    if trials == 0:
        return None
    share = successes / trials
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    middle, scale = share + Z * Z / (2 * trials), 1 + Z * Z / trials
    # At the ends the formula gives exactly 0 and 1, but for rounding.
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if successes == trials else min(1.0, (middle + spread) / scale)
    return Interval(low, high)


class Sample:
    """Observations of which the mean is wanted, and how well it is known. Takes any number in constant memory."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0
        self._values: list[float] = []

    def add(self, value: float, times: int = 1) -> None:
        """Take an observation into account that was made so often."""
        # B. P. Welford, "Note on a method for calculating corrected sums of squares and products", 1962: stable for any
        # number of observations.
        self.count += times
        distance = value - self.mean
        self.mean += distance * times / self.count
        self._squares += distance * (value - self.mean) * times
        if self.count <= MAX_RESAMPLED:
            self._values.extend(repeat(value, times))

    def interval(self) -> MeanInterval | None:
        """Estimate where the mean lies.

        Returns:
            The percentile bootstrap (B. Efron, 1979) with a fixed seed for up to `MAX_RESAMPLED` observations, the
            normal approximation for more. None for fewer than `FEWEST`, and where all are equal: then neither can tell
            anything.
        """
        if self.count < FEWEST or self._squares <= ROUNDING**2:
            return None
        if self.count > MAX_RESAMPLED:
            half = Z * math.sqrt(self._squares / (self.count - 1) / self.count)
            return MeanInterval(self.mean - half, self.mean + half, "normal")
        draw = random.Random(SEED)  # noqa: S311 - a resample is no key
        # In order: the interval must not depend on the order in which the observations came.
        values = sorted(self._values)
        if values[-1] - values[0] <= ROUNDING:
            return None
        means = sorted(math.fsum(draw.choices(values, k=self.count)) / self.count for _ in range(RESAMPLES))
        # 95 %: as many resamples lie below the interval as above it.
        cut = round(RESAMPLES * 0.025)
        return MeanInterval(means[cut], means[-1 - cut], "bootstrap")


def mcnemar_exact(gained: int, lost: int) -> float:
    """Test whether changes in the two directions are equally likely: McNemar's test in its exact, two-sided form.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12 (1947).
    Without a difference, the number of gains among all changes is binomial with probability 1/2.

    Args:
        gained: Pairs that failed before and succeed now.
        lost: Pairs that succeeded before and fail now.

    Returns:
        The p-value; 1 where nothing has changed.
    """
    changes, fewer = gained + lost, min(gained, lost)
    if changes == 0:
        return 1.0
    # In logarithms: the coefficients of many changes are beyond what a float holds.
    log_all = math.lgamma(changes + 1) - changes * math.log(2)
    # From the largest term down: the rest is left out as soon as it no longer changes the sum.
    total = 0.0
    for number in range(fewer, -1, -1):
        term = math.exp(log_all - math.lgamma(number + 1) - math.lgamma(changes - number + 1))
        if term <= total * 1e-17:
            break
        total += term
    return min(1.0, 2 * total)
