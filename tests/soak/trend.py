"""Whether a figure that was sampled over hours grows. Pure.

What leaks grows for as long as the process lives; what warms up, fills a cache or grows to the size of its work stops.
So only the second half counts. It is cut into windows, and of each the median is taken: a burst of work moves few
medians, and those of neighbours hardly depend on each other. Then two questions are asked, and a leak needs both:

- Is there a trend at all? The test of Mann and Kendall: of all pairs of windows, how many rise and how many fall. It
  asks nothing of how the figures are distributed. (H. B. Mann, Econometrica 13, 1945; M. G. Kendall, Rank Correlation
  Methods, 1948; with the correction of the variance for ties.)
- Is it large? The slope of Theil and Sen, the median of the slopes of all pairs, times the time that was looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOWS = 24
"""Windows of the second half. With so many a trend without an exception has a probability of 10^-11 by chance."""
FEWEST = 8
"""Windows below which nothing can be said."""
SIGNIFICANT = 0.01
"""Probability, of a trend by chance, below which it is taken for one."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What became of a figure in the second half of its samples."""

    before: float
    """Median of the first windows of that half (a quarter of them)."""
    after: float
    """Median of the last."""
    growth: float
    """By how much it grew, by the slope of Theil and Sen; negative: it fell."""
    chance: float
    """Probability of such a rise in figures without a trend; 1.0 where they do not rise."""
    windows: int

    @property
    def known(self) -> bool:
        """Whether there was enough to say anything."""
        return self.windows >= FEWEST

    def grows(self, allowed: float) -> bool:
        """Whether it rises, and by more than `allowed`."""
        return self.known and self.chance < SIGNIFICANT and self.growth > allowed


def trend(samples: Sequence[tuple[float, float]], windows: int = WINDOWS) -> Trend:
    """Look at the second half of the samples.

    Args:
        samples: Time and figure, in the order of time.
        windows: Windows that the half is cut into; those without a sample are left out.
    """
    if not samples:
        return Trend(math.nan, math.nan, 0.0, 1.0, 0)
    first, last = samples[0][0], samples[-1][0]
    begin = (first + last) / 2
    width = (last - begin) / windows
    if width <= 0:
        return Trend(samples[-1][1], samples[-1][1], 0.0, 1.0, 1)
    cut: dict[int, list[float]] = {}
    for at, figure in samples:
        if at >= begin:
            cut.setdefault(min(windows - 1, int((at - begin) / width)), []).append(figure)
    numbers = sorted(cut)
    medians = [median(cut[number]) for number in numbers]
    quarter = max(1, len(medians) // 4)
    slopes = [
        (medians[j] - medians[i]) / ((numbers[j] - numbers[i]) * width) for i, j in combinations(range(len(medians)), 2)
    ]
    growth = median(slopes) * (numbers[-1] - numbers[0]) * width if slopes else 0.0
    before, after = median(medians[:quarter]), median(medians[-quarter:])
    return Trend(before, after, growth, _chance_of_rise(medians), len(medians))


def _chance_of_rise(figures: Sequence[float]) -> float:
    """The one-sided probability of the test of Mann and Kendall, by its normal approximation."""
    count = len(figures)
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(figures, 2))
    ties = sum(size * (size - 1) * (2 * size + 5) for size in Counter(figures).values())
    variance = (count * (count - 1) * (2 * count + 5) - ties) / 18
    if score <= 0 or variance <= 0:
        return 1.0
    # One less: the score has steps, and the normal distribution has none.
    return math.erfc((score - 1) / math.sqrt(variance) / math.sqrt(2)) / 2
