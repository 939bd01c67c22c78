"""Reads topics (results, dead letters, announcements) without a consumer group, from positions set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.connection import connect, make_reader, patiently
from streamverify.bus.presence import topic_partitions
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from aiokafka import AIOKafkaConsumer

    from streamverify.settings import Settings

A = TypeVar("A")
T = TypeVar("T")

_FETCH_WAIT_MS = 50
"""Apache Kafka answers a waiting fetch as soon as there is a record; the embedded broker only when this is over."""

_POLL = 0.5
"""Seconds that one wait for records lasts at most, so that the end is noticed where nothing comes."""

_METADATA_AGE_MS = 30_000
"""Milliseconds after which a long-lived reader learns of partitions that were added."""


class TopicReader:
    """A reader of the given partitions. It joins no group and commits nothing; others are not disturbed."""

    def __init__(self, settings: Settings, partitions: Sequence[TopicPartition]) -> None:
        self._settings = settings
        self._partitions = list(partitions)
        self._consumer: AIOKafkaConsumer

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        self._consumer = await connect(
            lambda: make_reader(self._settings, fetch_max_wait_ms=_FETCH_WAIT_MS, metadata_max_age_ms=_METADATA_AGE_MS),
            self._settings.bootstrap_servers,
        )
        # Paused until the positions are set: aiokafka would fetch from some of its own, and wait for that first.
        self._consumer.assign(self._partitions)
        self._consumer.pause(*self._partitions)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def ends(self) -> dict[TopicPartition, int]:
        """Ask for the offset that the next record of each partition will have."""
        try:
            return dict(await self._ask(self._consumer.end_offsets, self._partitions))
        except KafkaError as error:
            raise self._lost(error) from error

    async def beginnings(self) -> dict[TopicPartition, int]:
        """Ask for the oldest offset that is kept of each partition."""
        try:
            return dict(await self._ask(self._consumer.beginning_offsets, self._partitions))
        except KafkaError as error:
            raise self._lost(error) from error

    async def start_at_end(self) -> None:
        """Read only what is produced from now on."""
        self.start_from(await self.ends())

    async def start_at(self, since: int) -> None:
        """Read what was produced at `since` (milliseconds since the epoch) or later, as far as the broker can tell."""
        self.start_from(await self.offsets_at(since))

    async def offsets_at(self, since: int) -> dict[TopicPartition, int]:
        """Ask for the first offset of each partition that was produced at `since` or later, if the broker knows."""
        try:
            first = await self._ask(self._consumer.beginning_offsets, self._partitions)
            found = await self._ask(self._consumer.offsets_for_times, dict.fromkeys(self._partitions, since))
            oldest = await self._ask(self._consumer.offsets_for_times, dict.fromkeys(self._partitions, 0))
        except KafkaError as error:
            raise self._lost(error) from error
        # A partition in which something has a time, and nothing one as late, is read from its end.
        ends = await self.ends()
        for partition in self._partitions:
            if found[partition] is not None:
                first[partition] = found[partition].offset
            elif oldest[partition] is not None:
                first[partition] = ends[partition]
            # Else the partition is empty, or the broker (the embedded one) cannot look up times: from its beginning.
        return dict(first)

    async def read(self, timeout: float) -> list[Any]:
        """Return the next records, of any partition; no records if none came within `timeout` seconds."""
        try:
            batches = await self._consumer.getmany(timeout_ms=max(1, int(timeout * 1000)))
        except KafkaError as error:
            raise self._lost(error) from error
        return [record for records in batches.values() for record in records]

    async def chunks(self, ends: Mapping[TopicPartition, int] | None) -> AsyncGenerator[list[Any], None]:
        """Yield the records as they are fetched, also empty lists where none came for a moment.

        Args:
            ends: The offsets before which it ends, of all partitions; None: it goes on for ever.

        Raises:
            BrokerUnavailable: The topic cannot be read any more.
        """
        while ends is None or not await self.reached(ends):
            records = await self.read(_POLL)
            # What was produced since the ends were asked for is fetched with the rest.
            yield [
                record
                for record in records
                if ends is None or record.offset < ends[TopicPartition(record.topic, record.partition)]
            ]

    def partitions_of_topics(self) -> list[TopicPartition]:
        """Return all partitions that the topics have by now, also those that are not read."""
        return [
            TopicPartition(topic, number)
            for topic in sorted({partition.topic for partition in self._partitions})
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]

    async def reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Tell whether everything below `ends` was read, or is no longer there."""
        for partition, end in ends.items():
            # The position, not the last record's offset: compaction and transactions leave holes at the end.
            if await self._consumer.position(partition) < end:
                return False
        return True

    def start_from(self, offsets: dict[TopicPartition, int]) -> None:
        """Read from these offsets on."""
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
        self._consumer.resume(*self._partitions)

    async def _ask(self, call: Callable[[A], Awaitable[T]], argument: A) -> T:
        """Ask for offsets, again while the leader of a partition is not ready."""
        return await patiently(lambda: call(argument), self._settings.bootstrap_servers)

    def _lost(self, error: KafkaError) -> BrokerUnavailable:
        topics = ", ".join(sorted({partition.topic for partition in self._partitions}))
        return BrokerUnavailable(
            f"the topic {topics} cannot be read from {self._settings.bootstrap_servers}: {error!r}"
        )


async def records_kept(settings: Settings, topic: str) -> int:
    """Count the records that a topic keeps: offsets between beginning and end, of all its partitions.

    Raises:
        BrokerUnavailable: No broker, or no such topic.
    """
    async with TopicReader(settings, await topic_partitions(settings, topic)) as reader:
        firsts, ends = await reader.beginnings(), await reader.ends()
    return sum(end - firsts[partition] for partition, end in ends.items())
