"""The pool on REPL processes: how much of the slots' time is Lean's, and what a trivial proof costs on top of Lean.

Affinity: the same backlog through "evict the least recently used REPL at once" (what HTTP servers do; the same driver,
another scheduler) and through ours. Service and import times are those of `workload`, scaled down together, slept by
the synthetic REPL; that starting a Python process takes 0.1 s is not scaled, and counts against every policy.

Overhead: trivial proofs through the pool, against a bare REPL that gets the same commands one after the other.

    python -m benchmarks.pool affinity overhead [--repl '/path/to/a/real/repl'] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.simulator.policies import LeastRecentlyUsed
from benchmarks.workload import IMPORT_SECONDS, backlog, headers
from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.models import OUTCOMES, ProofRequest, Reason, Source, Status
from streamverify.core.scheduling.header_stats import HeaderStats
from streamverify.core.scheduling.scheduler import PATIENCE, Rules, Start
from streamverify.core.syntax.header import parse_header
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.launch import find_repl
from streamverify.logs import configure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.core.job import Verdict
    from streamverify.core.scheduling.scheduler import SlotState
    from streamverify.core.scheduling.work import Work
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand

SOURCE = Source(topic="bench", partition=0, offset=0, timestamp=0)
TRIVIAL = "theorem bench_{0} (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩"


class LruScheduler:
    """`LeastRecentlyUsed` in the place of the pool's scheduler."""

    def __init__(self, slots: int) -> None:
        self.stats = HeaderStats()
        self.queued = 0
        self.timed = False
        self._policy = LeastRecentlyUsed(slots)
        self._opened: set[int] = set()
        self._slots = slots

    def submit(self, job: Job, now: float, *, work: Work, alone: bool = False) -> list[Start[Job]]:
        self.queued += 1
        return self._starts(self._policy.submit(job, now) if len(self._opened) == self._slots else self._hold(job))  # type: ignore[arg-type]

    def slot_freed(self, slot: int, state: SlotState, now: float) -> list[Start[Job]]:
        if slot not in self._opened:
            self._opened.add(slot)
            return self._starts(self._policy.start()) if len(self._opened) == self._slots else []
        return self._starts(self._policy.freed(slot, now))

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Start[Job]]:
        return []

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        return []

    def keeps_slot_idle(self, now: float) -> bool:
        return False

    def drain(self) -> None:
        """The benchmark ends when everything is answered."""

    def _hold(self, job: Job) -> list[Any]:
        self._policy.queue(job)  # type: ignore[arg-type]
        return []

    def _starts(self, runs: Sequence[Any]) -> list[Start[Job]]:
        self.queued -= len(runs)
        return [Start(run.slot, run.proof) for run in runs]


@dataclass(frozen=True, slots=True)
class Share:
    """One run of the affinity benchmark."""

    policy: str
    proofs: int
    slots: int
    useful: float
    """Lean's time / (slots x elapsed)."""
    elapsed: float
    imports: int
    import_seconds: float


@dataclass(frozen=True, slots=True)
class Overhead:
    """One run of the overhead benchmark: milliseconds, proofs per second."""

    repl: str
    proofs: int
    slots: int
    bare_ms: float
    together_ms: float
    """In a bare REPL beside as many others as there are slots: what the machine allows at best."""
    rate: float
    ratio: float
    """Rate / (slots / bare time)."""
    ratio_together: float
    worker_cpu_us: float


def job(proof: str, number: int) -> Job:
    """A job as the worker makes them."""
    request = ProofRequest(custom_id=str(number), proof=proof)
    record = Record(RecordId(0, number, 0), SOURCE, None, None, [], time.monotonic())
    return Job(record, request, parse_header(proof))


async def run_all(pool: Pool, jobs: Sequence[Job]) -> tuple[float, list[Verdict]]:
    """Seconds from the first submit to the last verdict, and the verdicts."""
    verdicts: list[Verdict] = []
    done = asyncio.Event()

    def on_done(_job: Job, verdict: Verdict) -> None:
        verdicts.append(verdict)
        if len(verdicts) == len(jobs):
            done.set()

    begun = time.perf_counter()
    for each in jobs:
        pool.submit(each, on_done)
    await done.wait()
    seconds = time.perf_counter() - begun
    wrong = [verdict for verdict in verdicts if OUTCOMES[verdict.reason].status is Status.INCONCLUSIVE]
    if wrong:
        raise SystemExit(f"{len(wrong)} proofs have no verdict: {wrong[0]}")
    return seconds, verdicts


async def share(policy: str, args: argparse.Namespace) -> Share:
    """One policy, on processes of its own."""
    scale = args.scale
    flags = [
        f"--import={header.canonical.removeprefix('import ').strip()}={seconds * scale:.4f}"
        for header, seconds in zip(headers(), IMPORT_SECONDS, strict=True)
    ]
    command = await find_repl(shlex.join(["synthetic", *flags]), None)
    per_repl = 8 if "several" in policy else 1
    rules = Rules(spares=args.slots if "spares" in policy else 0, patience=PATIENCE * scale)
    pool = Pool(command, slots=args.slots, limits=PoolLimits(headers_per_repl=per_repl), rules=rules)
    if policy == "lru":
        pool._scheduler = pool._dispatcher._scheduler = LruScheduler(args.slots)  # type: ignore[assignment]  # noqa: SLF001 - the driver stays
    proofs = backlog(args.proofs, seed=args.seed, one_header="one header" in policy)
    jobs = [
        job(f"{proof.header.canonical}theorem t : True := trivial -- synthetic: service={proof.service * scale:.5f}", n)
        for n, proof in enumerate(proofs)
    ]
    try:
        await pool.start()
        seconds, verdicts = await run_all(pool, jobs)
    finally:
        await pool.close()
    spent = [verdict.timings.import_ for verdict in verdicts if verdict.timings.import_]
    useful = sum(proof.service for proof in proofs) * scale
    return Share(
        policy,
        len(jobs),
        args.slots,
        round(useful / (args.slots * seconds), 3),
        round(seconds, 1),
        len(spent),
        round(sum(spent), 1),
    )


