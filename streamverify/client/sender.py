"""Handing requests to Kafka: idempotent, acknowledged by all replicas, each where its header is warm."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from streamverify.bus.connection import client_options, connect
from streamverify.bus.partitioner import AffinityPartitioner
from streamverify.client.outgoing import Ticket
from streamverify.core.errors import BrokerUnavailable, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from typing import Any

    from streamverify.client.outgoing import Outgoing
    from streamverify.settings import Settings

MAX_RECORD_BYTES = 1_048_576
"""The largest record that is handed to a broker; a topic takes 1,048,588 bytes where nobody configured it."""
_METADATA_PATIENCE = 5.0
_STOP_PATIENCE = 5.0
_WINDOW = 5000
_RECORD_OVERHEAD = 256
"""More than key, request id and framing of a record need."""


class Sender:
    """A producer that is replaced after a failure: a refused record spoils an idempotent producer for good."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        # Kept when the producer is replaced: what is hot stays known.
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
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(producer.stop(), timeout=_STOP_PATIENCE)

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic, which brokers that do so make on being asked.

        Raises:
            BrokerUnavailable: There is no such topic.
        """
        producer = await self._connected()
        servers = self._settings.bootstrap_servers
        try:
            numbers = await asyncio.wait_for(producer.partitions_for(topic), timeout=_METADATA_PATIENCE)
        except TopicAuthorizationFailedError:
            raise BrokerUnavailable(f"the broker at {servers} does not let this user see the topic {topic}") from None
        except (TimeoutError, KafkaError):
            raise BrokerUnavailable(
                f"the broker at {servers} has no topic {topic}: make it with `streamverify topics create`"
            ) from None
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    async def send_all(self, batch: AsyncIterable[Outgoing]) -> AsyncIterator[Ticket]:
        """Send with many records in flight; yields in the order of `batch`, as the broker acknowledges.

        Raises:
            RequestTooLarge: A record is larger than the broker takes.
            BrokerUnavailable: A record could not be delivered.
        """
        unacknowledged: deque[tuple[Outgoing, asyncio.Future[Any]]] = deque()
        async for outgoing in batch:
            unacknowledged.append((outgoing, await self._enqueue(outgoing)))
            while unacknowledged and (len(unacknowledged) >= _WINDOW or unacknowledged[0][1].done()):
                yield await self._acknowledged(*unacknowledged.popleft())
        while unacknowledged:
            yield await self._acknowledged(*unacknowledged.popleft())

    async def send(self, outgoing: Outgoing) -> Ticket:
        """Send one record and wait for the broker; raises what `send_all` does."""
        return await self._acknowledged(outgoing, await self._enqueue(outgoing))

    async def _enqueue(self, outgoing: Outgoing) -> asyncio.Future[Any]:
        if len(outgoing.value) + _RECORD_OVERHEAD > MAX_RECORD_BYTES:
            raise _too_large(outgoing, f"a record may have {MAX_RECORD_BYTES:,} bytes")
        topic = self._settings.request_topic
        producer = await self._connected()
        if not self._topic_seen:
            # send() would wait for a minute for a topic that is not there, and say nothing of use.
            await self.partitions(topic)
            self._topic_seen = True
        try:
            future: asyncio.Future[Any] = await producer.send(
                topic, outgoing.value, outgoing.key, headers=outgoing.headers
            )
        except KafkaError as error:
            raise await self._failed(outgoing, error) from error
        # Whoever stops waiting for the rest after a failure has not "never retrieved" their exceptions.
        future.add_done_callback(_retrieve)
        return future

    async def _acknowledged(self, outgoing: Outgoing, future: asyncio.Future[Any]) -> Ticket:
        try:
            made = await future
        except KafkaError as error:
            raise await self._failed(outgoing, error) from error
        return Ticket(outgoing.custom_id, outgoing.request_id, made.topic, made.partition, made.offset, made.timestamp)

    async def _failed(self, outgoing: Outgoing, error: KafkaError) -> BrokerUnavailable | RequestTooLarge:
        await self.stop()
        if isinstance(error, MessageSizeTooLargeError):
            return _too_large(
                outgoing, f"the topic {self._settings.request_topic} takes less: see its max.message.bytes"
            )
        return BrokerUnavailable(
            f"the broker at {self._settings.bootstrap_servers} did not take the request "
            f"{outgoing.custom_id!r}: {error!r}"
        )

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = await connect(self._make, self._settings.bootstrap_servers)
        return self._producer

    def _make(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_request_size=MAX_RECORD_BYTES,
            max_batch_size=64 * 1024,
            partitioner=self._partitioner,
        )


def _too_large(outgoing: Outgoing, why: str) -> RequestTooLarge:
    return RequestTooLarge(
        f"the request {outgoing.custom_id!r} is too large to be sent ({len(outgoing.value):,} bytes as JSON): {why}",
        custom_id=outgoing.custom_id,
    )


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
