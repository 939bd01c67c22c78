"""Says when no broker answers, and ends the worker that could do something and does nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import BrokerResponseError, KafkaError

from streamverify.core.delivery.outage import BrokerOutage
from streamverify.core.delivery.watchdog import Health, Watchdog
from streamverify.core.errors import WorkerStuck

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.core.delivery.partitions import Partitions
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

WATCH_SECONDS = 5.0
"""Seconds between two looks of the watchdog, and for how long it waits for the broker."""
TRY_SECONDS = 2.0
RETRY = 0.5
OUTAGE_GRACE = 30.0
"""Seconds without any broker after which a process is not ready: one broker that restarts takes nobody out of service.
"""


class BrokerWatch:
    """Asks whether any broker answers, and logs the beginning and the end of an outage."""

    def __init__(self, servers: str, group: str) -> None:
        """`group`: any name will do; the question to the brokers is who coordinates it."""
        self._servers = servers
        self._group = group
        self._outage = BrokerOutage(time.monotonic())

    @property
    def seconds_without_broker(self) -> float:
        """Seconds for which no broker has answered; 0 while they answer."""
        return self._outage.lasts(time.monotonic())

    @property
    def outage(self) -> str | None:
        """The outage in words, None while brokers answer."""
        if self._outage.since is None:
            return None
        return f"no broker answers at {self._servers} since {self._clock(self._outage.since)}"

    @staticmethod
    def _clock(moment: float) -> str:
        """The time of day of a reading of the monotonic clock, in UTC."""
        return (datetime.now(UTC) - timedelta(seconds=time.monotonic() - moment)).isoformat(timespec="seconds")

    async def run(self, admin: AIOKafkaAdminClient) -> None:
        """Ask from time to time, until cancelled: for a process that has no other way of knowing."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.note(answers=await self.answers(admin))

    def note(self, *, answers: bool) -> None:
        """Log the beginning and the end of an outage; it may take hours, and what is in between says nothing new."""
        if answers:
            if (seconds := self._outage.answered(time.monotonic())) is not None:
                _log.info("broker_answers_again", brokers=self._servers, seconds=round(seconds, 1))
        elif self._outage.silent():
            _log.warning(
                "no_broker_answers",
                brokers=self._servers,
                since=self._clock(self._outage.since or 0.0),
                hint="proofs go on, and their results are sent when a broker answers: bring the brokers back, or "
                "compare BOOTSTRAP_SERVERS; logged once an outage",
            )

    async def answers(self, admin: AIOKafkaAdminClient) -> bool:
        """Ask again for a while: each try goes to any one of the brokers, of which some may be down."""
        # Bounded, as the watchdog waits for it: what no broker says within the time counts as an outage.
        give_up = time.monotonic() + WATCH_SECONDS
        while time.monotonic() < give_up:
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    # The cheapest question: it names no topic, so it makes none, and its answer is short.
                    await admin.find_coordinator(self._group)
            except BrokerResponseError:
                return True  # an error is an answer
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(RETRY)
            else:
                return True
        return False


class Liveness:
    """Watches that records are fetched and commits acknowledged. `core.delivery.watchdog` decides when to give up."""

    def __init__(self, settings: Settings, partitions: Partitions, limit: float) -> None:
        """`limit`: seconds without success after which a worker with something to do is stuck."""
        self._topic = settings.request_topic
        self._partitions = partitions
        self._watchdog = Watchdog(limit, time.monotonic())
        self.brokers = BrokerWatch(settings.bootstrap_servers, settings.group_id)
        """Knows whether any broker answers."""
        self._last_success = time.monotonic()

    def succeeded(self) -> None:
        """Records came, or a commit was acknowledged."""
        self._last_success = time.monotonic()
        self._watchdog.succeeded(self._last_success)

    async def watch(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Look until cancelled.

        Raises:
            WorkerStuck: There is something to do, the broker answers, and nothing has succeeded for too long.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            # What has just succeeded was an answer: do not trouble the brokers.
            answers = time.monotonic() - self._last_success < WATCH_SECONDS or await self.brokers.answers(admin)
            self.brokers.note(answers=answers)
            # What is due costs a question to the leader of each partition: only when it could end the worker.
            if not self._watchdog.is_worth_asking(time.monotonic()):
                continue
            due = self._partitions.commit_is_due or await self._has_records_to_fetch(consumer)
            if self._watchdog.judge(time.monotonic(), broker_answers=answers, something_due=due) is Health.STUCK:
                raise WorkerStuck(f"nothing was fetched from {self._topic} or committed, though the broker answers")

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