def bare(command: ReplCommand, proofs: Sequence[str]) -> float:
    """Mean seconds of a proof in one REPL that is sent nothing else."""
    with subprocess.Popen(
        command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=command.env, cwd=command.cwd
    ) as repl:
        if repl.stdin is None or repl.stdout is None:
            raise AssertionError
        try:
            begun = 0.0
            for number, proof in enumerate(["", *proofs]):
                if number == 1:
                    begun = time.perf_counter()
                fields = {"cmd": proof} if number == 0 else {"cmd": proof, "env": 0}
                repl.stdin.write(orjson.dumps(fields) + b"\n\n")
                repl.stdin.flush()
                while repl.stdout.readline().strip():
                    pass
            return (time.perf_counter() - begun) / len(proofs)
        finally:
            repl.kill()


def bare_together(command: ReplCommand, proofs: Sequence[str], slots: int) -> float:
    """Mean seconds of a proof in each of so many bare REPLs at once."""
    with ThreadPoolExecutor(slots) as threads:
        return sum(threads.map(lambda _: bare(command, proofs), range(slots))) / slots


async def overhead(repl: str, args: argparse.Namespace) -> Overhead:
    """Trivial proofs through the pool, and the same through a bare REPL before and after it."""
    command = await find_repl(repl, None)
    proofs = [
        "\n".join(TRIVIAL.format(f"{number}_{theorem}") for theorem in range(args.theorems))
        for number in range(args.trivial)
    ]
    some = proofs[: args.trivial // 4]
    times = [(bare(command, some), bare_together(command, some, args.slots))]
    pool = Pool(command, slots=args.slots, limits=PoolLimits())
    try:
        await pool.start()
        # Every slot has its process and the header before the clock starts.
        await run_all(pool, [job(f"{TRIVIAL.format(number)} -- warm", number) for number in range(args.slots * 20)])
        jobs = [job(proof, number) for number, proof in enumerate(proofs)]
        cpu = time.process_time()
        seconds, verdicts = await run_all(pool, jobs)
        cpu = time.process_time() - cpu
    finally:
        await pool.close()
    if any(verdict.reason is not Reason.OK for verdict in verdicts):
        raise SystemExit("a trivial proof was not accepted")
    times.append((bare(command, some), bare_together(command, some, args.slots)))
    alone, together = (sum(pair) / len(times) for pair in zip(*times, strict=True))
    rate = len(jobs) / seconds
    return Overhead(
        repl=repl,
        proofs=len(jobs),
        slots=args.slots,
        bare_ms=round(alone * 1000, 3),
        together_ms=round(together * 1000, 3),
        rate=round(rate),
        ratio=round(rate * alone / args.slots, 3),
        ratio_together=round(rate * together / args.slots, 3),
        worker_cpu_us=round(cpu / len(jobs) * 1e6),
    )


def table(title: str, rows: Sequence[Any]) -> Table:
    """Figures for people."""
    shown = Table(title=title)
    for heading in asdict(rows[0]):
        shown.add_column(heading, justify="left" if heading in ("policy", "repl") else "right")
    for row in rows:
        shown.add_row(*(str(value) for value in asdict(row).values()))
    return shown


POLICIES = ("lru", "ours", "ours, spares", "ours, several headers", "ours, one header")


def main() -> None:
    """Run what is named, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=("affinity", "overhead"))
    parser.add_argument("--proofs", type=int, default=600)
    parser.add_argument("--trivial", type=int, default=2000)
    parser.add_argument("--theorems", type=int, default=1, help="theorems in each trivial proof (overhead)")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=0.02, help="what a second becomes (affinity)")
    parser.add_argument("--policy", action="append", choices=POLICIES, help="only these (affinity)")
    parser.add_argument("--repl", action="append", help="as the setting REPL (overhead); default: two synthetic ones")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    configure("error", "text")
    args.out.mkdir(parents=True, exist_ok=True)
    if "affinity" in args.what:
        shares = [asyncio.run(share(policy, args)) for policy in args.policy or POLICIES]
        report(
            table(f"useful Lean time / (slots x elapsed), times x {args.scale:g}", shares),
            shares,
            args.out / "pool-affinity.json",
        )
    if "overhead" in args.what:
        repls = args.repl or ["synthetic --service 0.0045", "synthetic --service 0.0045 --burn"]
        runs = [asyncio.run(overhead(repl, args)) for repl in repls]
        report(
            table("trivial proofs: rate / (slots / time in a bare REPL)", runs), runs, args.out / "pool-overhead.json"
        )


def report(shown: Table, rows: Sequence[Any], file: Path) -> None:
    """Print the table and write the JSON."""
    Console(width=140).print(shown)
    file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
