"""The topics as a replay uses them: it sends requests, reads results, and looks up what an earlier process had sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from aiokafka import TopicPartition

from streamverify.bus.topic_reader import TopicReader
from streamverify.client.requests import REQUEST_ID
from streamverify.client.sender import Sender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Any, Self

    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.settings import Settings

_POLL = 0.5
"""Seconds that one wait for records lasts at most."""


class OffsetRange(NamedTuple):
    """The offsets of the result topic: for each partition its first offset, and that of its next record."""

    beginnings: dict[int, int]
    ends: dict[int, int]


class Wire(Protocol):
    """The topics as a replay uses them; for tests another one does the same in memory."""

    async def range(self) -> OffsetRange:
        """Return the offsets that the result topic has now."""

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read the result topic from these offsets on."""

    async def read(self) -> list[Any]:
        """Return the next records of the result topic; empty where none came for a moment."""

    async def send(self, encoded: EncodedRequest) -> Ticket:
        """Send a request; returns when the broker has it."""

    def took(self, key: bytes, seconds: float) -> None:
        """Note how many seconds Lean took for a proof with this key."""

    def sent_since(self, timestamp: int) -> AsyncIterator[Any]:
        """Yield the requests on the topic that have an id, from a time on (milliseconds) to its present end."""


class KafkaWire:
    """The wire to a real broker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sender = Sender(settings)
        self._reader: TopicReader
        self._requests: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        topic = self._settings.result_topic
        found = await self._sender.look_up(topic)
        self._requests = found[self._settings.request_topic]
        # At once, not with the first request: a broker that refuses us ends the replay at its start.
        await self._sender.start()
        try:
            self._reader = await TopicReader(self._settings, found[topic]).__aenter__()
        except BaseException:
            await self._sender.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; what was handed over is still sent, for a bounded time."""
        try:
            await self._reader.__aexit__(kind, error, trace)
        finally:
            await self._sender.stop()

    async def range(self) -> OffsetRange:
        """Return the offsets that the result topic has now.

        Raises:
            BrokerUnavailable: The topic cannot be read.
        """
        first, ends = await self._reader.beginnings(), await self._reader.ends()
        return OffsetRange(_by_number(first), _by_number(ends))

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read the result topic from these offsets on."""
        topic = self._settings.result_topic
        self._reader.start_from({TopicPartition(topic, number): offset for number, offset in positions.items()})

    async def read(self) -> list[Any]:
        """Return the next records of the result topic; empty where none came for a moment.

        Raises:
            BrokerUnavailable: The topic cannot be read any more.
        """
        return await self._reader.read(_POLL)

    async def send(self, encoded: EncodedRequest) -> Ticket:
        """Send a request; returns when the broker has it.

        Raises:
            RequestTooLarge: The topic does not take it.
            BrokerUnavailable: It was not acknowledged.
        """
        return await self._sender.send(encoded)

    def took(self, key: bytes, seconds: float) -> None:
        """Note how many seconds Lean took for a proof with this key: the next ones are spread by that."""
        self._sender.took(key, seconds)

    async def sent_since(self, timestamp: int) -> AsyncIterator[Any]:
        """Yield the records of the request topic with a request id, from a time on (milliseconds) to its present end.

        Raises:
            BrokerUnavailable: The topic cannot be read.
        """
        async with TopicReader(self._settings, self._requests) as reader:
            ends = await reader.ends()
            await reader.start_at(timestamp)
            async for records in reader.chunks(ends):
                for record in records:
                    if any(name == REQUEST_ID for name, _ in record.headers):
                        yield record


def _by_number(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in offsets.items()}
