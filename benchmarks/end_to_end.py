"""Proofs per second and idle latency, from produce to result, through a real broker and a real worker process.

The REPL is the synthetic one with 0 ms of service, so what is measured is streamverify and Kafka alone, or the one that
`--repl` names. Four figures:

- backlog: the proofs lie on the topic before the worker starts; the rate is that of the results' timestamps;
- live: `AsyncClient.verify` hands them in and reads the results on the same cores, from the first send to the last
  result;
- latency: one proof at a time on an idle worker, from before the send to the result's arrival;
- ratio: the backlog's rate / (slots / mean time of such a proof in a bare REPL, measured before and after it).

    python -m benchmarks.end_to_end --broker embedded --broker kafka --json benchmarks/results/end_to_end.json
    python -m benchmarks.end_to_end --broker kafka --proofs 2000 --repl '/path/to/a/real/repl' --theorems 5
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.table import Table

from benchmarks.pool import bare
from streamverify.bus.admin import patient_admin
from streamverify.bus.embedded import EmbeddedBroker
from streamverify.bus.topics import create_topics, plan_topics
from streamverify.client import AsyncClient
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.messages.models import ProofRequest
from streamverify.lean.repl.launch import find_repl
from streamverify.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
KAFKA = ROOT / "deploy" / "kafka" / "kafka.py"
PROOF = "theorem bench_{0} (p q : Prop) (h : p ∧ q) : q ∧ p :=\n  ⟨h.2, h.1⟩\n"
WARM_UP = 20
PAUSE = 0.01
"""Seconds between two proofs of the latency run, so that each finds the worker idle."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured: rates in proofs per second, latencies in milliseconds."""

    broker: str
    proofs: int
    slots: int
    backlog_rate: float
    live_rate: float
    latency_p50_ms: float
    latency_p99_ms: float
    worker_cpu_us_per_proof: float
    bare_ms: float
    """Of one proof in a bare REPL; the mean of before and after the backlog."""
    ratio: float
    """Backlog rate / (slots / bare time)."""


