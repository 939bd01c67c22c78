"""A small installation that a real Prometheus scrapes: workers, router, table and gateway, and ways to send to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaProducer
from command import make_environment
from prometheus_server import prometheus

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from asking import Prometheus

PATIENCE = 300.0
_LISTENING = re.compile(r"(?:http|gateway)_listening\b.*?(?:port=|127\.0\.0\.1:)(\d+)")


@dataclass
class Installation:
    """What runs, and the ways to send it something."""

    env: Mapping[str, str]
    prometheus: Prometheus
    gateway: str
    """Address of the gateway, host and port."""
    _numbers: Iterator[int] = field(default_factory=count)

    def send(self, bodies: Sequence[str], *, topic: str = "INGEST", raw: Sequence[bytes] = (), **request: Any) -> None:
        """Send a proof for each body, with ids of their own, and records as they are."""
        proofs = [{"custom_id": f"p{next(self._numbers)}", "proof": body, **request} for body in bodies]
        values = [json.dumps(proof).encode() for proof in proofs] + list(raw)

        async def produce() -> None:
            servers = self.env[f"{PREFIX}BOOTSTRAP_SERVERS"]
            async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
                sent = [await producer.send(self.env[f"{PREFIX}{topic}_TOPIC"], value) for value in values]
                await asyncio.gather(*sent)

        asyncio.run(produce())

    def ask_gateway(self, bodies: Sequence[str]) -> int:
        """Send a batch over HTTP and wait for its answer.

        Returns:
            The status code; what the batch says is no matter here.
        """
        codes = [{"custom_id": f"g{next(self._numbers)}", "proof": body} for body in bodies]
        asked = urllib.request.Request(
            f"http://{self.gateway}/verify",
            json.dumps({"codes": codes, "timeout": 20}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - our own
                code: int = answer.status
        except urllib.error.HTTPError as error:
            with error:
                code = error.code
        return code


@contextlib.contextmanager
def installation(
    servers: str, folder: Path, workers: Sequence[Mapping[str, str]], *, interval: str = "1s", partitions: int = 3
) -> Iterator[Installation]:
    """Start everything on a real Kafka, each worker with its settings, and end it with the block."""
    env = make_environment(servers, real=True, partitions=partitions)
    jobs: dict[str, list[tuple[str, Mapping[str, str]]]] = {
        "streamverify-worker": [("worker", more) for more in workers],
        "streamverify-router": [("router", {})],
        "streamverify-table": [("table", {})],
        "streamverify-gateway": [("gateway", {"GATEWAY_PORT": "0"})],
    }
    running = {
        job: [
            _start(
                env | {PREFIX + name: value for name, value in more.items()}, command, folder / f"{job}-{number}.log"
            )
            for number, (command, more) in enumerate(processes)
        ]
        for job, processes in jobs.items()
    }
    try:
        addresses = {job: [f"127.0.0.1:{process.port()}" for process in its] for job, its in running.items()}
        with prometheus(folder, addresses, interval=interval) as server:
            [gateway] = addresses["streamverify-gateway"]
            yield Installation(env, server, gateway)
    finally:
        # All are told before one is waited for.
        for each in chain.from_iterable(running.values()):
            each.process.terminate()
        for each in chain.from_iterable(running.values()):
            each.process.wait(PATIENCE)


def _start(env: Mapping[str, str], command: str, log: Path) -> _Process:
    """Start a process whose log goes to a file, so that nobody has to read it while it runs."""
    with log.open("w") as file:
        return _Process(
            subprocess.Popen([sys.executable, "-m", "streamverify", command], env=dict(env), stderr=file), log
        )


class _Process(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path

    def port(self) -> int:
        """Wait until it says where it listens."""
        give_up = time.monotonic() + PATIENCE
        while not (found := _LISTENING.search(said := self.log.read_text("utf-8"))):
            assert self.process.poll() is None, said
            assert time.monotonic() < give_up, said
            time.sleep(0.05)
        return int(found[1])
