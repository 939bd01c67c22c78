"""The reader of the result topic, on one in memory: brokers that go and come back, partitions that are added."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from streamverify.core.errors import BrokerUnavailable
from streamverify.gateway import result_follower as module
from streamverify.gateway.result_follower import ResultFollower
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TOPIC = "lean.results"


class Log:
    """A topic in memory. While `away` no broker answers."""

    def __init__(self) -> None:
        self.partitions: dict[TopicPartition, list[Any]] = {TopicPartition(TOPIC, 0): []}
        self.away = False

    def append(self, number: int, value: str) -> None:
        log = self.partitions.setdefault(TopicPartition(TOPIC, number), [])
        log.append(SimpleNamespace(topic=TOPIC, partition=number, offset=len(log), value=value))


class FakeReader:
    """`TopicReader` on such a topic."""

    def __init__(self, log: Log, partitions: Sequence[TopicPartition]) -> None:
        self._log, self._partitions = log, partitions
        self._positions: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        self._ask()
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass

    def _ask(self) -> None:
        if self._log.away:
            raise BrokerUnavailable("no broker answers")

    async def ends(self) -> dict[TopicPartition, int]:
        self._ask()
        return {partition: len(self._log.partitions[partition]) for partition in self._partitions}

    def start_from(self, positions: dict[TopicPartition, int]) -> None:
        self._positions = dict(positions)

    async def read(self, _timeout: float) -> list[Any]:
        await asyncio.sleep(0.001)
        self._ask()
        found = []
        for partition, position in self._positions.items():
            found += self._log.partitions[partition][position:]
            self._positions[partition] = len(self._log.partitions[partition])
        return found

    def partitions_of_topics(self) -> list[TopicPartition]:
        return list(self._log.partitions)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(module, "TopicReader", lambda _settings, partitions: FakeReader(log, partitions))
    monkeypatch.setattr(module, "_RETRY", 0.001)
    monkeypatch.setattr(module, "_PING", 0.001)
    return log


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


async def test_records_from_the_start_on_are_read_once_whatever_becomes_of_the_broker(log: Log) -> None:
    log.append(0, "before")
    follower, read = ResultFollower(load_settings(), waiting=lambda: 7), list[str]()
    await follower.start(list(log.partitions))
    running = asyncio.create_task(follower.run(lambda record: read.append(record.value)))
    log.append(0, "one")
    await until(lambda: read == ["one"])
    with capture_logs() as logs:
        log.away = True
        await until(lambda: follower.trouble == "no broker answers")
        log.append(0, "two")
        log.away = False
        await until(lambda: read == ["one", "two"] and not follower.trouble)
    assert [(line["event"], line.get("waiting")) for line in logs] == [("broker_away", 7), ("broker_answers", None)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_partitions_that_are_added_are_read_from_their_beginning(log: Log) -> None:
    follower, read = ResultFollower(load_settings(), waiting=lambda: 0), list[str]()
    await follower.start(list(log.partitions))
    running = asyncio.create_task(follower.run(lambda record: read.append(record.value)))
    log.append(1, "on the new one")
    await until(lambda: read == ["on the new one"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_an_outage_is_told_once_with_what_waits() -> None:
    follower = ResultFollower(load_settings(), waiting=lambda: 3)
    with capture_logs() as logs:
        follower.lost("gone")
        follower.lost("still gone")
    assert [(line["event"], line["waiting"]) for line in logs] == [("broker_away", 3)]
    assert follower.trouble == "still gone"
