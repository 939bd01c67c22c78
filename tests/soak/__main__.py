"""`python -m soak`: an hour of load with faults now and then, or a part of it (`make soak`).

Writes soak.md, soak.png and soak.json into a folder, and prints the findings. Exit code 0: all as it must be; 1: not.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from chaos import network
from chaos.run import say
from soak.report import markdown, write
from soak.run import SoakPlan, run


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=_positive, default=60.0, help="of load (default 60)")
    parser.add_argument("--rate", type=_positive, default=200.0, help="proofs a second (default 200)")
    parser.add_argument("--every", type=_positive, default=20.0, help="seconds between two faults (default 20)")
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=3, help="brokers (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", help="names of faults, separated by commas, in place of all")
    parser.add_argument("--no-network", action="store_true", help="without network namespaces")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep the workers' logs there")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path(".soak"), help="the report (default .soak)")
    return parser.parse_args(given)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def main() -> int:
    """Make the soak that was asked for."""
    asked = arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if not (asked.no_network or network.inside()):
        reason = network.why_not()
        if not reason:
            network.enter()
        say(f"no network namespaces here, the faults of the network are left out: {reason}")
    if network.inside():
        network.prepare()
    plan = SoakPlan(
        asked.minutes,
        asked.rate,
        asked.every,
        asked.nodes,
        asked.seed,
        network=not asked.no_network,
        only=tuple(asked.faults.split(",")) if asked.faults else (),
        logs=asked.logs,
    )
    report = asyncio.run(run(plan))
    write(report, asked.out)
    sys.stdout.write(markdown(report))
    say(f"the report is in {asked.out}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
