"""What the audit costs a proof: the same honest proofs at `checked` and at `audited`, in turn, in one slot.

python benchmarks/audit_cost.py --repl 'lake env /path/to/repl' [--rounds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import time
from typing import TYPE_CHECKING

import structlog

from streamverify.core.audit.policy import TokenizedProof
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.models import Assurance, ProofRequest, Reason, Source
from streamverify.core.syntax.header import parse_header
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.repl.launch import find_repl

if TYPE_CHECKING:
    from streamverify.core.job import Verdict

SOURCE = Source(topic="t", partition=0, offset=0, timestamp=0)
PROOFS = (
    "theorem a : 1 + 1 = 2 := rfl\n",
    "theorem b (p q : Prop) (hp : p) (hq : q) : p ∧ q := ⟨hp, hq⟩\n",
    "theorem c (n : Nat) : n + 0 = n := by simp\n",
    "namespace N\ndef f (n : Nat) : Nat := n\ntheorem d (n : Nat) : f n = n := rfl\ntheorem e : f 1 = 1 := d 1\n",
)
STATED = ("theorem a : 1 + 1 = 2 := rfl\n", "theorem a : 1 + 1 = 2 := sorry\n")


async def verify(pool: Pool, proof: str, assurance: Assurance, statement: str | None = None) -> Verdict:
    """One proof, and nothing else at the time."""
    outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    header = parse_header(proof)
    request = ProofRequest(custom_id="a", proof=proof, statement=statement)
    record = Record(RecordId(0, 0, 0), SOURCE, None, None, [], time.monotonic())
    job = Job(record, request, header, assurance)
    pool.submit(job, lambda _, verdict: outcome.set_result(verdict))
    verdict = await outcome
    if verdict.reason is not Reason.OK:
        raise SystemExit(f"{proof!r}: {verdict.reason}: {verdict.summary}")
    return verdict


async def measure(repl: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each kind, first use left out."""
    pool = Pool(await find_repl(repl, None), slots=1, limits=PoolLimits())
    await pool.start()
    times: dict[str, list[float]] = {"checked: run": [], "audited: run": [], "audit": [], "audit with a statement": []}
    try:
        for number in range(rounds + 1):
            for proof in PROOFS:
                checked = await verify(pool, proof, Assurance.CHECKED)
                audited = await verify(pool, proof, Assurance.AUDITED)
                stated = await verify(pool, STATED[0], Assurance.AUDITED, STATED[1])
                if number:
                    times["checked: run"].append(checked.timings.run * 1e3)
                    times["audited: run"].append(audited.timings.run * 1e3)
                    times["audit"].append(audited.timings.audit * 1e3)
                    times["audit with a statement"].append(stated.timings.audit * 1e3)
    finally:
        await pool.close()
    return times


def policy(rounds: int) -> list[float]:
    """Milliseconds of the policy alone, which every proof is looked at by once before it is queued."""
    times = []
    for _ in range(rounds):
        for proof in PROOFS:
            begun = time.perf_counter()
            TokenizedProof(proof, parse_header(proof)).check(SHIPPED)
            times.append((time.perf_counter() - begun) * 1e3)
    return times


def main() -> None:
    """Print a row a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repl", required=True, help="a real Lean, as STREAMVERIFY_REPL names it")
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    times = asyncio.run(measure(args.repl, args.rounds)) | {"policy, in Python": policy(args.rounds)}
    print(f"{'':24} {'median ms':>10} {'p90 ms':>8}")
    for name, each in times.items():
        print(f"{name:24} {statistics.median(each):10.2f} {statistics.quantiles(each, n=10)[-1]:8.2f}")


if __name__ == "__main__":
    main()
