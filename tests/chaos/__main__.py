"""`python -m chaos`: the chaos suite, long (`make chaos`) or short (`--short`, what CI runs).

Prints a table, and with `--json FILE` all of it. Exit code 0: every proof has exactly its right verdict; 1: not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from chaos import network
from chaos.run import Plan, Report, run, say

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORT = (
    Plan(
        "one node",
        nodes=1,
        static=True,
        seconds=28,
        records=700,
        poison=1,
        only=("kill_worker", "pause_worker", "overlap_rebalances", "kill_broker", "cut_wire"),
    ),
    Plan(
        "three nodes",
        nodes=3,
        static=False,
        seconds=36,
        records=800,
        only=("kill_worker", "pause_worker_long", "kill_broker", "refuse_results"),
    ),
)


def plans(arguments: argparse.Namespace) -> list[Plan]:
    """The runs that were asked for."""
    if arguments.short:
        chosen: Iterable[Plan] = SHORT
    else:
        chosen = [
            Plan(
                f"{nodes} node{'s' * (nodes > 1)}, {'static' if static else 'dynamic'}",
                nodes=nodes,
                static=static,
                seconds=arguments.seconds,
                records=arguments.records,
                poison=arguments.poison,
            )
            for nodes in (1, 3)
            for static in (True, False)
            if nodes in arguments.nodes
            and static in {"static": {True}, "dynamic": {False}}.get(arguments.members, {True, False})
        ]
    only = tuple(arguments.faults.split(",")) if arguments.faults else None
    made = [
        replace(
            plan,
            seed=arguments.seed,
            network=not arguments.no_network,
            logs=arguments.logs and arguments.logs / plan.name.replace(" ", "-"),
        )
        for plan in chosen
    ]
    return [replace(plan, only=only) for plan in made] if only else made


def table(reports: list[Report]) -> str:
    """What is shown to people."""
    lines = []
    for report in reports:
        outcome = report.outcome
        lines += [
            _head(report),
            f"  {'fault':24}{'strikes':>8}{'in flight':>11}{'at risk':>9}{'repeats':>9}{'stall s':>9}",
        ]
        lines += [
            f"  {row.kind:24}{row.strikes:8}{row.in_flight:11}{row.at_risk:9}{row.repeats:9}{row.stall_ms / 1000:9.1f}"
            for row in outcome.rows
        ]
        ends = ", ".join(f"{code}: {count}" for code, count in sorted(report.ends.items()))
        lines.append(f"  workers ended with {ends or 'nothing'}")
        lines += [f"  LOST {name}" for name in outcome.lost[:10]]
        lines += [f"  WRONG {text}" for text in outcome.wrong[:10]]
        lines += [f"  DEFECT {text}" for text in report.defects[:5]]
        lines += [f"  not run: {text}" for text in report.skipped]
        if report.dead_letters != report.plan.poison:
            lines.append(f"  DEAD LETTERS: {report.dead_letters}, not {report.plan.poison}")
        lines.append("")
    return "\n".join(lines)


def _head(report: Report) -> str:
    outcome = report.outcome
    return (
        f"{report.plan.name}: {outcome.records} records, {outcome.results} results in {report.seconds:.0f} s; "
        f"lost {len(outcome.lost)}, wrong verdicts {len(outcome.wrong)}, repeats {outcome.repeats}, "
        f"longest stall {outcome.stall_ms / 1000:.1f} s, dead letters {report.dead_letters}"
    )


def as_json(reports: list[Report]) -> str:
    """All of it."""
    return json.dumps(
        [
            {
                "ok": report.ok,
                "plan": asdict(report.plan),
                "outcome": report.outcome.as_json(),
                "strikes": [asdict(strike) for strike in report.strikes],
                "seconds": round(report.seconds, 1),
                "ends": report.ends,
                "defects": report.defects,
                "skipped": report.skipped,
                "dead_letters": report.dead_letters,
            }
            for report in reports
        ],
        indent=1,
        default=str,
    )


async def _run_all(chosen: list[Plan], at_once: int) -> list[Report]:
    """Make the runs, so many at once; their reports in the order of the plans."""
    turns = asyncio.Semaphore(at_once)

    async def one(plan: Plan) -> Report:
        async with turns:
            report = await run(plan)
            say(f"{plan.name}: {'ok' if report.ok else 'FAILED'}")
            return report

    return await asyncio.gather(*(one(plan) for plan in chosen))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="what CI runs: about a minute and a half")
    parser.add_argument("--seconds", type=float, default=240.0, help="of load and faults in each run (default 240)")
    parser.add_argument("--records", type=int, default=6000, help="proofs in each run (default 6000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--poison", type=int, default=2, help="proofs that kill their worker (default 2)")
    parser.add_argument("--nodes", type=int, nargs="+", choices=(1, 3), default=[1, 3])
    parser.add_argument("--members", choices=("static", "dynamic", "both"), default="both")
    parser.add_argument("--faults", help="names of faults, separated by commas, in place of all")
    parser.add_argument("--no-network", action="store_true", help="without network namespaces")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep the workers' logs there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it there")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if not (arguments.no_network or network.inside()):
        reason = network.why_not()
        if not reason:
            network.enter()
        say(f"no network namespaces here, the faults of the network are left out: {reason}")
    if network.inside():
        network.prepare()
    # The runs of the short suite mostly wait: for sessions that end, for brokers that start.
    reports = asyncio.run(_run_all(plans(arguments), at_once=2 if arguments.short else 1))
    if arguments.json:
        arguments.json.write_text(as_json(reports), "utf-8")
    sys.stdout.write(table(reports))
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
