"""Partitioners on real processes: four workers of two slots on a real Kafka, the mix of eight headers, one run each.

The REPL is the synthetic one: imports of half a second, proofs that sleep as long as recorded ones took, scaled down.
Proofs come at random so that Lean alone would keep the slots busy for `--load` of the time. Every partitioner gets the
same proofs.
Imports are those that the workers log; a wait is from the record's timestamp to its result's, less Lean's time.

    python -m benchmarks.cluster [--proofs 2000] [--partitions 4] [--headers-per-repl 1]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from benchmarks.end_to_end import a_broker, fresh_topics
from benchmarks.simulator.partitioners import PARTITIONERS
from benchmarks.workload import mean_service, stream
from streamverify.core.scheduling.scheduler import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.simulator.partitioners import Make
    from benchmarks.workload import Proof
    from streamverify.settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """What one partitioner did: seconds."""

    partitioner: str
    proofs: int
    imports: int
    wall: float
    """From the first record to the last result."""
    ideal: float
    """Lean's time / slots, or until the last proof came where that is later."""
    wait_p50: float
    wait_p99: float


@contextlib.contextmanager
def workers(settings: Settings, args: argparse.Namespace, folder: Path) -> Iterator[list[Path]]:
    """Workers that remember nothing from before; their logs."""
    environment = os.environ | {
        "XDG_STATE_HOME": str(folder),
        "STREAMVERIFY_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "STREAMVERIFY_REQUEST_TOPIC": settings.request_topic,
        "STREAMVERIFY_RESULT_TOPIC": settings.result_topic,
        "STREAMVERIFY_DLQ_TOPIC": settings.dlq_topic,
        "STREAMVERIFY_GROUP_ID": settings.request_topic,
        "STREAMVERIFY_REPL": f"synthetic --default-import {args.import_seconds}",
        "STREAMVERIFY_SLOTS": str(args.slots),
        "STREAMVERIFY_HEADERS_PER_REPL": args.headers_per_repl,
        "STREAMVERIFY_PATIENCE": str(PATIENCE * args.scale),
        "STREAMVERIFY_PREWARM": "none",
        "STREAMVERIFY_HTTP_PORT": "0",
        "STREAMVERIFY_LOG_LEVEL": "info",
    }
    logs = [folder / f"worker-{number}.log" for number in range(args.workers)]
    with contextlib.ExitStack() as stack:
        for log in logs:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "streamverify", "worker"],
                    env=environment,
                    stderr=stack.enter_context(log.open("wb")),
                )
            )
            stack.callback(process.terminate)
        yield logs


async def all_have_partitions(logs: Sequence[Path], partitions: int) -> None:
    """Wait until the group has settled: each worker's last assignment, and all of them together every partition."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        await asyncio.sleep(1)
        found = [
            [line for line in log.read_text("utf-8").splitlines() if "partitions_assigned" in line] for log in logs
        ]
        if all(found) and sum(lines[-1].count(",") + 1 for lines in found) >= partitions:
            await asyncio.sleep(3)
            return
    raise SystemExit("the workers did not get their partitions")


async def send(settings: Settings, proofs: Sequence[Proof], args: argparse.Namespace, make: Make) -> None:
    """Each proof at its time, to the partition that the partitioner chooses."""
    choose = make(args.partitions, random.Random(1))  # noqa: S311
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    await producer.start()
    begun = time.monotonic()
    try:
        for number, proof in enumerate(proofs):
            await asyncio.sleep(max(0.0, begun + proof.arrival * args.scale - time.monotonic()))
            service = f"service={proof.service * args.scale:.5f}"
            text = f"{proof.header.canonical}theorem t : 1 = 1 := rfl -- synthetic: {service}"
            value = {"custom_id": str(number), "proof": text, "require": "checked"}
            key = proof.header.fingerprint.encode()
            await producer.send(settings.request_topic, json.dumps(value).encode(), key, partition=choose(key))
        await producer.flush()
    finally:
        await producer.stop()


async def collect(settings: Settings, count: int) -> tuple[float, list[float]]:
    """Seconds from the first record to the last result, and each proof's wait."""
    consumer = AIOKafkaConsumer(
        settings.result_topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    sent: list[int] = []
    waits: dict[str, float] = {}
    last = 0
    try:
        while len(waits) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    value = record.value or b""
                    result = json.loads(value)
                    if result["status"] != "verified":
                        raise SystemExit(f"a proof was not verified: {value[:500]!r}")
                    came = result["source"]["timestamp"]
                    sent.append(came)
                    last = max(last, record.timestamp)
                    waits[result["custom_id"]] = (record.timestamp - came) / 1000 - result["timings"]["run"]
    finally:
        await consumer.stop()
    return (last - min(sent)) / 1000, list(waits.values())


async def measure(name: str, servers: str, args: argparse.Namespace) -> Run:
    """One partitioner, with topics and workers of its own."""
    settings = await fresh_topics(servers, args.partitions)
    slots = args.workers * args.slots
    proofs = stream(args.proofs, args.seed, slots=slots, load=args.load)
    with tempfile.TemporaryDirectory() as folder, workers(settings, args, Path(folder)) as logs:
        await all_have_partitions(logs, args.partitions)
        collecting = asyncio.create_task(collect(settings, len(proofs)))
        await send(settings, proofs, args, PARTITIONERS[name])
        wall, waits = await collecting
        imports = sum(log.read_text("utf-8").count("header_imported") for log in logs)
    cuts = statistics.quantiles(waits, n=100)
    lean = sum(proof.service for proof in proofs) / slots
    ideal = max(lean, proofs[-1].arrival) * args.scale
    return Run(name, len(proofs), imports, round(wall, 1), round(ideal, 1), round(cuts[49], 2), round(cuts[98], 2))


def main() -> None:
    """Run every partitioner on one broker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="kafka", help="kafka, or host:port")
    parser.add_argument("--proofs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--load", type=float, default=0.8)
    parser.add_argument("--scale", type=float, default=0.05, help="what a second of a recorded proof becomes")
    parser.add_argument("--import-seconds", type=float, default=0.5)
    parser.add_argument("--headers-per-repl", default="1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitioner", action="append", choices=PARTITIONERS, help="only these")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    with a_broker(args.broker) as servers:
        runs = [asyncio.run(measure(name, servers, args)) for name in args.partitioner or PARTITIONERS]
    shown = Table(title=f"{args.workers} workers of {args.slots} slots, {args.partitions} partitions")
    for heading in asdict(runs[0]):
        shown.add_column(heading, justify="left" if heading == "partitioner" else "right")
    for run in runs:
        shown.add_row(*(str(value) for value in asdict(run).values()))
    Console(width=140).print(shown)
    print(f"a proof takes {mean_service() * args.scale:.2f} s, an import {args.import_seconds} s")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "cluster.json").write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
