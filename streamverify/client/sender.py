"""Handing requests to Kafka: idempotent, acknowledged by all replicas, each where its header is warm."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from streamverify.bus.connection import PATIENCE, connect, make_producer
from streamverify.client.requests import Ticket
from streamverify.core.errors import BrokerUnavailable, RequestTooLarge
from streamverify.core.scheduling.partitioner import AffinityPartitioner

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from typing import Any

    from aiokafka import AIOKafkaProducer

    from streamverify.client.requests import EncodedRequest
    from streamverify.settings import Settings

MAX_RECORD_BYTES = 1_048_576
"""The largest record that is handed to a broker; a topic takes 1,048,588 bytes where nobody configured it."""
_STOP_TIMEOUT = 5.0
_WINDOW = 5000
_RECORD_OVERHEAD = 1024
"""Bytes that key, request id, run and framing of a record need at most."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A record on its way, and the producer that has it."""

    producer: AIOKafkaProducer
    future: asyncio.Future[Any]


class Sender:
    """A producer that is replaced after a failure: a refused record spoils an idempotent producer for good."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Future[AIOKafkaProducer] | None = None
        # Kept when the producer is replaced: it knows which headers are asked for most.
        self._partitioner = AffinityPartitioner()
        self._topic_seen = False

    def took(self, key: bytes, seconds: float) -> None:
        """A proof with this key took Lean so long: what the next ones cost is counted by that."""
        self._partitioner.took(key, seconds)

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers within about ten seconds.
        """
        await self._connected()

    async def stop(self) -> None:
        """Disconnect; what was enqueued is still sent, for a bounded time."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._producer is not None:
            await self._dispose(self._producer)

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic, which brokers that do so make on being asked.

        Raises:
            BrokerUnavailable: There is no such topic.
        """
        producer = await self._connected()
        servers = self._settings.bootstrap_servers
        try:
            numbers = await asyncio.wait_for(producer.partitions_for(topic), timeout=PATIENCE)
        except TopicAuthorizationFailedError:
            raise BrokerUnavailable(f"the broker at {servers} does not let this user see the topic {topic}") from None
        except (TimeoutError, KafkaError):
            raise BrokerUnavailable(
                f"the broker at {servers} has no topic {topic}: make it with `streamverify topics create`"
            ) from None
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    async def send_all(self, batch: AsyncIterable[EncodedRequest]) -> AsyncIterator[Ticket]:
        """Send with many records in flight; yields in the order of `batch`, as the broker acknowledges.

        Raises:
            RequestTooLarge: A record is larger than the broker takes.
            BrokerUnavailable: A record could not be delivered.
        """
        unacknowledged: deque[tuple[EncodedRequest, _Sent]] = deque()
        async for encoded in batch:
            unacknowledged.append((encoded, await self._enqueue(encoded)))
            # In the order of the batch, as soon as the oldest is there; only too many on their way are waited for.
            while unacknowledged and (len(unacknowledged) >= _WINDOW or unacknowledged[0][1].future.done()):
                yield await self._acknowledged(*unacknowledged.popleft())
        while unacknowledged:
            yield await self._acknowledged(*unacknowledged.popleft())

    async def send(self, encoded: EncodedRequest) -> Ticket:
        """Send one record and wait for the broker; raises what `send_all` does."""
        return await self._acknowledged(encoded, await self._enqueue(encoded))

    async def _enqueue(self, encoded: EncodedRequest) -> _Sent:
        if len(encoded.value) + _RECORD_OVERHEAD > MAX_RECORD_BYTES:
            raise _too_large(encoded, f"a record may have {MAX_RECORD_BYTES:,} bytes")
        topic = self._settings.request_topic
        producer = await self._connected()
        if not self._topic_seen:
            # send() would wait for a minute for a topic that is not there, and say nothing of use.
            await self.partitions(topic)
            self._topic_seen = True
        try:
            future: asyncio.Future[Any] = await producer.send(
                topic, encoded.value, encoded.key, headers=encoded.kafka_headers
            )
        except KafkaError as error:
            raise await self._failed(encoded, producer, error) from error
        # After a failure nobody waits for the rest: asyncio would complain that their exceptions were never retrieved.
        future.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return _Sent(producer, future)

    async def _acknowledged(self, encoded: EncodedRequest, sent: _Sent) -> Ticket:
        try:
            made = await sent.future
        except KafkaError as error:
            raise await self._failed(encoded, sent.producer, error) from error
        return Ticket(encoded.custom_id, encoded.request_id, made.topic, made.partition, made.offset, made.timestamp)

    async def _failed(
        self, encoded: EncodedRequest, producer: AIOKafkaProducer, error: KafkaError
    ) -> BrokerUnavailable | RequestTooLarge:
        # The next record gets a new producer: this one would refuse it, too. Where many records were on their way, the
        # first of them has seen to that.
        if self._producer is producer:
            await self._dispose(producer)
        if isinstance(error, MessageSizeTooLargeError):
            return _too_large(
                encoded, f"the topic {self._settings.request_topic} takes less: see its max.message.bytes"
            )
        return BrokerUnavailable(
            f"the broker at {self._settings.bootstrap_servers} did not take the request "
            f"{encoded.custom_id!r}: {error!r}"
        )

    async def _dispose(self, producer: AIOKafkaProducer) -> None:
        self._producer = None
        with contextlib.suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(producer.stop(), timeout=_STOP_TIMEOUT)

    async def _connected(self) -> AIOKafkaProducer:
        """The producer. Whoever needs one while it connects waits for the same, also for its failure."""
        if self._producer is not None:
            return self._producer
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
            # Whoever asked for it may have been cancelled: asyncio would complain of an exception nobody retrieved.
            self._connecting.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> AIOKafkaProducer:
        try:
            self._producer = await connect(self._make, self._settings.bootstrap_servers)
        finally:
            self._connecting = None
        return self._producer

    def _make(self) -> AIOKafkaProducer:
        return make_producer(
            self._settings,
            max_request_size=MAX_RECORD_BYTES,
            max_batch_size=64 * 1024,
            partitioner=self._partitioner,
        )


def _too_large(encoded: EncodedRequest, why: str) -> RequestTooLarge:
    return RequestTooLarge(
        f"the request {encoded.custom_id!r} is too large to be sent ({len(encoded.value):,} bytes as JSON): {why}",
        custom_id=encoded.custom_id,
    )
