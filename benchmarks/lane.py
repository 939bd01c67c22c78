"""400 short proofs behind slow ones, through the pool with the synthetic REPL: with a lane for short work, and without.

Short ones take 20 ms and have a time-out of 60 s; the slow ones, 20 for each slot, take 3 s and have one of 300 s. All
are there at the start, the slow ones first. Seconds from the start until a proof has its verdict.

    python -m benchmarks.lane [--slots 2]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.pool import SOURCE
from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.models import OUTCOMES, ProofRequest, Status
from streamverify.core.scheduling.durations import LONG_TIMEOUT
from streamverify.core.scheduling.scheduler import Rules
from streamverify.core.syntax.header import parse_header
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.launch import find_repl
from streamverify.logs import configure

if TYPE_CHECKING:
    from streamverify.core.job import Verdict
    from streamverify.lean.repl.command import ReplCommand

SHORT, SLOW_EACH = 400, 20


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, in seconds."""

    kind: str
    slots: int
    short_p50: float
    short_p99: float
    last_short: float
    last_slow: float


def job(number: int, *, slow: bool) -> Job:
    """A job as the worker makes them."""
    proof = f"theorem t_{number} : 1 = 1 := rfl -- synthetic: service={3 if slow else 0.02}"
    request = ProofRequest(custom_id=f"{number}", proof=proof, timeout=300.0 if slow else 60.0)
    record = Record(RecordId(0, number, 0), SOURCE, None, None, [], time.monotonic())
    return Job(record, request, parse_header(proof))


async def run(kind: str, long_timeout: float, command: ReplCommand, slots: int) -> Figures:
    """One pool, one backlog."""
    rules = Rules(slots, long_timeout=long_timeout)
    pool = Pool(command, slots=slots, limits=PoolLimits(max_timeout=600.0), rules=rules)
    slow = [job(number, slow=True) for number in range(SLOW_EACH * slots)]
    short = [job(number, slow=False) for number in range(len(slow), len(slow) + SHORT)]
    at: dict[Job, float] = {}
    done = asyncio.Event()

    def on_done(each: Job, verdict: Verdict) -> None:
        if OUTCOMES[verdict.reason].status is not Status.VERIFIED:
            raise SystemExit(f"no verdict: {verdict}")
        at[each] = time.monotonic() - begun
        if len(at) == len(slow) + len(short):
            done.set()

    # The processes are there before the backlog is: their start is not what is measured.
    await pool.start([parse_header("theorem t")])
    begun = time.monotonic()
    for each in [*slow, *short]:
        pool.submit(each, on_done)
    await done.wait()
    await pool.close()
    cuts = statistics.quantiles([at[each] for each in short], n=100)
    last_short, last_slow = max(at[each] for each in short), max(at[each] for each in slow)
    return Figures(kind, slots, *(round(seconds, 2) for seconds in (cuts[49], cuts[98], last_short, last_slow)))


async def measure(slots: int) -> list[Figures]:
    """Both ways."""
    command = await find_repl("synthetic", None)
    return [await run(kind, limit, command, slots) for kind, limit in (("no lane", math.inf), ("lane", LONG_TIMEOUT))]


def main() -> None:
    """Run both, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    configure("warning", "text")
    figures = asyncio.run(measure(args.slots))
    shown = Table(title=f"{SHORT} short proofs behind {SLOW_EACH * args.slots} slow ones")
    for heading in asdict(figures[0]):
        shown.add_column(heading, justify="left" if heading == "kind" else "right")
    for each in figures:
        shown.add_row(*(str(value) for value in asdict(each).values()))
    Console(width=120).print(shown)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "lane.json").write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
