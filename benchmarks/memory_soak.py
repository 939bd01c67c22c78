"""Memory over a long run: REPLs that leak with every proof, and the worker beside them.

The whole worker on a real broker, with the synthetic REPL told to leak so many MiB a proof. While the proofs run, the
memory of the worker and of each of its REPLs is sampled. What must come out: every verdict right, no REPL above its
budget, and a worker that is no larger at the end than after the first tenth.

    python -m benchmarks.memory_soak --broker kafka --proofs 100000 --leak 1 --memory 256MiB
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ByteSize, TypeAdapter
from rich.console import Console
from rich.table import Table

from benchmarks.end_to_end import a_broker, fresh_topics
from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest
from streamverify.lean.repl.usage import usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.settings import Settings

MIB = 1024**2
ROWS = 10
"""Points of the line that is shown."""


@dataclass(slots=True)
class Memory:
    """What was seen of a worker and its REPLs; sizes in MiB."""

    proofs: int = 0
    seconds: float = 0.0
    worker: float = 0.0
    largest_repl: float = 0.0
    repls_started: int = 0


@dataclass(slots=True)
class Watch:
    """Samples a worker until it is told to stop."""

    worker: int
    repls: set[int] = field(default_factory=set)
    largest: int = 0

    async def run(self) -> None:
        """Look at the REPLs all the time."""
        while True:
            for pid in children(self.worker):
                self.repls.add(pid)
                self.largest = max(self.largest, usage(pid).memory)
            await asyncio.sleep(0.05)


def children(pid: int) -> list[int]:
    """The processes that this one started and that live."""
    with contextlib.suppress(OSError):
        return [
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text("utf-8").split()
        ]
    return []


def resident(pid: int) -> int:
    """Bytes that a process has in memory, its libraries included."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024


@contextlib.contextmanager
def a_worker(settings: Settings, args: argparse.Namespace) -> Iterator[int]:
    """A worker process on the synthetic REPL; its process id."""
    given = {
        "bootstrap_servers": settings.bootstrap_servers,
        "request_topic": settings.request_topic,
        "result_topic": settings.result_topic,
        "dlq_topic": settings.dlq_topic,
        "group_id": settings.request_topic,
        "repl": "synthetic",
        "sandbox": args.sandbox,
        "slots": args.slots,
        "memory_per_repl": args.memory,
        "http_port": 0,
        "log_level": "warning",
    }
    environment = os.environ | {f"STREAMVERIFY_{name.upper()}": str(value) for name, value in given.items()}
    with subprocess.Popen([sys.executable, "-m", "streamverify", "worker"], env=environment) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def requests(first: int, count: int, leak: int) -> list[ProofRequest]:
    """Proofs that leak."""
    directive = f"-- synthetic: leak={leak}" if leak else ""
    return [
        ProofRequest(custom_id=f"soak-{number}", proof=f"theorem t : True := trivial {directive}\n", require="checked")
        for number in range(first, first + count)
    ]


async def soak(servers: str, args: argparse.Namespace) -> list[Memory]:
    """Run all proofs in batches; the memory after each tenth."""
    settings = await fresh_topics(servers)
    points: list[Memory] = []
    done, begun = 0, time.monotonic()
    async with AsyncClient(settings) as client:
        with a_worker(settings, args) as pid:
            watch = Watch(pid)
            watching = asyncio.create_task(watch.run())
            while done < args.proofs:
                count = min(args.batch, args.proofs - done)
                results = await client.verify(requests(done, count, args.leak), timeout=900)
                wrong = [result for result in results if result.status != "verified"]
                if wrong or results.missing:
                    raise SystemExit(f"not every proof was verified:\n{results}")
                done += count
                if done * ROWS // args.proofs > len(points):
                    seconds = round(time.monotonic() - begun, 1)
                    worker = round(resident(pid) / MIB, 1)
                    largest, watch.largest = round(watch.largest / MIB, 1), 0
                    points.append(Memory(done, seconds, worker, largest, len(watch.repls)))
                    print(points[-1], flush=True)
            watching.cancel()
    return points


def table(points: list[Memory], args: argparse.Namespace) -> Table:
    """The figures for people."""
    shown = Table(title=f"{args.leak} MiB leaked a proof, {args.memory} a REPL, {args.slots} slots")
    for heading in ("proofs", "seconds", "worker MiB", "largest REPL MiB", "REPLs started"):
        shown.add_column(heading, justify="right")
    for point in points:
        shown.add_row(*(str(value) for value in asdict(point).values()))
    return shown


def main() -> None:
    """Run it, and end with 1 where a REPL left its budget or the worker grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="embedded", help="embedded, kafka, or host:port")
    parser.add_argument("--proofs", type=int, default=100_000)
    parser.add_argument("--leak", type=int, default=1, help="MiB that each proof leaves behind")
    parser.add_argument("--memory", default="256MiB", help="budget of a REPL")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--batch", type=int, default=2_000, help="proofs that are handed in at once")
    parser.add_argument("--sandbox", default="auto", help="none, or bwrap: the synthetic REPL in the sandbox")
    parser.add_argument("--growth", type=float, default=10.0, help="MiB that the worker may grow after a tenth")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    args = parser.parse_args()
    with a_broker(args.broker) as servers:
        points = asyncio.run(soak(servers, args))
    Console().print(table(points, args))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps([asdict(point) for point in points], indent=2) + "\n", "utf-8")
    budget = TypeAdapter(ByteSize).validate_python(args.memory)
    if max(point.largest_repl for point in points) * MIB > budget:
        raise SystemExit("a REPL left its budget")
    if points[-1].worker - points[0].worker > args.growth:
        raise SystemExit("the worker grew")


if __name__ == "__main__":
    main()
