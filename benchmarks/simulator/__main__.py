"""The simulator's report: partitioners across workers in named scenarios, and what a worker does within itself.

Writes the figures to `benchmarks/results/simulator.json`, the tables into `benchmarks/README.md` between their marks,
and the plots beside this file. Parts that are not named keep the figures that they had.

python -m benchmarks.simulator [--only PART ...] [--seeds 4]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.simulator.engine import Outcome, Simulation
from benchmarks.simulator.lane import lane
from benchmarks.simulator.partitioners import PARTITIONERS, TOLD, OursTold, ours_with_spread
from benchmarks.simulator.policies import POLICIES, Ours
from benchmarks.simulator.scenarios import SCENARIOS, Scenario
from benchmarks.workload import backlog, import_seconds, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.simulator.partitioners import Choose, Make
    from benchmarks.simulator.policies import Policy
    from benchmarks.workload import Proof

    Row = dict[str, Any]

RESULTS = Path(__file__).parents[1] / "results" / "simulator.json"

SPREADS = {"1": (1, 1), "1.25": (5, 4), "1.5": (3, 2), "2": (2, 1), "3": (3, 1), "5": (5, 1)}


def across(scenario: Scenario, make: Make, seed: int) -> Outcome:
    """One run of a scenario: each producer has a partitioner of its own, each worker our scheduler."""
    case = scenario.case(seed)
    partitions = len(case.slots) * scenario.partitions_each
    choosers: dict[int, Choose] = {}

    def placed() -> Iterator[tuple[int, Proof]]:
        for proof in case.proofs:
            choose = choosers.get(proof.producer)
            if choose is None:
                # One proof each: nobody comes again.
                choosers.clear() if scenario.producers == "proof" else None
                rng = random.Random(seed * 1_000_003 + proof.producer)  # noqa: S311
                choose = choosers[proof.producer] = make(partitions, rng)
            yield choose(proof.header.fingerprint.encode()), proof

    def done(proof: Proof) -> None:
        chooser = choosers.get(proof.producer)
        if isinstance(chooser, OursTold):
            chooser.took(proof.header.fingerprint.encode(), proof.service)

    simulation = Simulation(
        [Ours(slots, headers_per_repl=scenario.headers_per_repl) for slots in case.slots],
        case.import_seconds,
        partitions_each=scenario.partitions_each,
        slots=case.slots,
        changes=case.changes,
        on_done=done if make is OursTold else None,
    )
    return simulation.run(placed())


def within(proofs: Sequence[Proof], slots: int, make: Callable[[int], Policy]) -> Outcome:
    """One run on one worker."""
    return Simulation([make(slots)], import_seconds(), slots=[slots]).run((0, proof) for proof in proofs)


def figures(outcomes: Sequence[Outcome], proofs: int) -> Row:
    """The mean over the seeds, and each seed's figures of what is compared."""
    mean = {field.name: statistics.mean(getattr(each, field.name) for each in outcomes) for field in fields(Outcome)}
    mean["imports"] *= 1000 / proofs
    mean["elapsed_of_ideal"] = statistics.mean(each.elapsed / each.ideal for each in outcomes)
    row: Row = {name: round(value, 3) for name, value in mean.items()}
    row["seeds"] = {
        name: [round(getattr(each, name), 3) for each in outcomes]
        for name in ("steady_imports", "wait_p50", "wait_p99", "steady_p50", "steady_p99")
    }
    return row


def _scenario(scenario: Scenario, makes: dict[str, Make], seeds: int) -> Iterator[Row]:
    for name, make in makes.items():
        outcomes = [across(scenario, make, seed) for seed in range(seeds)]
        yield {"scenario": scenario.name, "partitioner": name} | figures(
            outcomes, scenario.workers * scenario.proofs_each
        )


