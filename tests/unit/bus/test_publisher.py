"""Publisher: every record is acknowledged, whatever the broker does to one of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    TopicAuthorizationFailedError,
)
from repl_fakes import until

from streamverify.bus import publisher as module
from streamverify.bus.publisher import Outgoing, Publisher
from streamverify.core.errors import BrokerUnavailable, ResultRefused
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LIMIT = 100


class Broker:
    """What the producers of one test write to. `hold` keeps acknowledgements back."""

    def __init__(self) -> None:
        self.records: list[bytes | None] = []
        self.producers: list[Producer] = []
        self.held: list[asyncio.Future[object]] = []
        self.hold = False
        self.send_errors: list[Exception] = []
        self.ack_error: Exception | None = None

    def make(self) -> Producer:
        producer = Producer(self)
        self.producers.append(producer)
        return producer


class Producer:
    """An idempotent producer: broken for good once a record was refused."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._broken = False
        self.stopped = False

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        self.stopped = True

    async def send(
        self, _topic: str, value: bytes | None, _key: bytes | None, **_options: object
    ) -> asyncio.Future[object]:
        if self._broker.send_errors:
            raise self._broker.send_errors.pop(0)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._broken:
            future.set_exception(OutOfOrderSequenceNumber())
        elif len(value or b"") > LIMIT:
            self._broken = True
            future.set_exception(MessageSizeTooLargeError())
        elif self._broker.ack_error:
            future.set_exception(self._broker.ack_error)
        elif self._broker.hold:
            self._broker.held.append(future)
        else:
            self._broker.records.append(value)
            future.set_result(None)
        return future


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def publisher(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Publisher]:
    monkeypatch.setattr(Publisher, "_make", lambda _self: broker.make())
    monkeypatch.setattr(module, "_RETRY", 0.0)
    publisher = Publisher(Settings(), max_record_bytes=LIMIT)
    await publisher.start(1.0)
    yield publisher
    await publisher.close()


def record(value: bytes, acked: list[bytes], smaller: Callable[[], Outgoing] | None = None) -> Outgoing:
    return Outgoing("results", b"key", value, [], lambda: acked.append(value), smaller)


async def run_until_flushed(publisher: Publisher) -> None:
    run = asyncio.create_task(publisher.run())
    flush = asyncio.create_task(publisher.flush())
    await asyncio.wait({run, flush}, return_when=asyncio.FIRST_COMPLETED)
    flush.cancel()
    run.cancel()
    try:
        await run
    except asyncio.CancelledError:
        return


async def test_each_record_is_acknowledged_once(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    for number in range(20):
        publisher.publish(record(b"%d" % number, acked))
    await run_until_flushed(publisher)
    assert acked == [b"%d" % number for number in range(20)]
    assert broker.records == acked


async def test_records_that_nobody_waits_for_are_gathered(
    broker: Broker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER", 3600.0)
    run, acked = asyncio.create_task(publisher.run()), list[bytes]()
    publisher.publish(record(b"1", acked), urgent=False)
    publisher.publish(record(b"2", acked), urgent=False)
    await asyncio.sleep(0.05)
    assert broker.records == []
    publisher.publish(record(b"3", acked))
    await until(lambda: len(acked) == 3, "an urgent one takes the others along")
    assert acked == [b"1", b"2", b"3"] == broker.records
    # Alone it waits for its time, and no longer.
    monkeypatch.setattr(module, "GATHER", 0.05)
    publisher.publish(record(b"4", acked), urgent=False)
    assert len(acked) == 3
    await until(lambda: len(acked) == 4, "its time is over")
    monkeypatch.setattr(module, "GATHER", 3600.0)
    publisher.publish(record(b"5", acked), urgent=False)
    await asyncio.wait_for(publisher.flush(), 60)
    assert len(acked) == 5
    monkeypatch.setattr(module, "GATHERED", 2)
    for number in (b"6", b"7"):
        publisher.publish(record(number, acked), urgent=False)
    await until(lambda: len(acked) == 7, "as many as are sent without waiting")
    run.cancel()


async def test_nothing_to_send_is_flushed_at_once(publisher: Publisher) -> None:
    await publisher.flush()


async def test_a_refused_record_is_sent_smaller_and_the_others_again(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    publisher.publish(record(b"before", acked))
    publisher.publish(record(b"x" * (LIMIT + 1), acked, lambda: record(b"small", acked)))
    publisher.publish(record(b"after", acked))
    await run_until_flushed(publisher)
    assert sorted(acked) == [b"after", b"before", b"small"]
    assert sorted(value or b"" for value in broker.records) == sorted(acked)
    assert len(broker.producers) == 2
    assert broker.producers[0].stopped
    assert publisher.failures >= 1


async def test_a_record_that_the_producer_itself_refuses_is_sent_smaller(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    broker.send_errors = [MessageSizeTooLargeError()]
    publisher.publish(record(b"large", acked, lambda: record(b"small", acked)))
    await run_until_flushed(publisher)
    assert acked == [b"small"]
    assert len(broker.producers) == 1


async def test_what_is_refused_at_its_smallest_ends_the_worker(publisher: Publisher) -> None:
    acked: list[bytes] = []
    huge = b"x" * (LIMIT + 1)
    publisher.publish(record(huge, acked, lambda: record(huge, acked)))
    with pytest.raises(ResultRefused, match="'key'"):
        await run_until_flushed(publisher)
    assert acked == []


async def test_a_broker_that_is_gone_is_waited_for(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    broker.send_errors = [KafkaTimeoutError(), KafkaTimeoutError()]
    publisher.publish(record(b"one", acked))
    publisher.publish(record(b"two", acked))
    await run_until_flushed(publisher)
    assert acked == [b"one", b"two"]
    assert len(broker.producers) == 1
    assert (publisher.failures, publisher.unacknowledged) == (2, 0)


async def test_a_broker_that_takes_nothing_ends_the_worker(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    broker.ack_error = TopicAuthorizationFailedError("results")
    publisher.publish(record(b"one", acked))
    with pytest.raises(BrokerUnavailable, match="nothing can be published"):
        await run_until_flushed(publisher)
    assert acked == []


async def test_a_late_acknowledgement_counts_once(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    broker.hold = True
    publisher.publish(record(b"slow", acked))
    publisher.publish(record(b"x" * (LIMIT + 1), acked, lambda: record(b"small", acked)))
    run = asyncio.create_task(publisher.run())
    while not broker.held:
        await asyncio.sleep(0)
    broker.hold = False
    await publisher.flush()
    for future in broker.held:
        if not future.done():
            future.set_result(None)
    await asyncio.sleep(0)
    run.cancel()
    assert sorted(acked) == [b"slow", b"small"]


async def test_flush_waits_for_what_is_not_acknowledged(broker: Broker, publisher: Publisher) -> None:
    acked: list[bytes] = []
    broker.hold = True
    publisher.publish(record(b"slow", acked))
    run = asyncio.create_task(publisher.run())
    flush: asyncio.Task[Any] = asyncio.create_task(publisher.flush())
    while not broker.held:
        await asyncio.sleep(0)
    assert not flush.done()
    broker.held[0].set_result(None)
    await flush
    run.cancel()
    assert acked == [b"slow"]
