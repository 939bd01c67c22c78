"""What the metrics cost a worker: of each proof, and of each scrape, against what a proof costs it in the same run.

A worker answers a backlog of trivial proofs (synthetic REPL of 0 ms, embedded broker); how much CPU time it used says
its own metrics. Then, in this process and with a result as the worker made it, what the metrics do for one proof is
done many times: what is noted of the result, and the counts along the proof's way. Switching them off and comparing two
runs would not do: 2 % is less than what one run differs from the next. Last, the worker is scraped many times.

    python -m benchmarks.metrics_cost --proofs 5000 --json benchmarks/results/metrics_cost.json
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from streamverify.bus.embedded import EmbeddedBroker
from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest
from streamverify.core.metrics.labels import EnvironmentState
from streamverify.core.metrics.lean_counts import LeanCounts
from streamverify.core.metrics.metric import Process
from streamverify.lean.slot_process import AttemptTimes
from streamverify.settings import load_settings
from streamverify.telemetry.metrics import Metrics
from streamverify.worker.metrics import Observations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streamverify.core.messages.models import ProofResult

PROOF = "theorem bench_{0} (p q : Prop) (h : p ∧ q) : q ∧ p :=\n  ⟨h.2, h.1⟩\n"
RATE = 3_000
"""Proofs per second at which the share is asked for."""
SCRAPE_SECONDS = 15.0
"""Seconds between two scrapes: twice as often as Prometheus does by default."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured."""

    proofs: int
    worker_us_per_proof: float
    """CPU time of the worker's process, metrics included."""
    metrics_us_per_proof: float
    """CPU time of what the metrics do for a proof; the median of several rounds."""
    scrape_ms: float
    """CPU time of the worker for one scrape over HTTP."""
    page_bytes: int
    proof_percent: float
    """What the metrics of a proof are of what it costs the worker."""
    scrape_percent: float
    """What a scrape every `SCRAPE_SECONDS` is of what `RATE` proofs a second cost the worker."""


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proofs", type=int, default=5_000)
    parser.add_argument("--scrapes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    given = parser.parse_args()
    figures = asyncio.run(measure(given.proofs, given.scrapes, given.rounds))
    text = json.dumps(asdict(figures), indent=1)
    sys.stdout.write(f"{text}\n")
    if given.json is not None:
        given.json.write_text(f"{text}\n", "utf-8")


async def measure(proofs: int, scrapes: int, rounds: int) -> Figures:
    """Run a worker on a broker of its own, and hold what the metrics cost against what it costs."""
    with EmbeddedBroker() as broker, a_worker(worker_environment(broker.bootstrap_servers)) as (environment, url):
        result = await answered(environment, 200)  # what is paid once: imports, connections, caches
        before = await cpu_seconds(url)
        await answered(environment, proofs)
        per_proof = (await cpu_seconds(url) - before) / proofs
        before = await cpu_seconds(url)
        for _ in range(scrapes):
            page = await get(url)
        # A look at the CPU time is a scrape, too.
        scrape = (await cpu_seconds(url) - before) / (scrapes + 1)
    metrics = statistics.median(noting(result) for _ in range(rounds))
    return Figures(
        proofs,
        round(per_proof * 1e6, 1),
        round(metrics * 1e6, 2),
        round(scrape * 1e3, 2),
        len(page),
        round(100 * metrics / per_proof, 2),
        round(100 * scrape / SCRAPE_SECONDS / (RATE * per_proof), 3),
    )


def noting(result: ProofResult, times: int = 20_000) -> float:
    """CPU seconds of what the metrics do for one proof: what of it is not needed for anything else."""
    noted = Observations(Metrics(Process.WORKER))
    counts, environments = LeanCounts(), Counter[EnvironmentState]()
    consumed, spent = Counter[str](), AttemptTimes(run=0.001)

    def acknowledged() -> None:
        noted.published(result, second=False)

    begun = time.process_time()
    for _ in range(times):
        consumed["records"] += 1
        environments[EnvironmentState.WARM] += 1
        spent.count(counts)
        counts.useful_seconds += spent.run + spent.audit
        acknowledged()
    return (time.process_time() - begun) / times


def worker_environment(servers: str) -> dict[str, str]:
    """Make the environment of a worker with topics of its own."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    settings = {
        "BOOTSTRAP_SERVERS": servers,
        "GROUP_ID": name,
        "REQUEST_TOPIC": f"{name}.proofs",
        "RESULT_TOPIC": f"{name}.results",
        "DLQ_TOPIC": f"{name}.dlq",
        "GROUPS_TOPIC": f"{name}.groups",
        "REPL": "synthetic",
        "REQUIRE": "checked",
        "HTTP_PORT": "0",
        "SLOTS": "2",
    }
    return {**os.environ, "NO_COLOR": "1", **{f"STREAMVERIFY_{key}": value for key, value in settings.items()}}


@contextlib.contextmanager
def a_worker(environment: dict[str, str]) -> Iterator[tuple[dict[str, str], str]]:
    """A worker that has its partitions: its environment, and the address of its metrics."""
    argv = [sys.executable, "-m", "streamverify", "worker"]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        try:
            said = ""
            for line in worker.stderr or ():
                said += line
                if "partitions_restored" in line:
                    break
            port = re.search(r"http_listening .*port=(\d+)", said)
            if port is None:
                raise SystemExit(f"the worker ended: {said}")
            yield environment, f"http://127.0.0.1:{port[1]}/metrics"
        finally:
            worker.terminate()


async def answered(environment: Mapping[str, str], proofs: int) -> ProofResult:
    """Have so many proofs verified; the last result."""
    names = ("BOOTSTRAP_SERVERS", "GROUP_ID", "REQUEST_TOPIC", "RESULT_TOPIC", "DLQ_TOPIC", "GROUPS_TOPIC")
    given: dict[str, Any] = {name.lower(): environment[f"STREAMVERIFY_{name}"] for name in names}
    settings = load_settings(**given)
    run = uuid.uuid4().hex[:8]
    requests = [ProofRequest(custom_id=f"{run}-{number}", proof=PROOF.format(number)) for number in range(proofs)]
    async with AsyncClient(settings) as client:
        results = await client.verify(requests, timeout=600)
    return results[-1]


async def get(url: str) -> bytes:
    """Scrape once."""

    def ask() -> bytes:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
            page: bytes = answer.read()
            return page

    return await asyncio.to_thread(ask)


async def cpu_seconds(url: str) -> float:
    """The CPU time of the worker's own process so far."""
    for family in text_string_to_metric_families((await get(url)).decode()):
        for sample in family.samples:
            if sample.name == "process_cpu_seconds_total":
                return float(sample.value)
    raise SystemExit("the page has no process_cpu_seconds_total")


if __name__ == "__main__":
    main()
