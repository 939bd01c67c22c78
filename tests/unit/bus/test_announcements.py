"""The topic of winners, on fakes: whatever is wrong with it, a worker starts, says so once, and goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from record_fakes import FakeRecord
from structlog.testing import capture_logs

from streamverify.bus import announcements as module
from streamverify.bus.announcements import MAX_UNSENT, Announcements
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.groups.announcement import encode_announcement, encode_cancellation
from streamverify.core.groups.cancellation import Cancellation, Names
from streamverify.core.groups.groups import Winner
from streamverify.core.messages.models import Assurance
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

WINNER = Winner("0" * 32, "w", 0, 1, Assurance.AUDITED, 1_000.0)


CANCELLATION = Cancellation("streamverify", "lean.proofs", Names(run="r"), (3, 0), 1_000.0)


class FakeTopic:
    """A topic, its reader and its producer in one."""

    def __init__(self) -> None:
        self.missing = False
        self.endless = False
        self.records: list[FakeRecord] = []
        self.failures = 0
        self.sent: list[bytes] = []
        self.producers = 0

    async def topic_partitions(self, _settings: Settings, topic: str) -> list[TopicPartition]:
        if self.missing:
            raise BrokerUnavailable(f"no topic {topic}")
        return [TopicPartition(topic, 0)]

    # --- the reader ---

    def __call__(self, _settings: Settings, _partitions: object) -> FakeTopic:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def beginnings(self) -> dict[TopicPartition, int]:
        return {}

    def start_from(self, _offsets: object) -> None: ...

    async def ends(self) -> dict[TopicPartition, int]:
        return {}

    async def read(self, _timeout: float) -> list[FakeRecord]:
        await asyncio.sleep(0.001)
        records, self.records = self.records, []
        return records

    async def reached(self, _ends: object) -> bool:
        return not self.endless

    # --- the producer ---

    async def connect(self, _make: object, _servers: str) -> FakeTopic:
        self.producers += 1
        return self

    async def send_and_wait(self, _topic: str, value: bytes, _key: bytes, *, timestamp_ms: int) -> None:  # noqa: ARG002
        if self.failures:
            self.failures -= 1
            raise KafkaError("no")
        self.sent.append(value)

    async def stop(self) -> None: ...


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> FakeTopic:
    fake = FakeTopic()
    monkeypatch.setattr(module, "topic_partitions", fake.topic_partitions)
    monkeypatch.setattr(module, "TopicReader", fake)
    monkeypatch.setattr(module, "connect", fake.connect)
    monkeypatch.setattr(module, "_RETRY", 0.001)
    return fake


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


def unheard(said: object) -> None:
    raise AssertionError(said)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_was_announced_before_is_heard_before_the_worker_starts(topic: FakeTopic, logs: list[Any]) -> None:
    good, bad = FakeRecord(encode_announcement(WINNER).value), FakeRecord(b"no JSON")
    topic.records = [bad, FakeRecord(None), good]
    heard: list[Winner] = []
    announcements = Announcements(Settings())
    await announcements.start(heard.append, unheard)
    assert [winner.custom_id for winner in heard] == ["w"]
    assert [entry["event"] for entry in logs] == ["announcement_not_understood"] * 2
    topic.records = [good]
    await until(lambda: len(heard) == 2)
    await announcements.close()


async def test_a_cancellation_is_heard_however_old_it_is_and_a_winner_is_not(topic: FakeTopic, logs: list[Any]) -> None:
    key, value, _ = encode_cancellation(CANCELLATION)
    old = encode_announcement(WINNER)
    topic.records = [FakeRecord(value, key, timestamp=1_000_000), FakeRecord(old.value, old.key, timestamp=1_000)]
    heard: list[Cancellation] = []
    announcements = Announcements(Settings())
    await announcements.start(unheard, heard.append)
    assert heard == [CANCELLATION]
    assert logs == []
    await announcements.close()


async def test_of_a_kind_of_a_later_version_is_said_once(topic: FakeTopic, logs: list[Any]) -> None:
    key, value, _ = encode_cancellation(CANCELLATION)
    later = value[:-1] + b',"only_if":"it rains"}'
    topic.records = [FakeRecord(later, key)] * 5
    heard: list[Cancellation] = []
    announcements = Announcements(Settings())
    await announcements.start(unheard, heard.append)
    assert heard == []
    assert [entry["event"] for entry in logs] == ["announcement_not_understood"]
    assert "only_if" in logs[0]["error"]
    await announcements.close()


async def test_without_the_topic_a_worker_starts_and_says_so_once(topic: FakeTopic, logs: list[Any]) -> None:
    topic.missing = True
    announcements = Announcements(Settings())
    await announcements.start(unheard, unheard)
    for _ in range(MAX_UNSENT + 10):
        announcements.announce(WINNER)
    await asyncio.sleep(0.05)
    assert {(entry["event"], entry["wanted"]) for entry in logs} == {
        ("groups_topic_unavailable", "read"),
        ("groups_topic_unavailable", "written"),
    }
    assert len(logs) == 2
    # It may be made at any time.
    topic.missing = False
    await until(lambda: len(topic.sent) >= MAX_UNSENT)
    await announcements.close()


async def test_a_topic_that_is_never_read_to_its_end_holds_nobody_up(
    topic: FakeTopic, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.endless = True
    monkeypatch.setattr(module, "CATCH_UP_TIMEOUT", 0.01)
    announcements = Announcements(Settings())
    await announcements.start(unheard, unheard)
    assert [entry["event"] for entry in logs] == ["announcements_not_caught_up"]
    await announcements.close()


async def test_what_could_not_be_sent_is_sent_by_another_producer(topic: FakeTopic, logs: list[Any]) -> None:
    topic.failures = 2
    announcements = Announcements(Settings())
    await announcements.start(unheard, unheard)
    announcements.announce(WINNER)
    await until(lambda: topic.sent)
    assert topic.sent == [encode_announcement(WINNER).value]
    assert topic.producers == 3
    assert [entry["wanted"] for entry in logs] == ["written"]
    await announcements.close()


async def test_a_bug_in_what_hears_a_winner_is_logged_and_the_next_is_heard(topic: FakeTopic, logs: list[Any]) -> None:
    heard: list[Winner] = []

    def on_winner(winner: Winner) -> None:
        heard.append(winner)
        if len(heard) == 1:
            raise ZeroDivisionError

    announcements = Announcements(Settings())
    await announcements.start(on_winner, unheard)
    for count in (1, 2):
        topic.records = [FakeRecord(encode_announcement(WINNER).value)]
        await until(lambda count=count: len(heard) == count)
    assert [entry["event"] for entry in logs] == ["announcement_failed"]
    await announcements.close()


async def test_where_groups_are_off_cancellations_are_heard_and_nothing_is_sent(
    topic: FakeTopic, logs: list[Any]
) -> None:
    key, value, _ = encode_cancellation(CANCELLATION)
    winner = FakeRecord(encode_announcement(WINNER).value, timestamp=2**42)
    topic.records = [winner, FakeRecord(value, key, timestamp=1_000_000)]
    heard: list[Cancellation] = []
    announcements = Announcements(Settings(group_ttl=0.0))
    await announcements.start(unheard, heard.append)
    announcements.announce(WINNER)
    await announcements.close()
    assert (heard, logs, topic.producers) == ([CANCELLATION], [], 0)


async def test_where_groups_are_off_nobody_is_warned_that_the_topic_is_missing(
    topic: FakeTopic, logs: list[Any]
) -> None:
    topic.missing = True
    announcements = Announcements(Settings(group_ttl=0.0))
    await announcements.start(unheard, unheard)
    await announcements.close()
    assert [entry["log_level"] for entry in logs] == ["info"]
