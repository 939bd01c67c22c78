"""pass@k: the chance that at least one of k attempts at a problem succeeds, averaged over the problems.

The estimator is that of M. Chen et al., "Evaluating large language models trained on code", arXiv 2107.03374 (2021),
section 2.1: of n attempts of which c succeeded, 1 - C(n - c, k) / C(n, k), the share of the k-subsets with a success.
It is unbiased. The share of problems solved within the first k attempts is that, too, but noisier; 1 - (1 - c/n)^k is
not unbiased.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.reports.intervals import MeanInterval, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "unbiased estimator 1 - C(n-c, k) / C(n, k): Chen et al. 2021, arXiv:2107.03374, section 2.1"
MAX_KS = 12
"""Values of k that a report has at most."""


class Problems(NamedTuple):
    """Problems that are alike to the estimator: each has `attempts`, of which `successes` were verified."""

    attempts: int
    successes: int


class PassAtK(NamedTuple):
    """The estimate for one k, with its interval over the problems."""

    k: int
    estimate: float
    interval: MeanInterval | None


def chance(attempts: int, successes: int, k: int) -> float:
    """Compute 1 - C(n-c, k) / C(n, k) as the product that the paper gives, which does not overflow.

    Raises:
        ValueError: k is not from 1 to the number of attempts.
    """
    if not 1 <= k <= attempts:
        raise ValueError(f"k must be from 1 to {attempts}, the number of attempts; it is {k}")
    if attempts - successes < k:
        return 1.0
    if k == 1:
        return successes / attempts  # exactly, for who compares it to a pass rate
    return 1.0 - math.prod(1.0 - k / number for number in range(attempts - successes + 1, attempts + 1))


def ks_up_to(fewest: int) -> list[int]:
    """List the values of k: the powers of two, and the largest for which every problem has enough attempts."""
    ks = [k for k in (2**power for power in range(MAX_KS - 1)) if k < fewest]
    return [*ks, fewest] if fewest else ks


def estimate(problems: Mapping[Problems, int]) -> list[PassAtK]:
    """Estimate pass@k for each k up to the fewest attempts that any problem has.

    Args:
        problems: How many problems there are of each kind. The numbers of attempts may differ.
    """
    ks = ks_up_to(min((kind.attempts for kind in problems), default=0))
    estimates = []
    for k in ks:
        chances = Sample()
        for kind, number in sorted(problems.items()):
            # Problems with as many attempts and successes are alike: millions of them are a few sums.
            chances.add(chance(kind.attempts, kind.successes, k), number)
        # Rounding may have left [0, 1], and a mean of ones is one.
        estimates.append(PassAtK(k, min(1.0, max(0.0, chances.mean)), chances.interval()))
    return estimates
