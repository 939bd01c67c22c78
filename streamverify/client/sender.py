"""Handing requests to Kafka: idempotent, acknowledged by all replicas, each where its header is warm."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, ProducerClosed

from streamverify.bus.admin import patient_admin
from streamverify.bus.connection import connect, make_producer
from streamverify.bus.presence import require_topics
from streamverify.bus.topics import topic_settings
from streamverify.client.limit import Limit
from streamverify.client.producer import stop_in_time
from streamverify.client.requests import Ticket
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.messages.request_errors import echo
from streamverify.core.scheduling.partitioner import AffinityPartitioner
from streamverify.core.topic_plans import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator
    from typing import Any

    from aiokafka import AIOKafkaProducer, TopicPartition

    from streamverify.client.requests import EncodedRequest
    from streamverify.core.errors import RequestTooLarge
    from streamverify.settings import Settings

_CONNECTING_TIMEOUT = 1.0
"""Seconds that a connection which is being made has to be there before it is given up."""
_WINDOW = 5000
"""Records of one batch that the broker has not acknowledged, at most."""
_ASK_AGAIN = 5.0
"""Seconds for which a topic's answer to how large a record it takes is believed."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A record on its way, and the producer that has it."""

    producer: AIOKafkaProducer
    future: asyncio.Future[Any]


class Sender:
    """A producer that is replaced after a failure: a refused record spoils an idempotent producer for good.

    no producer --- somebody sends ---> connecting ---> connected
         ^                                  |               |
         +----- no broker answers ----------+               |
         +----- a record failed: its producer is disposed --+
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Future[AIOKafkaProducer] | None = None
        # Kept when the producer is replaced: it knows which headers are asked for most.
        self._partitioner = AffinityPartitioner()
        self.limit = Limit.unknown(settings.request_topic)
        """The largest record that the request topic takes; nothing until it was asked."""
        self._ask_again = 0.0
        self._asking = asyncio.Lock()
        self._spoilt: WeakSet[AIOKafkaProducer] = WeakSet()
        """Producers of which the broker has refused a record: whatever else they had fails with it."""

    def took(self, key: bytes, seconds: float) -> None:
        """Note how many seconds Lean took for a proof with this key: what the next ones cost is counted by that."""
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
            # aiokafka leaves a connection open that is cancelled while it is made: a moment for it to be there.
            await asyncio.wait([self._connecting], timeout=_CONNECTING_TIMEOUT)
        # It may have come to its end in that moment: then it is the producer that is disposed of below.
        if self._connecting is not None:
            self._connecting.cancel()
        if self._producer is not None:
            await self._dispose(self._producer)

    async def look_up(self, *others: str) -> dict[str, list[TopicPartition]]:
        """Make sure that the request topic and others are there, and learn how large a record it takes.

        Returns:
            The partitions of each topic.

        Raises:
            BrokerUnavailable: No broker answers, or a topic is missing.
        """
        topic = self._settings.request_topic
        async with patient_admin(self._settings) as admin:
            found = await require_topics(admin, self._settings, [topic, *others])
            settings = await topic_settings(admin, topic)
        # The embedded broker does not tell, nor one that this user may not ask for settings.
        self.limit = Limit.of_topic(topic, settings) or Limit.of_settings(topic, self._settings)
        return found

    async def refusal(self, encoded: EncodedRequest) -> RequestTooLarge | None:
        """Return the reason why a record is too large to be sent, None where it is not.

        How large a proof a worker takes is not known here: the worker answers a larger one, and says so.
        """
        if self.limit.takes(encoded):
            return None
        now = asyncio.get_running_loop().time()
        async with self._asking:
            # The topic may take more by now: so it is asked again before anything is refused, but not for each of many.
            if not self.limit.takes(encoded) and now >= self._ask_again:
                await asyncio.shield(self.look_up())
                self._ask_again = now + _ASK_AGAIN
        return None if self.limit.takes(encoded) else self.limit.refusal(encoded)

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
        if refusal := await self.refusal(encoded):
            raise refusal
        topic = self._settings.request_topic
        producer = await self._connected()
        try:
            future: asyncio.Future[Any] = await producer.send(
                topic, encoded.value, encoded.key, headers=encoded.kafka_headers
            )
        except ProducerClosed:
            # Another record of it was refused between the two lines above.
            return await self._enqueue(encoded)
        except KafkaError as error:
            raise await self._failed(encoded, producer, error) from error
        # After a failure nobody waits for the rest: asyncio would complain that their exceptions were never retrieved.
        future.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return _Sent(producer, future)

    async def _acknowledged(self, encoded: EncodedRequest, sent: _Sent) -> Ticket:
        while True:
            try:
                made = await sent.future
            except KafkaError as error:
                if sent.producer in self._spoilt and not isinstance(error, MessageSizeTooLargeError):
                    # It failed for another record's sake. Had the broker got it nevertheless, it is answered twice.
                    sent = await self._enqueue(encoded)
                    continue
                raise await self._failed(encoded, sent.producer, error) from error
            return Ticket(
                encoded.custom_id, encoded.request_id, made.topic, made.partition, made.offset, made.timestamp
            )

    async def _failed(
        self, encoded: EncodedRequest, producer: AIOKafkaProducer, error: KafkaError
    ) -> BrokerUnavailable | RequestTooLarge:
        """Dispose of the producer, and return the error to raise for this record."""
        # The next record gets a new producer: this one would refuse it, too. Where many records were on their way, the
        # first of them sees to that, and asks why.
        if isinstance(error, MessageSizeTooLargeError):
            self._spoilt.add(producer)
        first = self._producer is producer
        if first:
            await self._dispose(producer)
        if isinstance(error, MessageSizeTooLargeError):
            # The topic takes less than when it was asked.
            self.limit = unknown = Limit.unknown(self._settings.request_topic)
            self._ask_again = 0.0
            return await self.refusal(encoded) or unknown.refusal(encoded)
        why = repr(error)
        if first and (error.retriable or isinstance(error, KafkaTimeoutError)):
            try:
                # Brokers that are gone and a topic that is gone look alike to a producer.
                await self.look_up()
            except BrokerUnavailable as found:
                why = str(found)
        return BrokerUnavailable(
            f"the broker at {self._settings.bootstrap_servers} did not take the request "
            f"{echo(encoded.custom_id)}: {why}"
        )

    async def _dispose(self, producer: AIOKafkaProducer) -> None:
        self._producer = None
        await stop_in_time(producer)

    async def _connected(self) -> AIOKafkaProducer:
        """Return the producer. Whoever needs one while it connects waits for the same, also for its failure."""
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
            # Also after a failure: the next who sends tries again.
            self._connecting = None
        return self._producer

    def _make(self) -> AIOKafkaProducer:
        return make_producer(
            self._settings,
            # The topic decides what is too large, and was asked.
            max_request_size=MAX_REQUEST_BYTES,
            max_batch_size=64 * 1024,
            partitioner=self._partitioner,
        )
