"""What is said of an outage, and when."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError
from structlog.testing import capture_logs

from streamverify.bus import liveness as module
from streamverify.bus.liveness import Liveness
from streamverify.core.delivery.partitions import Partitions
from streamverify.settings import load_settings


class Brokers:
    """An admin client; the test says whether anybody answers."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked = 0

    async def find_coordinator(self, _group: str) -> int:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return 1

    async def looked_at(self, times: int = 3) -> None:
        until = self.asked + times
        while self.asked < until:
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("WATCH_SECONDS", 0.002), ("RETRY", 0.0005)):
        monkeypatch.setattr(module, name, seconds)


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends_and_is_in_words_meanwhile() -> None:
    brokers, liveness = Brokers(), Liveness(load_settings(bootstrap_servers="a:1,b:2"), Partitions("t"), 1_000.0)
    with capture_logs() as logs:
        watching = asyncio.create_task(liveness.watch(cast("Any", None), cast("Any", brokers)))
        await brokers.looked_at()
        assert liveness.brokers.outage is None
        for failure in (KafkaConnectionError("gone"), TimeoutError(), OSError("refused")):
            brokers.failure = failure
            while liveness.brokers.outage is None:
                await asyncio.sleep(0.001)
            assert liveness.brokers.outage.startswith("no broker answers at a:1,b:2 since 20")
            await brokers.looked_at(20)
            assert liveness.brokers.seconds_without_broker > 0
            # That the group's coordinator is not there is an answer of a broker, too.
            brokers.failure = GroupCoordinatorNotAvailableError()
            while liveness.brokers.outage is not None:
                await asyncio.sleep(0.001)
            assert liveness.brokers.seconds_without_broker == 0
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert [each["event"] for each in logs] == ["no_broker_answers", "broker_answers_again"] * 3
    assert logs[0]["log_level"] == "warning"
    assert logs[0]["brokers"] == "a:1,b:2"
    assert logs[0]["since"].startswith("20")


async def test_a_broker_is_not_asked_while_something_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers, liveness = Brokers(), Liveness(load_settings(), Partitions("t"), 1_000.0)
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.0)
    monkeypatch.setattr(liveness, "_last_success", float("inf"))
    watching = asyncio.create_task(liveness.watch(cast("Any", None), cast("Any", brokers)))
    for _ in range(50):
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert brokers.asked == 0
