"""Microseconds of CPU that the partitioner takes for a record, by number of partitions.

python -m benchmarks.partitioner
"""

from __future__ import annotations

import random
import time

from rich.console import Console
from rich.table import Table

from benchmarks.simulator.scenarios import ZIPF
from benchmarks.workload import SHARES
from streamverify.core.scheduling.partitioner import AffinityPartitioner

RECORDS = 20_000


def keys(shares: tuple[float, ...] | None) -> list[bytes]:
    """The keys of that many records; None: no two have the same."""
    made = [f"{number:032x}".encode() for number in range(RECORDS)]
    return made if shares is None else random.Random(1).choices(made[: len(shares)], shares, k=RECORDS)  # noqa: S311


def microseconds(sent: list[bytes], partitions: int, *, without: int = 0) -> float:
    """CPU time for a record; so many partitions have no leader."""
    partitioner, every = AffinityPartitioner(), list(range(partitions))
    available = every[without:]
    begun = time.process_time()
    for key in sent:
        partitioner(key, every, available)
    return (time.process_time() - begun) / len(sent) * 1e6


def main() -> None:
    """Measure and print."""
    shown = Table("partitions", "the mix", "1,000 headers (Zipf)", "the mix, one without a leader", "all different")
    for partitions in (10, 100, 1000, 5000):
        figures = [
            microseconds(keys(SHARES), partitions),
            microseconds(keys(ZIPF), partitions),
            microseconds(keys(SHARES), partitions, without=1),
            # A new header costs some hashes. Its first records only: later ones, of a small share, cost less.
            microseconds(keys(None)[:1000], partitions),
        ]
        shown.add_row(str(partitions), *(f"{figure:.1f}" for figure in figures))
    Console().print(shown)


if __name__ == "__main__":
    main()