def scenarios(seeds: int, only: Sequence[str]) -> Iterator[Row]:
    """Every scenario, by every partitioner."""
    for scenario in SCENARIOS:
        if not only or scenario.name in only:
            print(scenario.name, flush=True)
            told: dict[str, Make] = dict(TOLD) if scenario.told else {}
            yield from _scenario(scenario, PARTITIONERS | told, seeds)


def spread(seeds: int) -> Iterator[Row]:
    """The constant of our rule."""
    makes = {name: ours_with_spread(*value) for name, value in SPREADS.items()}
    for name in ("10 workers", "100 workers", "rare headers 4 times as slow"):
        yield from _scenario(next(each for each in SCENARIOS if each.name == name), makes, seeds)


def partitions(seeds: int) -> Iterator[Row]:
    """How many partitions a topic should have."""
    for workers in (10, 100):
        for each in (1, 2, 3, 5, 10):
            scenario = Scenario(f"{workers} workers", workers=workers, partitions_each=each)
            makes = {name: PARTITIONERS[name] for name in ("round robin", "ours")}
            for row in _scenario(scenario, makes, seeds):
                yield row | {"partitions_each": each}


def policies(seeds: int) -> Iterator[Row]:
    """Policies within one worker of two slots."""
    for load in ("backlog", "load 0.8", "load 0.9"):
        count = 600 if load == "backlog" else 3000
        for name, make in POLICIES.items():
            batches = [
                backlog(count, seed)
                if load == "backlog"
                else stream(count, seed, slots=2, load=float(load.removeprefix("load ")))
                for seed in range(seeds)
            ]
            yield {"load": load, "policy": name} | figures([within(batch, 2, make) for batch in batches], count)


def memory(seeds: int) -> Iterator[Row]:
    """Several headers a process, or spare processes, on one worker; and what a process that dies does to both."""
    kinds = {
        "one header a process": {},
        "4 headers a process": {"headers_per_repl": 4},
        "8 headers a process": {"headers_per_repl": 8},
        "as many spares as slots": {"spares": 1},
        "4 headers a process and spares": {"headers_per_repl": 4, "spares": 1},
    }
    for slots in (4, 16, 64):
        for killed in (0.0, 0.02):
            for name, options in kinds.items():
                outcomes = []
                for seed in range(seeds):
                    rng = random.Random(seed)  # noqa: S311
                    proofs = stream(250 * slots, seed, slots=slots, load=0.8)
                    proofs = [replace(proof, kills=rng.random() < killed) for proof in proofs]
                    spares = slots * options.get("spares", 0)
                    per_repl = options.get("headers_per_repl", 1)
                    outcomes.append(
                        within(
                            proofs,
                            slots,
                            lambda n, spares=spares, per=per_repl: Ours(n, spares=spares, headers_per_repl=per),  # type: ignore[misc]
                        )
                    )
                yield {"slots": slots, "killed": killed, "kind": name} | figures(outcomes, 250 * slots)


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "policies": policies,
    "memory": memory,
    "lane": lane,
    "spread": spread,
    "partitions": partitions,
}


def main() -> None:
    """Run what is asked for, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", help=f"of {', '.join(PARTS)}, and the scenarios' names; nothing: no run")
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, list[Row]] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    for name, part in PARTS.items():
        if args.only is None or name in args.only:
            print(name, flush=True)
            done[name] = list(part(args.seeds))
            RESULTS.write_text(json.dumps(done) + "\n", "utf-8")
    for scenario in SCENARIOS:
        if args.only is None or scenario.name in args.only:
            fresh = list(scenarios(args.seeds, [scenario.name]))
            kept = [row for row in done.get("scenarios", []) if row["scenario"] != scenario.name]
            order = [each.name for each in SCENARIOS]
            done["scenarios"] = sorted([*kept, *fresh], key=lambda row: order.index(row["scenario"]))
            RESULTS.write_text(json.dumps(done) + "\n", "utf-8")
    # Only here: it draws with matplotlib, which the tests of the figures do without.
    from benchmarks.simulator.report import write_report  # noqa: PLC0415

    write_report(done)


if __name__ == "__main__":
    main()