@contextlib.contextmanager
def a_broker(name: str) -> Iterator[str]:
    """The bootstrap servers of the named broker: `embedded`, `kafka` (from its jars), or an address."""
    if name == "embedded":
        with EmbeddedBroker() as broker:
            yield broker.bootstrap_servers
    elif name == "kafka":
        with subprocess.Popen([sys.executable, KAFKA, "run"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - asked for
            try:
                yield process.stdout.readline().strip()
            finally:
                process.terminate()
    else:
        yield name


@contextlib.contextmanager
def a_worker(settings: Settings, repl: str, slots: int) -> Iterator[int]:
    """A worker process; its process id."""
    environment = os.environ | {
        "STREAMVERIFY_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "STREAMVERIFY_REQUEST_TOPIC": settings.request_topic,
        "STREAMVERIFY_RESULT_TOPIC": settings.result_topic,
        "STREAMVERIFY_DLQ_TOPIC": settings.dlq_topic,
        "STREAMVERIFY_GROUP_ID": settings.request_topic,
        "STREAMVERIFY_REPL": repl,
        "STREAMVERIFY_SLOTS": str(slots),
        "STREAMVERIFY_HTTP_PORT": "0",
        "STREAMVERIFY_LOG_LEVEL": os.environ.get("STREAMVERIFY_LOG_LEVEL", "warning"),
    }
    with subprocess.Popen([sys.executable, "-m", "streamverify", "worker"], env=environment) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process (not its children), user and system."""
    words = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def proofs(count: int, theorems: int) -> list[str]:
    """Small proofs without imports, each of so many theorems."""
    return ["".join(PROOF.format(f"{number}_{each}") for each in range(theorems)) for number in range(count)]


def requests(prefix: str, count: int, theorems: int) -> list[ProofRequest]:
    """The requests for as many of them."""
    return [
        ProofRequest(custom_id=f"{prefix}-{number}", proof=proof, require="checked")
        for number, proof in enumerate(proofs(count, theorems))
    ]


async def backlog_rate(settings: Settings, count: int) -> float:
    """Results per second while a worker eats `count` proofs that lay ready; read once they are all there."""
    consumer = AIOKafkaConsumer(
        settings.result_topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        while sum((await consumer.end_offsets(consumer.assignment())).values()) < count:
            await asyncio.sleep(0.1)
        times: dict[bytes | None, int] = {}
        while len(times) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                times |= {record.key: record.timestamp for record in records}
    finally:
        await consumer.stop()
    return (count - 1) / ((max(times.values()) - min(times.values())) / 1000)


async def live_rate(client: AsyncClient, batch: list[ProofRequest]) -> float:
    """Proofs per second from the first send to the last verdict, on an idle worker."""
    begun = time.perf_counter()
    results = await client.verify(batch, timeout=600)
    seconds = time.perf_counter() - begun
    if results.missing or any(result.status != "verified" for result in results):
        raise SystemExit("the worker did not verify every proof")
    return len(batch) / seconds


async def latencies(client: AsyncClient, batch: list[ProofRequest]) -> list[float]:
    """Milliseconds from before a send to the arrival of its result, one proof after the other."""
    arrived: asyncio.Queue[str] = asyncio.Queue()

    async def follow() -> None:
        async for result in client.results(since=timedelta(0), follow=True):
            arrived.put_nowait(result.custom_id)

    follower = asyncio.create_task(follow())
    await asyncio.sleep(1)  # until it stands at the topic's end
    try:
        milliseconds = [await one_latency(client, arrived, request) for request in batch]
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)
    return milliseconds[WARM_UP:]


async def one_latency(client: AsyncClient, arrived: asyncio.Queue[str], request: ProofRequest) -> float:
    """Milliseconds of one proof."""
    await asyncio.sleep(PAUSE)
    begun = time.perf_counter()
    await client.submit(request)
    while await arrived.get() != request.custom_id:
        pass
    return (time.perf_counter() - begun) * 1000


async def measure(name: str, servers: str, args: argparse.Namespace) -> Figures:
    """All figures on one broker."""
    settings = await fresh_topics(servers)
    repl = await find_repl(args.repl, None)
    some = proofs(max(1, args.proofs // 4), args.theorems)
    async with AsyncClient(settings) as client:
        async for _ticket in client.submit_all(requests("backlog", args.proofs, args.theorems)):
            pass
        times = [await asyncio.to_thread(bare, repl, some)]
        with a_worker(settings, args.repl, args.slots) as pid:
            backlog = await backlog_rate(settings, args.proofs)
            spent = cpu_seconds(pid)
            live = await live_rate(client, requests("live", args.proofs, args.theorems))
            spent = cpu_seconds(pid) - spent
        times.append(await asyncio.to_thread(bare, repl, some))
    settings = await fresh_topics(servers)
    async with AsyncClient(settings) as client:
        with a_worker(settings, args.repl, args.slots):
            idle = await latencies(client, requests("idle", args.latencies + WARM_UP, args.theorems))
    cuts = statistics.quantiles(idle, n=100)
    return Figures(
        broker=name,
        proofs=args.proofs,
        slots=args.slots,
        backlog_rate=round(backlog),
        live_rate=round(live),
        latency_p50_ms=round(cuts[49], 2),
        latency_p99_ms=round(cuts[98], 2),
        worker_cpu_us_per_proof=round(spent / args.proofs * 1e6),
        bare_ms=round(statistics.mean(times) * 1000, 3),
        ratio=round(backlog * statistics.mean(times) / args.slots, 3),
    )


async def fresh_topics(servers: str, partitions: int = 4) -> Settings:
    """Settings with topics of their own; the embedded broker makes them of 4 partitions by itself."""
    run = f"bench{time.time_ns()}"
    settings = load_settings(
        bootstrap_servers=servers,
        request_topic=f"{run}.proofs",
        result_topic=f"{run}.results",
        dlq_topic=f"{run}.dlq",
        groups_topic=f"{run}.groups",
    )
    async with patient_admin(settings) as admin:
        with contextlib.suppress(BrokerUnavailable):
            await create_topics(admin, plan_topics(settings, partitions=partitions))
    return settings


def table(figures: list[Figures]) -> Table:
    """The figures for people."""
    shown = Table(title="produce to result")
    headings = ("broker", "proofs", "slots", "backlog /s", "live /s", "p50 ms", "p99 ms", "worker CPU µs/proof")
    for heading in (*headings, "bare ms", "ratio"):
        shown.add_column(heading, justify="left" if heading == "broker" else "right")
    for run in figures:
        shown.add_row(*(str(value) for value in asdict(run).values()))
    return shown


def main() -> None:
    """Run the benchmark on each broker that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", action="append", help="embedded, kafka, or host:port; repeatable")
    parser.add_argument("--proofs", type=int, default=10_000, help="proofs of each of the two rates")
    parser.add_argument("--latencies", type=int, default=500, help="proofs of the latency run")
    parser.add_argument("--slots", type=int, default=2, help="REPL processes")
    parser.add_argument("--repl", default="synthetic", help="as the setting REPL")
    parser.add_argument("--theorems", type=int, default=1, help="theorems in each proof")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    args = parser.parse_args()
    figures = []
    for name in args.broker or ["embedded"]:
        with a_broker(name) as servers:
            figures.append(asyncio.run(measure(name, servers, args)))
    Console().print(table(figures))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps([asdict(run) for run in figures], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
