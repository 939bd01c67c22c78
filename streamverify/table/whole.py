"""Reads one whole result from the result topic: the table itself keeps only a row of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.connection import connect, make_reader
from streamverify.client.result_topic import decode

if TYPE_CHECKING:
    from streamverify.core.table.row import Row
    from streamverify.settings import Settings

TIMEOUT = 10.0
"""Seconds that the broker has for one record."""
_POLL_MS = 500


class WholeResults:
    """Fetches one record after the other, by its offset."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        self._consumer = await connect(lambda: make_reader(self._settings), self._settings.bootstrap_servers)

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def fetch(self, row: Row) -> bytes | None:
        """Fetch the value of the record that a row was made from; None if the topic does not have it any more.

        Raises:
            TimeoutError: The broker did not answer.
        """
        partition = TopicPartition(row["result_topic"], row["result_partition"])
        # One at a time: the consumer has one position.
        async with self._lock, asyncio.timeout(TIMEOUT):
            self._consumer.assign([partition])
            self._consumer.seek(partition, row["result_offset"])
            while True:
                try:
                    batches = await self._consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=1)
                except KafkaError:
                    # What the broker cannot say now it may say within the time that it has.
                    await asyncio.sleep(_POLL_MS / 1000)
                    continue
                for record in batches.get(partition, ()):
                    if record.offset != row["result_offset"]:
                        return None
                    result = decode(record)
                    if result is None or result.custom_id != row["custom_id"]:
                        return None
                    value: bytes | None = record.value
                    return value
