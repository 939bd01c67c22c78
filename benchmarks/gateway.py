"""The HTTP gateway under load: what it adds to Kafka, and what it needs.

Load client, gateway, worker (synthetic REPL, 0 ms a proof) and broker share the machine:

    python -m benchmarks.gateway --broker kafka --seconds 10 --json benchmarks/results/gateway.json

- *rate*: `--connections` clients (50) each send requests of `--snippets` (8) for `--seconds`; in snippets a second;
- *kafka rate*: the same proofs without HTTP, by the gateway's own way over Kafka in the load client's process: 400 at
  once. The ratio says what HTTP costs;
- *CPU*: of all processes, and of the gateway, a snippet, while the rate is measured. Beside other work, where the rate
  says little, it says what two cores would do: 2 s / CPU a snippet;
- *large*: one request of `--large` snippets (10,000), and the gateway's largest resident memory before and after it;
- *idle*: one snippet after the other, over HTTP and over Kafka alone, alternately; p50 and p99 of both.
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
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from benchmarks.end_to_end import PROOF, a_broker, a_worker, cpu_seconds, fresh_topics
from streamverify.core.gateway.live import LiveState
from streamverify.core.gateway.turns import Places
from streamverify.core.messages.models import Assurance
from streamverify.gateway.batch import BatchOptions, BatchProof
from streamverify.gateway.fair_queue import FairQueue
from streamverify.gateway.observer import Observer
from streamverify.gateway.request_reply import RequestReply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from streamverify.settings import Settings

ASKED = BatchOptions(Assurance.CHECKED, 60)
WARM_UP = 20
PAUSE = 0.01


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured: rates in snippets per second, latencies in milliseconds, memory in MiB."""

    connections: int
    snippets: int
    rate: float
    kafka_rate: float
    all_cpu_us_per_snippet: float
    gateway_cpu_us_per_snippet: float
    large: int
    large_seconds: float
    rss_before: float
    rss_after: float
    http_p50_ms: float
    http_p99_ms: float
    kafka_p50_ms: float
    kafka_p99_ms: float


@contextlib.contextmanager
def a_gateway(settings: Settings) -> Iterator[tuple[int, str]]:
    """A gateway process; its process id and address."""
    environment = os.environ | {
        "STREAMVERIFY_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "STREAMVERIFY_REQUEST_TOPIC": settings.request_topic,
        "STREAMVERIFY_RESULT_TOPIC": settings.result_topic,
        "STREAMVERIFY_GATEWAY_PORT": "0",
        "STREAMVERIFY_LOG_FORMAT": "json",
    }
    argv = [sys.executable, "-m", "streamverify", "gateway"]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None  # noqa: S101 - asked for
        try:
            for line in process.stderr:
                if '"gateway_listening"' in line:
                    yield process.pid, json.loads(line)["url"]
                    break
        finally:
            process.terminate()
            process.stderr.read()


@contextlib.asynccontextmanager
async def kafka_alone(settings: Settings) -> AsyncIterator[RequestReply]:
    """The gateway's way over Kafka, in this process."""
    way = RequestReply(settings, FairQueue(Places(100_000, 100_000, 1024**3)), Observer(LiveState(), counts=True))
    await way.start()
    running = asyncio.create_task(way.run())
    try:
        yield way
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await way.close()


def body(count: int, name: str) -> bytes:
    """A request for so many proofs, all different."""
    snippets = [{"id": str(number), "code": PROOF.format(f"{name}_{number}")} for number in range(count)]
    return orjson.dumps({"snippets": snippets, "timeout": 60})


async def check(session: aiohttp.ClientSession, url: str, sent: bytes, count: int) -> None:
    """Send one request; every snippet must be verified."""
    async with session.post(f"{url}/api/check", data=sent) as response:
        results = orjson.loads(await response.read())["results"]
    if len(results) != count or any(result["streamverify"]["status"] != "verified" for result in results):
        raise SystemExit("the gateway did not verify every snippet")


async def http_rate(session: aiohttp.ClientSession, url: str, args: argparse.Namespace) -> tuple[float, int]:
    """Snippets per second, and how many there were."""
    until = time.perf_counter() + args.seconds
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        round_ = 0
        while time.perf_counter() < until:
            round_ += 1
            await check(session, url, body(args.snippets, f"c{number}_{round_}"), args.snippets)
            done += args.snippets

    begun = time.perf_counter()
    await asyncio.gather(*map(one, range(args.connections)))
    return done / (time.perf_counter() - begun), done


