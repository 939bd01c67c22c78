"""Routers as processes on a real Apache Kafka, with topics of their own."""

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
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import kafka_topics
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from command import environment, settings_of, started

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PARTITIONS = 4
PATIENCE = 300.0
HEADERS = ["import Mathlib\n"] * 8 + ["import Lean\n", "import Aesop\n"]


@dataclass
class Topics:
    """The topics of one test, and what talks to them."""

    servers: str
    env: dict[str, str]
    sent: list[bytes] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.env[f"{PREFIX}{name}_TOPIC"]

    @property
    def changelog(self) -> str:
        return f"{self.env[PREFIX + 'GROUP_ID']}-router-headers-changelog"

    async def produce(self, values: list[bytes | None], **options: Any) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.servers, acks="all", linger_ms=2)
        await producer.start()
        futures = [
            await producer.send(self["INGEST"], value, key=options.get("key", b"foreign"), **options.get("more", {}))
            for value in values
        ]
        await asyncio.gather(*futures)
        await producer.stop()
        self.sent += [value for value in values if value is not None]

    async def read(self, name: str, until: int) -> list[Any]:
        """The topic's records, as soon as there are `until` of them, each partition in its order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(self[name], number) for number in range(1 if name == "DLQ" else PARTITIONS)])
        records: list[Any] = []
        give_up = time.monotonic() + PATIENCE
        while len(records) < until and time.monotonic() < give_up:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        records += [record for batch in (await consumer.getmany(timeout_ms=500)).values() for record in batch]
        await consumer.stop()
        return records


def make_topics(servers: str) -> Topics:
    name = uuid.uuid4().hex[:8]
    env = environment(
        BOOTSTRAP_SERVERS=servers,
        GROUP_ID=name,
        INGEST_TOPIC=f"{name}.ingest",
        REQUEST_TOPIC=f"{name}.proofs",
        RESULT_TOPIC=f"{name}.results",
        DLQ_TOPIC=f"{name}.dlq",
        GROUPS_TOPIC=f"{name}.groups",
        HTTP_PORT="0",
        SESSION_TIMEOUT_MS="6000",
    )
    kafka_topics.make_topics(settings_of(env), PARTITIONS)
    return Topics(servers, env)


class Running:
    """A router's process, with the address of its pages."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line)
            if self.find_address(line):
                return
        raise AssertionError("".join(self.said))

    def find_address(self, text: str) -> bool:
        found = re.search(r"http_listening .*port=(\d+)", text)
        if found:
            self.address = f"http://127.0.0.1:{found[1]}"
        return found is not None

    async def get(self, path: str) -> tuple[int, str]:
        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(self.address + path, timeout=60) as answer:  # noqa: S310 - our own
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, ""

        return await asyncio.to_thread(ask)

    def problem(self) -> str:
        """What `/ready` says, whatever its status."""
        try:
            answer = urllib.request.urlopen(self.address + "/ready", timeout=10)  # noqa: S310 - our own
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return str(json.load(answer)["problem"])

    async def ready(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while (await self.get("/ready"))[0] != 200:
            assert time.monotonic() < give_up, "never ready"
            await asyncio.sleep(0.1)

    async def counts(self, total: int) -> dict[str, int]:
        """What the view says, as soon as its total is what it should be."""
        give_up = time.monotonic() + PATIENCE
        while True:
            view = json.loads((await self.get("/headers"))[1])
            if view["total"] >= total or time.monotonic() > give_up:
                return {row["header"]: row["count"] for row in view["headers"]}
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def router(topics: Topics) -> AsyncIterator[Running]:
    with router_process(topics) as process:
        running = await asyncio.to_thread(Running, process)
        await running.ready()
        yield running


@contextlib.contextmanager
def router_process(topics: Topics) -> Iterator[subprocess.Popen[str]]:
    with started(topics.env, "router") as process:
        yield process


def proofs(count: int, first: int = 0) -> list[bytes | None]:
    return [
        json.dumps({"custom_id": f"p{n}", "proof": HEADERS[n % 10] + "theorem t : 1 = 1 := rfl"}).encode()
        for n in range(first, first + count)
    ]


def ids(records: list[Any]) -> list[str]:
    return [json.loads(record.value)["custom_id"] for record in records]


@contextlib.contextmanager
def logged_router(topics: Topics, folder: Path) -> Iterator[Running]:
    """A router that logs to a file: without a broker aiokafka has more to say than a pipe holds."""
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamverify", "router"], env=topics.env, stderr=errors, text=True
        )
    try:
        while "http_listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        running: Running = object.__new__(Running)
        running.process, running.said = process, []
        running.find_address(log.read_text())
        yield running
    finally:
        process.kill()
        process.wait()
