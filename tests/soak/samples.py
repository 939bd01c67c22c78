"""What is sampled each second: of each worker's process by its metrics and by /proc, of the run by its ledger."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from chaos.fleet import Fleet, Worker
    from soak.ledger import Ledger

MIB = 1024**2
FIGURES = ("memory", "descriptors", "threads", "in_flight")
"""What is sampled of each process: MiB, then counts."""
_EVERY = 1.0
_METRICS = {
    "process_resident_memory_bytes": "memory",
    "process_open_fds": "descriptors",
    "streamverify_records_in_flight": "in_flight",
    "streamverify_backlog_records": "backlog",
}


@dataclass(slots=True)
class Life:
    """One process of a worker: figures by name, each with the second of the run at which it was taken."""

    worker: str
    pid: int
    figures: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: {name: [] for name in FIGURES})

    @property
    def name(self) -> str:
        """Worker and process."""
        return f"{self.worker} ({self.pid})"

    @property
    def seconds(self) -> float:
        """From its first sample to its last."""
        taken = self.figures["threads"]
        return taken[-1][0] - taken[0][0] if taken else 0.0


@dataclass(slots=True)
class Samples:
    """Everything that was sampled."""

    lives: dict[int, Life] = field(default_factory=dict)
    sent: list[tuple[float, int]] = field(default_factory=list)
    answered: list[tuple[float, int]] = field(default_factory=list)
    open: list[tuple[float, int]] = field(default_factory=list)
    backlog: list[tuple[float, float]] = field(default_factory=list)
    """The sum of what the workers say of their partitions, where all of them say something."""


async def sample(fleet: Fleet, ledger: Ledger, samples: Samples, began: float) -> None:
    """Sample until cancelled; `began` is the run's beginning on the monotonic clock."""
    while True:
        now = time.monotonic() - began
        samples.sent.append((now, ledger.sent))
        samples.answered.append((now, ledger.answered))
        samples.open.append((now, ledger.open))
        running = [worker for worker in fleet.workers if worker.running]
        backlogs = await asyncio.gather(*(_of_worker(worker, samples, now) for worker in running))
        known = [backlog for backlog in backlogs if backlog is not None]
        if known and len(known) == len(running):
            samples.backlog.append((now, sum(known)))
        await asyncio.sleep(max(0.0, _EVERY - (time.monotonic() - began - now)))


async def _of_worker(worker: Worker, samples: Samples, now: float) -> float | None:
    """Sample one worker. Returns its backlog where it says one."""
    if worker.process is None:
        return None
    pid = worker.process.pid
    said: dict[str, float] = {}
    with suppress(OSError, ValueError):
        said = await asyncio.to_thread(_metrics, worker.url)
    threads = _threads(pid)
    # It may have ended meanwhile, or be another program yet: the one that takes it into its network.
    if threads is None or not said:
        return None
    life = samples.lives.setdefault(pid, Life(worker.name, pid))
    life.figures["threads"].append((now, threads))
    for name in ("memory", "descriptors", "in_flight"):
        if name in said:
            life.figures[name].append((now, said[name] / (MIB if name == "memory" else 1)))
    return said.get("backlog")


def _metrics(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url + "/metrics", timeout=1.0) as answer:  # noqa: S310 - http, to our own worker
        text = answer.read().decode()
    # Most of the page is histograms, and parsing all of it each second would be work of its own.
    wanted = "".join(line + "\n" for line in text.splitlines() if line.startswith(tuple(_METRICS)))
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(wanted):
        for each in family.samples:
            if each.name in _METRICS:
                found[_METRICS[each.name]] = found.get(_METRICS[each.name], 0.0) + each.value
    return found


def _threads(pid: int) -> int | None:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("Threads:")).split()[1])
    return None
