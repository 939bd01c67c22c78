"""Follows the result topic batch by batch: a newer result replaces its row, a tombstone takes it away.

A batch is acknowledged when the changelog has its changes. A batch that is delivered again changes nothing: the rows
that it would replace are as new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from streamverify.client.result_topic import decode
from streamverify.core.table.row import replaces, result_row
from streamverify.streams.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Callable

    import faust

    from streamverify.core.table.row import Row
    from streamverify.streams.application import Application
    from streamverify.streams.batches import DeliveredBatch
    from streamverify.table.result_table import ResultTable

_log = structlog.get_logger(__name__)


class Follower:
    """The agent that Faust gives the records of the result topic."""

    def __init__(self, app: Application, table: ResultTable, *, on_failure: Callable[[BaseException], None]) -> None:
        self.batches = Batches(app, on_failure)
        self.table = table
        self.results = 0
        self.tombstones = 0
        self.skipped = 0
        """Records that no worker of ours has written: their key is no custom_id, or their value is no result."""

    async def run(self, stream: faust.StreamT[Any]) -> None:
        """Follow for as long as the stream lasts."""
        await self.batches.run(stream, self.take_in)

    async def take_in(self, batch: DeliveredBatch) -> None:
        """Take in one batch, in its order."""
        for message in batch.messages:
            self._apply(message)
        # Before the acknowledgement: the next owner of the partition must find the rows in the changelog.
        await self.table.acknowledged()
        if batch.is_ours:
            batch.acknowledge()
        else:
            batch.leave()

    def _apply(self, message: Any) -> None:
        custom_id = _custom_id(message.key)
        # Not an error: anybody who may write to the topic may have written it, and it stays there.
        if custom_id is None:
            self.skipped += 1
            return
        key = (message.partition, custom_id)
        if message.value is None:
            self.tombstones += 1
            if key in self.table:
                del self.table[key]
            return
        row = _row(message, custom_id)
        if row is None:
            self.skipped += 1
            return
        self.results += 1
        if key not in self.table or replaces(row, self.table[key]):
            self.table[key] = row


def _custom_id(key: bytes | None) -> str | None:
    """Read the custom_id in the key of a record; None if the key is not UTF-8, as no worker has written it then."""
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
