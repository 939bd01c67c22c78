"""The simulator's report: policies within a worker, and partitioners across 1 to 1,000 workers.

python -m benchmarks.simulator [--out FOLDER] [--workers 1 10 100 1000] [--seeds 4]
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict, dataclass, fields
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.simulator.engine import Outcome, Simulation
from benchmarks.simulator.policies import POLICIES
from benchmarks.workload import backlog, stream
from streamverify.core.partitioning import Affinity, rendezvous

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.simulator.policies import Policy
    from benchmarks.workload import Proof

    Choose = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Row:
    """The mean of some runs that differ in their seed; times in seconds."""

    load: str
    workers: int
    slots: int
    partitioner: str
    policy: str
    useful: float
    elapsed_of_ideal: float
    imports_per_1000: float
    wait_p50: float
    wait_p99: float
    longest_unserved: float


def round_robin(partitions: int) -> Choose:
    """One after the other, whatever the header."""
    turns = count()
    return lambda _key: next(turns) % partitions


def by_header(partitions: int) -> Choose:
    """What any producer does whose key is the header."""
    return lambda key: rendezvous(key, partitions)


def affinity(partitions: int) -> Choose:
    """Ours: the class that producers and the router use."""
    chooser, numbers = Affinity(), range(partitions)
    return lambda key: chooser.choose(key, numbers, numbers)


PARTITIONERS: dict[str, Callable[[int], Choose]] = {
    "round robin": round_robin,
    "header hash": by_header,
    "affinity": affinity,
}


def simulate(
    proofs: Sequence[Proof], workers: int, slots: int, make: Callable[[int], Policy], choose: Choose
) -> Outcome:
    """One run, with as many partitions as workers."""
    simulation = Simulation([make(slots) for _ in range(workers)])
    return simulation.run(((choose(proof.header.fingerprint.encode()), proof) for proof in proofs), slots)


def row(load: str, workers: int, slots: int, partitioner: str, policy: str, seeds: int, proofs: int) -> Row:  # noqa: PLR0913, PLR0917
    """The mean over the seeds."""
    outcomes = []
    for seed in range(seeds):
        batch = (
            backlog(proofs, seed)
            if load == "backlog"
            else stream(proofs, seed, slots=slots * workers, load=float(load.removeprefix("load ")))
        )
        outcomes.append(simulate(batch, workers, slots, POLICIES[policy], PARTITIONERS[partitioner](workers)))
    mean = {field.name: statistics.mean(getattr(each, field.name) for each in outcomes) for field in fields(Outcome)}
    return Row(
        load,
        workers,
        slots,
        partitioner,
        policy,
        round(mean["useful"], 3),
        round(statistics.mean(each.elapsed / each.ideal for each in outcomes), 2),
        round(1000 * mean["imports"] / proofs, 1),
        round(mean["wait_p50"], 1),
        round(mean["wait_p99"], 1),
        round(max(each.longest_unserved for each in outcomes), 1),
    )


def table(title: str, rows: Sequence[Row], leave_out: Sequence[str]) -> Table:
    """For people."""
    shown = Table(title=title)
    names = [field.name for field in fields(Row) if field.name not in leave_out]
    for name in names:
        shown.add_column(name, justify="left" if name in ("load", "partitioner", "policy") else "right")
    for each in rows:
        values = asdict(each)
        shown.add_row(*(str(values[name]) for name in names))
    return shown


def main() -> None:
    """Run both parts, print the tables and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    one = [
        row(load, 1, 2, "round robin", policy, args.seeds, 600 if load == "backlog" else 3000)
        for load in ("backlog", "load 0.8", "load 0.9")
        for policy in POLICIES
    ]
    Console(width=150).print(table("one worker, 2 slots", one, ("workers", "slots", "partitioner")))
    many = [
        row(
            "load 0.8",
            workers,
            4,
            partitioner,
            policy,
            2 if workers < 1000 else 1,
            200 * workers if workers > 1 else 800,
        )
        for workers in args.workers
        for partitioner in PARTITIONERS
        for policy in (("lru", "ours") if workers <= 100 else ("ours",))
    ]
    Console(width=150).print(table("workers of 4 slots, a partition each", many, ("load", "slots")))
    rows: list[dict[str, Any]] = [asdict(each) for each in (*one, *many)]
    (args.out / "simulator.json").write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
