"""Forwards batch by batch: decides, publishes, and counts and acknowledges only when the broker has the whole batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from streamverify.bus.publisher import Outgoing, countdown, dead_letter_record
from streamverify.bus.topics import router_group
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.log.about import about_place
from streamverify.core.messages.dead_letter import DeadLetter, Stage
from streamverify.core.messages.models import Source
from streamverify.router.header_counts import PartitionCounts, by_partition
from streamverify.router.route import DeadLetterRoute, Forward, route
from streamverify.streams.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import faust

    from streamverify.bus.publisher import Publisher
    from streamverify.settings import Settings
    from streamverify.streams.application import Application, PartitionedTable
    from streamverify.streams.batches import DeliveredBatch
    from streamverify.streams.partitioned_rows import Key

_log = structlog.get_logger(__name__)


class RefusedByTopic(BrokerUnavailable):
    """The request topic accepts no record of this size."""


class Forwarder:
    """The agent that Faust gives the records of the ingest topic."""

    def __init__(  # noqa: PLR0913 - it stands between that many parts
        self,
        settings: Settings,
        app: Application,
        table: PartitionedTable[Key, dict[str, Any]],
        publisher: Publisher,
        *,
        partitions: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._group = router_group(settings)
        self.batches = Batches(app, on_failure)
        self._table = table
        self._publisher = publisher
        self._partitions = partitions
        self._counted_in: int | None = None
        """The generation of the group from whose table `_counts` was made."""
        self._counts: dict[int, PartitionCounts] = {}
        self.forwarded = 0
        """Records that the broker has on the request topic."""
        self.dead_letters = 0
        """Records that the broker has as dead letters."""

    async def run(self, stream: faust.StreamT[Any]) -> None:
        """Forward for as long as the stream lasts."""
        await self.batches.run(stream, self.forward)

    async def forward(self, batch: DeliveredBatch) -> None:
        """Forward one batch, in its order.

        Raises:
            BrokerUnavailable: The topic has more partitions than when the router started.
        """
        routed = [(message, route(message.value)) for message in batch.messages]
        everything = asyncio.Event()
        acknowledged = countdown(len(routed), everything.set)
        for message, where in routed:
            if isinstance(where, DeadLetterRoute):
                self._publisher.publish(self._dead_letter(message, where.error, acknowledged))
            else:
                self._publisher.publish(self._request(message, where.key, acknowledged))
        await everything.wait()
        if not batch.is_ours:
            # A rebalance meanwhile: the next owner forwards the batch again, and counts it.
            batch.leave()
            return
        self._count(batch.generation, [(message, where) for message, where in routed if isinstance(where, Forward)])
        # Before the acknowledgement: the next owner of the partition must find the counts in the changelog.
        await self._table.acknowledged()
        batch.acknowledge()

    def _request(self, message: Any, key: bytes, on_ack: Callable[[], None]) -> Outgoing:
        def forwarded() -> None:
            self.forwarded += 1
            on_ack()

        # No worker could ever read it from there; as a dead letter it can be sent again when the limit is raised.
        def refused() -> Outgoing:
            topic = self._settings.request_topic
            error = RefusedByTopic(f"the topic {topic} takes no record of {len(message.value):,} bytes")
            return self._dead_letter(message, error, on_ack)

        return Outgoing(
            self._settings.request_topic,
            key,
            message.value,
            _kafka_headers(message),
            forwarded,
            refused,
            timestamp_ms=_milliseconds(message.timestamp),
        )

    def _dead_letter(self, message: Any, error: Exception, on_ack: Callable[[], None]) -> Outgoing:
        kafka_headers = _kafka_headers(message)

        def acknowledged() -> None:
            self.dead_letters += 1
            on_ack()

        letter = DeadLetter.of(
            error,
            key=message.key,
            value=message.value,
            kafka_headers=kafka_headers,
            source=Source(
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                timestamp=_milliseconds(message.timestamp) or 0,
            ),
            group=self._group,
            stage=Stage.ROUTE,
        )
        _log.warning(
            "dead_letter",
            **about_place(message.partition, message.offset, kafka_headers),
            stage=Stage.ROUTE,
            error=str(error),
            hint=f"see it with `streamverify dlq list`; it is on {self._settings.dlq_topic}",
        )
        return dead_letter_record(self._settings.dlq_topic, letter, acknowledged)

    def _count(self, generation: int, forwarded: Sequence[tuple[Any, Forward]]) -> None:
        if generation != self._counted_in:
            # After a rebalance: Faust has read the partitions that are new here from the changelog into the table.
            counts = by_partition(self._table.items())
            self._counts = {number: PartitionCounts(counts.get(number, {})) for number in range(self._partitions)}
            self._counted_in = generation
        for message, where in forwarded:
            if message.partition not in self._counts:
                raise BrokerUnavailable(
                    f"the topic {message.topic} has more partitions than when the router started: start it again"
                )
            self._counts[message.partition].add(where.key.decode("ascii"), where.header, message.offset)
        for number in {message.partition for message, _ in forwarded}:
            for fingerprint, count in self._counts[number].take_changes().items():
                if count is not None:
                    self._table[number, fingerprint] = count.as_value()
                else:
                    self._table.pop((number, fingerprint), None)


def _kafka_headers(message: Any) -> list[tuple[str, bytes | None]]:
    """Take the Kafka headers of Faust's message, which may be None, as plain tuples."""
    return [(name, value) for name, value in message.headers or ()]


def _milliseconds(seconds: float | None) -> int | None:
    """Convert Faust's seconds to milliseconds, rounded: cutting them off would often make one millisecond less."""
    if seconds is None or seconds < 0:
        return None
    return round(seconds * 1000)