async def kafka_rate(way: RequestReply, args: argparse.Namespace) -> float:
    """Proofs per second without HTTP, as many at once."""
    until = time.perf_counter() + args.seconds
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        round_ = 0
        while time.perf_counter() < until:
            round_ += 1
            proofs = [BatchProof(PROOF.format(f"k{number}_{round_}_{each}")) for each in range(args.snippets)]
            async with aclosing(way.answers(proofs, ASKED, "k", 60, ordered=True)) as outcomes:
                count = len([outcome async for outcome in outcomes])
            done += count

    begun = time.perf_counter()
    await asyncio.gather(*map(one, range(args.connections)))
    return done / (time.perf_counter() - begun)


async def idle(session: aiohttp.ClientSession, url: str, way: RequestReply, count: int) -> tuple[list[float], ...]:
    """Milliseconds of single proofs, over HTTP and over Kafka alone, alternately."""
    times: tuple[list[float], ...] = ([], [])
    for number in range(count + WARM_UP):
        await asyncio.sleep(PAUSE)
        begun = time.perf_counter()
        await check(session, url, body(1, f"i{number}"), 1)
        times[0].append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(PAUSE)
        begun = time.perf_counter()
        proofs = [BatchProof(PROOF.format(f"j{number}"))]
        async with aclosing(way.answers(proofs, ASKED, "k", 60, ordered=True)) as outcomes:
            [_] = [outcome async for outcome in outcomes]
        times[1].append((time.perf_counter() - begun) * 1000)
    return tuple(each[WARM_UP:] for each in times)


def all_cpu_seconds() -> float:
    """CPU time of this process and of all that it has started and that still run: broker, worker, REPLs, gateway."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            parents.setdefault(int(words[1]), []).append(int(folder.name))
    family = [os.getpid()]
    for pid in family:
        family += parents.get(pid, [])
    total = 0.0
    for pid in family:
        with contextlib.suppress(OSError):  # the process that looked has ended
            total += cpu_seconds(pid)
    return total


def memory(pid: int) -> float:
    """The largest resident memory of a process so far, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def measure(servers: str, args: argparse.Namespace) -> Figures:
    """All figures."""
    settings = await fresh_topics(servers)
    with a_worker(settings, "synthetic", args.slots), a_gateway(settings) as (pid, url):
        connector = aiohttp.TCPConnector(limit=args.connections)
        async with aiohttp.ClientSession(connector=connector) as session, kafka_alone(settings) as way:
            await check(session, url, body(WARM_UP, "w"), WARM_UP)
            spent, spent_by_all = cpu_seconds(pid), all_cpu_seconds()
            rate, done = await http_rate(session, url, args)
            spent, spent_by_all = cpu_seconds(pid) - spent, all_cpu_seconds() - spent_by_all
            alone = await kafka_rate(way, args)
            before = memory(pid)
            begun = time.perf_counter()
            await check(session, url, body(args.large, "large"), args.large)
            large_seconds = time.perf_counter() - begun
            after = memory(pid)
            http, kafka = await idle(session, url, way, args.latencies)
    http_cuts, kafka_cuts = (statistics.quantiles(times, n=100) for times in (http, kafka))
    return Figures(
        connections=args.connections,
        snippets=args.snippets,
        rate=round(rate),
        kafka_rate=round(alone),
        all_cpu_us_per_snippet=round(spent_by_all / done * 1e6),
        gateway_cpu_us_per_snippet=round(spent / done * 1e6),
        large=args.large,
        large_seconds=round(large_seconds, 2),
        rss_before=round(before),
        rss_after=round(after),
        http_p50_ms=round(http_cuts[49], 2),
        http_p99_ms=round(http_cuts[98], 2),
        kafka_p50_ms=round(kafka_cuts[49], 2),
        kafka_p99_ms=round(kafka_cuts[98], 2),
    )


def main() -> None:
    """Measure, print, and write JSON where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default="kafka", help="embedded, kafka, or host:port")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--snippets", type=int, default=8)
    parser.add_argument("--large", type=int, default=10_000)
    parser.add_argument("--latencies", type=int, default=200)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with a_broker(args.broker) as servers:
        figures: dict[str, Any] = asdict(asyncio.run(measure(servers, args)))
    figures["http_over_kafka_ms"] = round(figures["http_p50_ms"] - figures["kafka_p50_ms"], 2)
    figures["ratio_to_kafka"] = round(figures["rate"] / figures["kafka_rate"], 3)
    for name, value in figures.items():
        print(f"{name:28} {value:>10}")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
