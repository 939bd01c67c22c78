"""The topic of dead letters: read without a consumer group, and sent back to the request topic.

A letter stays on its topic when it is replayed: Kafka takes nothing out of a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.connection import client_options, connect
from streamverify.bus.topics import topic_partitions
from streamverify.client.reader import ResultReader
from streamverify.core.deadletter import DeadLetter
from streamverify.core.errors import BrokerUnavailable, UndecodableDeadLetter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from types import TracebackType
    from typing import Self

    from streamverify.core.models import Source
    from streamverify.settings import Settings

REPLAYS = "streamverify-replays"
"""The Kafka header that counts how often a record came back from the dead letters."""
_POLL = 0.5
_STOP_PATIENCE = 5.0
_MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Above what the request topic took once: the original is no larger than it was then."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record of the dead letter topic. `content` is None where it is no dead letter of ours: `error` says why."""

    partition: int
    offset: int
    timestamp: int
    """That of the original request, in milliseconds since the epoch."""
    content: DeadLetter | None
    error: str = ""

    @property
    def replays(self) -> int:
        """How often the request was replayed before it became this letter."""
        return _replays(self.content.headers) if self.content else 0

    @classmethod
    def of(cls, record: Any) -> Letter:
        """Read a record."""
        try:
            content = DeadLetter.from_record(key=record.key, value=record.value, headers=record.headers)
        except UndecodableDeadLetter as error:
            return cls(record.partition, record.offset, record.timestamp, None, str(error))
        return cls(record.partition, record.offset, record.timestamp, content)


@dataclass(frozen=True, slots=True)
class Original:
    """A request as it was sent first, to be sent again."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def replayed(letter: DeadLetter) -> Original:
    """The request to send again: as it came, with one replay more in its count."""
    headers = [pair for pair in letter.headers if pair[0] != REPLAYS]
    count = _replays(letter.headers) + 1
    return Original(letter.key, letter.value, [*headers, (REPLAYS, str(count).encode("ascii"))])


def _replays(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """The count; a stranger's nonsense counts as none."""
    for name, value in reversed(headers):
        if name == REPLAYS:
            return int(value) if value and value.isdigit() and len(value) < 10 else 0  # noqa: PLR2004 - digits
    return 0


class DeadLetters:
    """The dead letter topic. An asynchronous context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Connect nowhere yet: who only reads needs no right to write."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._producer is not None:
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(self._producer.stop(), timeout=_STOP_PATIENCE)

    async def read(self, since: int = 0) -> AsyncGenerator[Letter, None]:
        """What is there now, each partition in its order, requests older than `since` (milliseconds) left out.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        partitions = await topic_partitions(self._settings, self._settings.dlq_topic)
        async with ResultReader(self._settings, partitions) as reader:
            ends = await reader.ends()
            await reader.start_at(since)
            while not await reader.reached(ends):
                for record in await reader.read(_POLL):
                    if record.timestamp >= since and record.offset < ends[_place(record)]:
                        yield Letter.of(record)

    async def fetch(self, topic: str, partition: int, offset: int) -> Any | None:
        """One record, None where it is no longer there."""
        place = TopicPartition(topic, partition)
        async with ResultReader(self._settings, [place]) as reader:
            ends = await reader.ends()
            if offset >= ends[place]:
                return None
            reader.start_from({place: offset})
            while not await reader.reached({place: offset + 1}):
                for record in await reader.read(_POLL):
                    return record if record.offset == offset else None
        return None

    async def original(self, source: Source) -> Original | None:
        """The request itself, for a letter that had to be emptied; None where its topic no longer has it."""
        record = await self.fetch(source.topic, source.partition, source.offset)
        return None if record is None else Original(record.key, record.value, list(record.headers))

    async def send(self, originals: AsyncIterator[Original]) -> int:
        """Send requests again, spread over the partitions; how many the broker has acknowledged: all.

        Raises:
            BrokerUnavailable: One could not be delivered; those before it may have been.
        """
        topic = self._settings.request_topic
        partitions = itertools.cycle(await topic_partitions(self._settings, topic))
        self._producer = producer = await connect(self._make, self._settings.bootstrap_servers)
        waiting = []
        try:
            async for original in originals:
                place = next(partitions)
                waiting.append(
                    await producer.send(
                        topic, original.value, original.key, partition=place.partition, headers=original.headers
                    )
                )
            await asyncio.gather(*waiting)
        except KafkaError as error:
            await asyncio.gather(*waiting, return_exceptions=True)
            raise BrokerUnavailable(
                f"the broker at {self._settings.bootstrap_servers} did not take all requests: {error!r}"
            ) from error
        return len(waiting)

    def _make(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **client_options(self._settings),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_request_size=_MAX_REQUEST_BYTES,
        )


def _place(record: Any) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
