"""What the router does with a batch, and in which order."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from streamverify.core.errors import BrokerUnavailable
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.scheduling.partitioner import affinity_key
from streamverify.router.forwarder import Forwarder
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.bus.publisher import Outgoing


class Table(dict[Any, Any]):
    """The Faust table; `gate` holds the changelog's acknowledgements back."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self.order = order
        self.gate = asyncio.Event()
        self.gate.set()

    async def acknowledged(self) -> None:
        await self.gate.wait()
        self.order.append("counted")


class Publisher:
    """Our publisher; `hold` keeps records unacknowledged."""

    def __init__(self, order: list[str]) -> None:
        self.order = order
        self.records: list[Outgoing] = []
        self.hold = False

    def publish(self, outgoing: Outgoing) -> None:
        self.records.append(outgoing)
        if not self.hold:
            self.acknowledge(outgoing)

    def acknowledge(self, outgoing: Outgoing) -> None:
        self.order.append("published")
        asyncio.get_running_loop().call_soon(outgoing.on_ack)


class Rig:
    """A forwarder among stand-ins."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.table = Table(self.order)
        self.publisher = Publisher(self.order)
        self.forgotten: list[int] = []
        consumer = SimpleNamespace(forget=lambda message: self.forgotten.append(message.offset))
        self.app = SimpleNamespace(consumer_generation_id=1, consumer=consumer)
        self.failures: list[BaseException] = []
        parts: list[Any] = [self.app, self.table, self.publisher]
        self.forwarder = Forwarder(Settings(), *parts, partitions=2, on_failure=self.failures.append)

    async def forward(self, events: list[Any]) -> None:
        if batch := self.forwarder.batches.take(events):
            await self.forwarder.forward(batch)

    def event(self, offset: int, value: bytes | None, *, partition: int = 0, generation: int = 1) -> Any:
        message = SimpleNamespace(
            topic="lean.proofs.ingest",
            partition=partition,
            offset=offset,
            timestamp=1_700_000_000.123,
            headers=(("a", b"1"), ("a", None)),
            key=b"theirs",
            value=value,
            generation_id=generation,
        )
        return SimpleNamespace(message=message, ack=lambda: self.order.append(f"ack {offset}"))


@pytest.fixture
async def rig() -> Rig:
    return Rig()


def proof(text: str = "import Lean\n") -> bytes:
    return json.dumps({"custom_id": "a", "proof": text}).encode()


async def test_nothing_is_acknowledged_before_the_broker_has_all_of_the_batch(rig: Rig) -> None:
    rig.publisher.hold = True
    running = asyncio.create_task(rig.forward([rig.event(0, proof()), rig.event(1, proof())]))
    await asyncio.sleep(0.01)
    rig.publisher.acknowledge(rig.publisher.records[1])
    await asyncio.sleep(0.01)
    assert rig.order == ["published"]
    rig.publisher.acknowledge(rig.publisher.records[0])
    await running
    assert rig.order == ["published", "published", "counted", "ack 0", "ack 1"]


async def test_nothing_is_acknowledged_before_the_changelog_is_there(rig: Rig) -> None:
    rig.table.gate.clear()
    running = asyncio.create_task(rig.forward([rig.event(0, proof())]))
    await asyncio.sleep(0.01)
    assert rig.order == ["published"]
    rig.table.gate.set()
    await running
    assert rig.order[-1] == "ack 0"


async def test_a_record_is_forwarded_as_it_came_but_for_its_key(rig: Rig) -> None:
    await rig.forward([rig.event(0, proof())])
    [record] = rig.publisher.records
    assert (record.topic, record.key, record.value) == ("lean.proofs", affinity_key("import Lean"), proof())
    assert record.kafka_headers == [("a", b"1"), ("a", None)]
    assert record.timestamp_ms == 1_700_000_000_123
    assert list(rig.table) == [(0, affinity_key("import Lean").decode())]
    assert rig.forwarder.forwarded == 1


async def test_a_dead_letter_is_not_counted_but_acknowledged(rig: Rig) -> None:
    await rig.forward([rig.event(7, b"no JSON")])
    [record] = rig.publisher.records
    assert (record.topic, record.key, record.value) == ("lean.proofs.dlq", b"theirs", b"no JSON")
    letter = DeadLetter.from_record(key=record.key, value=record.value, kafka_headers=record.kafka_headers)
    assert (letter.stage, letter.group, letter.source.offset) == ("route", "streamverify-router", 7)
    assert rig.table == {}
    assert rig.order[-1] == "ack 7"


async def test_a_record_that_the_request_topic_refuses_becomes_a_dead_letter_then_an_emptied_one(rig: Rig) -> None:
    rig.publisher.hold = True
    running = asyncio.create_task(rig.forward([rig.event(0, proof())]))
    await asyncio.sleep(0.01)
    [record] = rig.publisher.records
    assert record.smaller
    letter = record.smaller()
    assert (letter.topic, letter.value) == ("lean.proofs.dlq", proof())
    assert letter.smaller
    assert letter.smaller().value is None
    rig.publisher.acknowledge(letter)
    await running
    assert rig.order[-1] == "ack 0"


async def test_records_delivered_under_an_earlier_assignment_are_left_alone(rig: Rig) -> None:
    await rig.forward([rig.event(7, proof(), generation=0)])
    assert (rig.publisher.records, rig.order) == ([], [])
    # Otherwise the next rebalance would wait for their acknowledgement for ever.
    assert rig.forgotten == [7]
    await rig.forward([rig.event(8, proof(), generation=0), rig.event(9, proof())])
    assert (rig.order, rig.forgotten) == (["published", "counted", "ack 9"], [7, 8])


async def test_a_rebalance_before_the_broker_answered_leaves_the_batch_to_the_next(rig: Rig) -> None:
    rig.publisher.hold = True
    running = asyncio.create_task(rig.forward([rig.event(0, proof())]))
    await asyncio.sleep(0.01)
    rig.app.consumer_generation_id = 2
    rig.publisher.acknowledge(rig.publisher.records[0])
    await running
    assert rig.order == ["published"]
    assert rig.table == {}
    assert rig.forgotten == [0]


async def test_after_a_rebalance_the_counts_are_those_of_the_table(rig: Rig) -> None:
    await rig.forward([rig.event(0, proof()), rig.event(1, proof(), partition=1)])
    key = affinity_key("import Lean").decode()
    rig.table[1, key] = {"count": 40, "upto": 99, "header": "import Lean\n"}
    rig.app.consumer_generation_id = 2
    await rig.forward([rig.event(offset, proof(), partition=1, generation=2) for offset in (99, 100)])
    assert rig.table[1, key]["count"] == 41
    assert rig.table[0, key]["count"] == 1


async def test_a_partition_that_was_added_ends_the_router(rig: Rig) -> None:
    with pytest.raises(BrokerUnavailable, match="more partitions than when the router started"):
        await rig.forward([rig.event(0, proof(), partition=2)])
    assert "ack 0" not in rig.order


async def test_an_unexpected_error_is_a_failure_of_the_router(rig: Rig) -> None:
    class Stream:
        async def noack_take(self, _count: int, within: float) -> AsyncIterator[list[Any]]:
            assert within < 1
            yield [rig.event(0, proof(), partition=2)]

    running = asyncio.create_task(rig.forwarder.run(cast("Any", Stream())))
    await asyncio.sleep(0.05)
    assert [type(failure) for failure in rig.failures] == [BrokerUnavailable]
    assert not running.done()  # or Faust would start the agent again
    running.cancel()
