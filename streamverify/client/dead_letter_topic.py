"""The topic of dead letters: read without a consumer group, and sent back to the request topic.

A letter stays on its topic when it is replayed: Kafka takes nothing out of a log.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.client.dead_letters import Letter, Original
from streamverify.client.producer import open_producer
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.topic_plans import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from streamverify.core.messages.models import Source
    from streamverify.settings import Settings

_POLL = 0.5


class DeadLetters:
    """The dead letter topic. Each method connects for itself: who only reads needs no right to write."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def read(self, since: int = 0) -> AsyncGenerator[Letter, None]:
        """Read the letters that are there now, each partition in its order.

        Args:
            since: Milliseconds since the epoch; requests that are older are left out.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        partitions = await topic_partitions(self._settings, self._settings.dlq_topic)
        async with TopicReader(self._settings, partitions) as reader:
            ends = await reader.ends()
            await reader.start_at(since)
            async for records in reader.chunks(ends):
                for record in records:
                    # The broker finds the first offset of that time; after it there may be older requests.
                    if record.timestamp >= since:
                        yield Letter.of(record)

    async def fetch(self, topic: str, partition: int, offset: int) -> Any | None:
        """Read one record; None if it is not there, or no longer.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        tp = TopicPartition(topic, partition)
        if tp not in await topic_partitions(self._settings, topic):
            # A reader would wait for the partition.
            return None
        async with TopicReader(self._settings, [tp]) as reader:
            ends = await reader.ends()
            if offset >= ends[tp]:
                return None
            reader.start_from({tp: offset})
            while not await reader.reached({tp: offset + 1}):
                for record in await reader.read(_POLL):
                    return record if record.offset == offset else None
        return None

    async def original(self, source: Source) -> Original | None:
        """Read the request itself, for a letter that had to be emptied; None where its topic no longer has it.

        Raises:
            BrokerUnavailable: No broker, or its topic is gone.
        """
        record = await self.fetch(source.topic, source.partition, source.offset)
        return None if record is None else Original(record.key, record.value, list(record.headers))

    async def send(self, originals: AsyncIterator[Original]) -> int:
        """Send requests again, spread over the partitions. Returns how many, when the broker has acknowledged all.

        Raises:
            BrokerUnavailable: One could not be delivered; those before it may have been.
        """
        topic = self._settings.request_topic
        partitions = itertools.cycle(await topic_partitions(self._settings, topic))
        waiting = []
        largest = 0
        async with open_producer(self._settings, max_request_size=MAX_REQUEST_BYTES) as producer:
            try:
                async for original in originals:
                    largest = max(largest, len(original.value or b""))
                    tp = next(partitions)
                    waiting.append(
                        await producer.send(
                            topic, original.value, original.key, partition=tp.partition, headers=original.kafka_headers
                        )
                    )
                await asyncio.gather(*waiting)
            except KafkaError as error:
                # Nobody waits for the others any more: asyncio would complain of exceptions that nobody retrieved.
                await asyncio.gather(*waiting, return_exceptions=True)
                why = repr(error)
                if isinstance(error, MessageSizeTooLargeError):
                    why = (
                        f"one is too large for the topic {topic} (its max.message.bytes); "
                        f"`streamverify topics create --alter --max-proof-bytes {largest}` raises that"
                    )
                raise BrokerUnavailable(
                    f"the broker at {self._settings.bootstrap_servers} did not take all requests: {why}"
                ) from error
        return len(waiting)
