"""The watchdog's loop: it asks the broker, and ends the worker that could do something and does nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.core.delivery.watchdog import Health, Watchdog
from streamverify.core.errors import WorkerStuck

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.core.delivery.partitions import Partitions

_log = structlog.get_logger(__name__)

WATCH_SECONDS = 5.0
"""Seconds between two looks of the watchdog, and for how long it waits for the broker."""


class Liveness:
    """Watches that records are fetched and commits acknowledged. When to give up is decided by `core.watchdog`."""

    def __init__(self, topic: str, partitions: Partitions, limit: float) -> None:
        """`limit`: seconds without success after which a worker with something to do is stuck."""
        self._topic = topic
        self._partitions = partitions
        self._watchdog = Watchdog(limit, time.monotonic())

    def succeeded(self) -> None:
        """Records came, or a commit was acknowledged."""
        self._watchdog.succeeded(time.monotonic())

    async def watch(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Look until cancelled.

        Raises:
            WorkerStuck: There is something to do, the broker answers, and nothing has succeeded for too long.
        """
        before = Health.FINE
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._watchdog.is_worth_asking(time.monotonic()):
                # Something has just succeeded: do not trouble the broker.
                continue
            answers = await self._broker_answers(admin)
            due = self._partitions.commit_is_due or await self._has_records_to_fetch(consumer)
            health = self._watchdog.judge(time.monotonic(), broker_answers=answers, something_due=due)
            if health is Health.STUCK:
                raise WorkerStuck(f"nothing was fetched from {self._topic} or committed, though the broker answers")
            # Only changes are logged: this looks every few seconds, and a broker may be away for hours.
            if health is not before:
                _log.info("watchdog", health=health.value, broker_answers=answers, something_due=due)
            before = health

    async def _broker_answers(self, admin: AIOKafkaAdminClient) -> bool:
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def _has_records_to_fetch(self, consumer: AIOKafkaConsumer) -> bool:
        """Tell whether a partition that is not paused has records beyond our position."""
        positions = self._partitions.readable()
        tps = [TopicPartition(self._topic, partition) for partition in positions]
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                ends = await consumer.end_offsets(tps) if tps else {}
        except (KafkaError, OSError, TimeoutError):
            # Nobody knows: without the answer of a leader nothing could be fetched, either.
            return False
        return any(end > positions[tp.partition] for tp, end in ends.items())
