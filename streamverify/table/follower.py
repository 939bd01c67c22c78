"""Follows the result topic batch by batch: a newer result replaces its row, a tombstone takes it away.

A batch is acknowledged when the changelog has its changes, as in `router.forwarder`, which says why Faust does not do
that by itself. A batch that is delivered again changes nothing: the rows that it would replace are as new.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import structlog

from streamverify.client.result_topic import decode
from streamverify.core.table.row import replaces, result_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import faust

    from streamverify.core.table.row import Row
    from streamverify.streams.application import Application
    from streamverify.streams.consumer import StreamConsumer
    from streamverify.table.result_table import ResultTable

BATCH = 500
"""Records that are taken in at once."""
BATCH_WINDOW = 0.05
"""Seconds that a record waits at most for others of its batch."""

_log = structlog.get_logger(__name__)


class Follower:
    """The agent that Faust gives the records of the result topic."""

    def __init__(self, app: Application, table: ResultTable, *, on_failure: Callable[[BaseException], None]) -> None:
        self._app = app
        self._table = table
        self._on_failure = on_failure
        self._generation: int | None = None
        self.read: dict[int, int] = {}
        """By partition: one past the offset of the last record that was taken in since the last rebalance."""
        self.results = 0
        self.tombstones = 0
        self.skipped = 0
        """Records that are no results: nobody's key, or nobody's value."""

    def done(self) -> Mapping[int, int]:
        """`read`, where there was no rebalance since."""
        return self.read if self._app.consumer_generation_id == self._generation else {}

    async def run(self, stream: faust.StreamT[Any]) -> None:
        """Follow for as long as the stream lasts."""
        try:
            async for events in cast("faust.Stream[Any]", stream).noack_take(BATCH, within=BATCH_WINDOW):
                await self.take_in(events)
        except Exception as error:  # noqa: BLE001 - Faust would go on without this batch
            self._on_failure(error)
            await asyncio.Event().wait()

    async def take_in(self, events: Sequence[faust.EventT[Any]]) -> None:
        """Take in one batch, in its order."""
        generation = self._app.consumer_generation_id
        if generation != self._generation:
            self._generation = generation
            self.read.clear()
        # Records of an assignment that is over are delivered again, here or to another instance.
        self._leave(event for event in events if event.message.generation_id != generation)
        events = [event for event in events if event.message.generation_id == generation]
        for event in events:
            self._apply(event.message)
        # Before the acknowledgement: the next owner of the partition must find the rows in the changelog.
        await self._table.acknowledged()
        if self._app.consumer_generation_id != generation:
            self._leave(events)
            return
        for event in events:
            event.ack()
            self.read[event.message.partition] = event.message.offset + 1

    def _leave(self, events: Iterable[faust.EventT[Any]]) -> None:
        """Leave records to the next owner of their partition."""
        for event in events:
            cast("StreamConsumer", self._app.consumer).forget(event.message)

    def _apply(self, message: Any) -> None:
        custom_id = _custom_id(message.key)
        if custom_id is None:
            self.skipped += 1
            return
        key = (message.partition, custom_id)
        if message.value is None:
            self.tombstones += 1
            if key in self._table:
                del self._table[key]
            return
        row = _row(message, custom_id)
        if row is None:
            self.skipped += 1
            return
        self.results += 1
        if key not in self._table or replaces(row, self._table[key]):
            self._table[key] = row


def _custom_id(key: bytes | None) -> str | None:
    """The custom_id that the key of a record is; None if it is none, and so no worker's."""
    try:
        return key.decode() if key else None
    except UnicodeDecodeError:
        return None


def _row(message: Any, custom_id: str) -> Row | None:
    """Make the row of a record; None, and a line in the log, where it is no result of this custom_id."""
    result = decode(message)
    if result is None:
        return None
    if result.custom_id != custom_id:
        _log.warning(
            "result_under_another_key",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            hint="skipped: the key of a result is its custom_id, else compaction and tombstones miss it; "
            "no worker of ours wrote this record",
        )
        return None
    timestamp = round((message.timestamp or 0) * 1000)
    return result_row(
        result, topic=message.topic, partition=message.partition, offset=message.offset, timestamp=timestamp
    )
