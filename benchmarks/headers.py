"""Several headers in one REPL process: the private memory that each import adds, and what one process of many saves.

Memory: one process takes the eight headers one after the other, and runs a proof with each. Run: proofs at intervals
with the shares of the mix, on slots that hold one header each, and on slots that hold as many as memory allows.

    python -m benchmarks.headers --repl '/path/to/a/real/repl' [--headers 'Init; Lean'] [--memory 1073741824]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pool import TRIVIAL, job, report, run_all, table
from benchmarks.workload import SHARES
from streamverify.core.scheduling.import_sizes import MAX_HEADERS
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.core.scheduling.scheduler import Rules
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.launch import find_repl
from streamverify.lean.repl.usage import usage
from streamverify.logs import configure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.job import Job, Verdict

HEADERS = "Lean; Init; Std; Lean.Meta; Lean.Elab; Lean.Parser; Lean.Data; Lean.Server"
"""Eight headers of Lean's own library, the most frequent first."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Import:
    """What one process uses after one more header: MiB."""

    header: str
    seconds: float
    private: float
    added: float
    mapped: float
    """Pages of mapped files (.olean, the executable) that are resident: shared with the other processes."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the proofs."""

    headers_per_repl: int
    proofs: int
    slots: int
    elapsed: float
    imports: int
    import_seconds: float
    queued: float
    """Mean seconds until a proof's turn, its own import not included."""
    private: float
    """MiB of all processes at the end."""


async def memory(args: argparse.Namespace) -> list[Import]:
    """One process, all headers."""
    pool = Pool(await find_repl(args.repl, None), slots=1, limits=PoolLimits(headers_per_repl=MAX_HEADERS))
    await pool.start()
    rows: list[Import] = []
    try:
        for number, header in enumerate(parse_prewarm(args.headers)):
            _seconds, [verdict] = await run_all(pool, [job(f"{header.canonical}{TRIVIAL.format(number)}", number)])
            process = pool._dispatcher.slots[0].process  # noqa: SLF001 - what is measured
            session = process._session  # noqa: SLF001
            if session is None or len(process._envs) != number + 1:  # noqa: SLF001
                raise SystemExit("the process did not stay")
            private = usage(session.pid).memory / _MIB
            before = rows[-1].private if rows else 0.0
            name = header.canonical.strip().replace("\n", "; ")
            rows.append(
                Import(
                    name,
                    round(verdict.timings.import_, 2),
                    round(private, 1),
                    round(private - before, 1),
                    round(_mapped(session.pid), 1),
                )
            )
    finally:
        await pool.close()
    return rows


def _mapped(pid: int) -> float:
    """MiB of the process and what it started (a sandbox starts Lean)."""
    total = 0.0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split():
        total += _mapped(int(child))
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("RssFile:"):
            total += int(line.split()[1]) / 1024
    return total


async def paced(pool: Pool, jobs: Iterable[Job], gap: float) -> tuple[float, list[Verdict]]:
    """As `run_all`, with a pause between two proofs: a backlog is sorted by header, and shows little."""
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Future[Verdict]] = []
    begun = loop.time()
    for each in jobs:
        answer: asyncio.Future[Verdict] = loop.create_future()
        answers.append(answer)
        pool.submit(each, lambda _job, verdict, answer=answer: answer.set_result(verdict))  # type: ignore[misc]
        await asyncio.sleep(gap)
    verdicts = await asyncio.gather(*answers)
    return loop.time() - begun, verdicts


async def run(per_repl: int, args: argparse.Namespace) -> Run:
    """The proofs, once."""
    limits = PoolLimits(headers_per_repl=per_repl, memory_per_repl=args.memory)
    pool = Pool(await find_repl(args.repl, None), slots=args.slots, limits=limits, rules=Rules())
    headers = parse_prewarm(args.headers)
    chosen = random.Random(args.seed).choices(headers, SHARES[: len(headers)], k=args.proofs)  # noqa: S311
    await pool.start()
    try:
        jobs = (job(f"{header.canonical}{TRIVIAL.format(number)}", number) for number, header in enumerate(chosen))
        seconds, verdicts = await paced(pool, jobs, args.gap)
        sessions = [slot.process._session for slot in pool._dispatcher.slots]  # noqa: SLF001
        private = sum(usage(session.pid).memory for session in sessions if session is not None) / _MIB
    finally:
        await pool.close()
    queued = sum(verdict.timings.queued for verdict in verdicts) / len(verdicts)
    spent = [verdict.timings.import_ for verdict in verdicts if verdict.timings.import_]
    return Run(
        per_repl,
        args.proofs,
        args.slots,
        round(seconds, 1),
        len(spent),
        round(sum(spent), 1),
        round(queued, 3),
        round(private, 1),
    )


def main() -> None:
    """Measure both, print and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repl", default="synthetic --default-import 0.5", help="as the setting REPL")
    parser.add_argument("--headers", default=HEADERS, help="as the setting PREWARM")
    parser.add_argument("--memory", type=int, default=1 << 30, help="MEMORY_PER_REPL in bytes")
    parser.add_argument("--proofs", type=int, default=600)
    parser.add_argument("--gap", type=float, default=0.02, help="seconds between two proofs")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    configure("error", "text")
    args.out.mkdir(parents=True, exist_ok=True)
    imports = asyncio.run(memory(args))
    report(table("one process, MiB", imports), imports, args.out / "headers-memory.json")
    runs = [asyncio.run(run(per_repl, args)) for per_repl in (1, MAX_HEADERS)]
    report(table(f"{args.proofs} proofs", runs), runs, args.out / "headers-run.json")


if __name__ == "__main__":
    main()
