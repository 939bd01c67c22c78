"""Tells records that retention deleted before they were read from offsets that never held a record.

aiokafka moves to the beginning of the log by itself, and says nothing of it. So where offsets were passed over, the
broker is asked where its log begins.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
"""Seconds between two questions to the broker: transactions leave a gap each."""
_TIMEOUT = 10.0


class RetentionWatch:
    """Logs and counts loss by retention."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str) -> None:
        self.lost = 0
        """Records, at most: among the offsets some may never have held one."""
        self._consumer = consumer
        self._topic = topic
        self._gaps: list[tuple[int, int, int]] = []
        self._asking: asyncio.Task[None] | None = None

    def skipped(self, partition: int, start: int, stop: int) -> None:
        """The offsets from `start` to before `stop` were never delivered."""
        self._gaps.append((partition, start, stop))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while self._gaps:
            gaps, self._gaps = self._gaps, []
            try:
                async with asyncio.timeout(_TIMEOUT):
                    tps = [TopicPartition(self._topic, partition) for partition in {gap[0] for gap in gaps}]
                    beginnings = await self._consumer.beginning_offsets(tps)
            except (KafkaError, OSError, TimeoutError) as error:
                _log.warning(
                    "beginnings_unknown",
                    error=repr(error),
                    hint="offsets were skipped, and the broker does not say yet where the log begins: it is asked "
                    "again, and there is nothing to do unless this goes on",
                )
                self._gaps = gaps + self._gaps
            else:
                for partition, start, stop in gaps:
                    # What is not below the beginning of the log is still there: those offsets never held a record.
                    self._report(
                        partition, start, min(stop, beginnings.get(TopicPartition(self._topic, partition), start))
                    )
            await asyncio.sleep(_PAUSE)

    def _report(self, partition: int, start: int, stop: int) -> None:
        if stop > start:
            self.lost += stop - start
            _log.error(
                "lost_by_retention",
                partition=partition,
                records=stop - start,
                from_offset=start,
                to_offset=stop - 1,
                hint="retention deleted them before they were read: raise retention.ms of the topic, or add workers",
            )
