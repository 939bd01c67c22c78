"""What the result cache saves where proofs repeat, and what it costs where they do not.

For each cache (none, memory, SQLite, Redis) a worker eats three backlogs, alternately with those of the other caches:

- half: every second proof has been sent before, at a random place before it;
- new: no proof repeats, so every one is a miss and is kept;
- again: the proofs of `new` once more, by a worker that was started anew: what outlives a worker is a hit.

The rate is that of the results' timestamps, the worker's CPU time is its process's alone, and Lean's runs are the
results that are not cached. The REPL is the synthetic one; `--repl` names another.

    python -m benchmarks.cache --proofs 10000 --json benchmarks/results/cache.json
    python -m benchmarks.cache --proofs 1000 --repl '/path/to/a/real/repl' --broker kafka
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.table import Table

from benchmarks.end_to_end import a_broker, a_worker, cpu_seconds, fresh_topics
from streamverify.client import AsyncClient
from streamverify.core.cache.memory_cache import MemoryCache
from streamverify.core.cache.seal import Seal
from streamverify.core.job import Job, Record, RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import ProofRequest, Reason, Response, Source
from streamverify.core.syntax.header import parse_header
from streamverify.lean.installation import Installation
from streamverify.lean.repl.command import ReplCommand
from streamverify.worker.result_cache import ResultCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

PROOF = "theorem bench_{0} (p q : Prop) (h : p ∧ q) : q ∧ p :=\n  ⟨h.2, h.1⟩\n"
CACHES = ("none", "memory", "sqlite", "redis")
SEED = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """One backlog under one cache."""

    cache: str
    backlog: str
    proofs: int
    ran: int
    """Results that are not cached."""
    rate: float
    """Proofs per second."""
    worker_cpu_us_per_proof: float
    hit_ms_p50: float | None
    """Of the cached results: from arrival in the worker to the verdict, with the wait in its queue."""


@contextlib.contextmanager
def a_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis of our own, on a socket."""
    executable = shutil.which("redis-server")
    if executable is None:
        raise SystemExit("redis-server is not installed: apt-get install redis-server, or --cache for the others")
    socket = folder / "redis.sock"
    with subprocess.Popen(
        [executable, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    ) as process:
        while not socket.exists():
            time.sleep(0.05)
        try:
            yield f"unix://{socket}"
        finally:
            process.terminate()


def half_repeats(count: int) -> list[str]:
    """As many proofs, of which every second one on average repeats one before it."""
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    sent = [PROOF.format(f"half_{number}") for number in range(count // 2)]
    again = [draw.choice(sent) for _ in range(count - len(sent))]
    mixed = sent + again
    draw.shuffle(mixed)
    return mixed


async def one(settings: Settings, cache: str, backlog: str, texts: list[str], args: argparse.Namespace) -> Figures:
    """A worker eats a backlog that lies on the topic before it starts."""
    async with AsyncClient(settings) as client:
        batch = (
            ProofRequest(custom_id=f"{backlog}-{number}", proof=text, require="checked")
            for number, text in enumerate(texts)
        )
        async for _ticket in client.submit_all(batch):
            pass
    consumer = AIOKafkaConsumer(
        settings.result_topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        with a_worker(settings, args.repl, args.slots) as pid:
            times: dict[bytes | None, int] = {}
            ages: dict[bytes | None, float | None] = {}
            while len(times) < len(texts):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    for record in records:
                        result = decode_result(record.value)
                        if result.status != "verified":
                            raise SystemExit(f"{result.custom_id}: {result.summary}")
                        times[record.key] = record.timestamp
                        ages[record.key] = None if result.cached is None else result.timings.total * 1000
            spent = cpu_seconds(pid)
            # What is kept is written behind; the next worker shall find it.
            await asyncio.sleep(1)
    finally:
        await consumer.stop()
    hits = [age for age in ages.values() if age is not None]
    return Figures(
        cache=cache,
        backlog=backlog,
        proofs=len(texts),
        ran=len(ages) - len(hits),
        rate=round((len(texts) - 1) / ((max(times.values()) - min(times.values())) / 1000), 1),
        worker_cpu_us_per_proof=round(spent / len(texts) * 1e6),
        hit_ms_p50=round(statistics.median(hits), 2) if hits else None,
    )


async def measure(servers: str, args: argparse.Namespace, folder: Path, redis: str) -> list[Figures]:
    """Every backlog under every cache, the caches in turn."""
    new = [PROOF.format(f"new_{number}") for number in range(args.proofs)]
    backlogs = {"half": half_repeats(args.proofs), "new": new, "again": new}
    places = {"none": "none", "memory": "memory", "sqlite": f"sqlite:{folder}/cache.db", "redis": redis}
    figures = []
    for _ in range(args.rounds):
        for backlog, texts in backlogs.items():
            if backlog not in (args.backlog or backlogs):
                continue
            for cache in args.cache or CACHES:
                os.environ["STREAMVERIFY_CACHE"] = places[cache]
                figures.append(await one(await fresh_topics(servers), cache, backlog, texts, args))
                Console(stderr=True).print(f"{figures[-1]}, load {os.getloadavg()[0]:.1f}")
    return figures


async def own_costs(count: int = 5_000) -> dict[str, float]:
    """Microseconds of CPU that the cache itself takes of a worker, without a store: a miss, a verdict kept, a hit."""
    cache = ResultCache(
        Seal(os.urandom(32)),
        MemoryCache(1 << 30),
        None,
        max_age=3600.0,
        installation=Installation.read(ReplCommand(("repl",), {}, None, "lean", wrapped=True)),
        installation_digest="",
        vocabulary_of=lambda _header: None,
    )
    source = Source(topic="lean.proofs", partition=0, offset=0, timestamp=0)
    jobs = []
    for number in range(count):
        request = ProofRequest(custom_id=str(number), proof=PROOF.format(number))
        record = Record(RecordId(0, number, 0), source, None, b"", [], 0.0)
        jobs.append(Job(record, request, parse_header(request.proof)))
    verdict = Verdict(Reason.OK, "Lean accepted the whole file", Response(messages=[], time=0.005))
    costs = {}
    for step in ("miss", "keep", "hit"):
        begun = time.process_time()
        for at in range(0, count, 50):
            if step == "keep":
                for job in jobs[at : at + 50]:
                    cache.keep(job, verdict)
            else:
                await cache.find(jobs[at : at + 50])
        costs[step] = round((time.process_time() - begun) / count * 1e6, 1)
    return costs


def table(figures: list[Figures]) -> Table:
    """The figures for people."""
    shown = Table(title="result cache")
    for heading in ("cache", "backlog", "proofs", "ran", "proofs/s", "worker CPU µs/proof", "hit p50 ms"):
        shown.add_column(heading, justify="left" if heading in {"cache", "backlog"} else "right")
    for run in figures:
        shown.add_row(*("-" if value is None else str(value) for value in asdict(run).values()))
    return shown


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="embedded", help="embedded, kafka, or host:port")
    parser.add_argument("--cache", action="append", choices=CACHES, help="only this one; repeatable")
    parser.add_argument(
        "--backlog", action="append", choices=("half", "new", "again"), help="only this one; repeatable"
    )
    parser.add_argument("--proofs", type=int, default=10_000, help="proofs of each backlog")
    parser.add_argument("--rounds", type=int, default=1, help="times that all is done")
    parser.add_argument("--slots", type=int, default=2, help="REPL processes")
    parser.add_argument("--repl", default="synthetic --service 0.005 --burn", help="as the setting REPL")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    args = parser.parse_args()
    os.environ["STREAMVERIFY_CACHE_KEY"] = "a key of the benchmark, no secret"
    os.environ["STREAMVERIFY_TEST_CACHE_STAND_INS"] = "1"
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        redis = stack.enter_context(a_redis(Path(name))) if "redis" in (args.cache or CACHES) else ""
        servers = stack.enter_context(a_broker(args.broker))
        figures = asyncio.run(measure(servers, args, Path(name), redis))
    Console().print(table(figures))
    Console().print(f"the cache itself, µs of CPU a proof: {asyncio.run(own_costs())}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps([asdict(run) for run in figures], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
