"""The topic on which workers tell each other which attempts of a group have succeeded.

It saves work and decides nothing: without it every attempt is run. So nothing here ever ends a worker or makes it wait
for long. Where the topic is missing, cannot be read or cannot be written, a log line says so, and the worker goes on
with what it knows itself.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import KafkaError

from streamverify.bus.connection import connect, make_producer
from streamverify.bus.presence import topic_partitions
from streamverify.bus.reader import ResultReader
from streamverify.core.about import cut_id
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.groups.announcement import decode_announcement, encode_announcement

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaProducer

    from streamverify.core.groups.groups import Winner
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

CATCH_UP_TIMEOUT = 10.0
"""Seconds that a worker that starts waits at most for what was announced before."""
_READ_TIMEOUT = 1.0
_RETRY = 30.0
"""Seconds between two tries to read a topic that is missing or cannot be read."""
MAX_UNSENT = 1_000
"""Announcements that wait to be sent; beyond it the newest are not sent at all."""


class Announcements:
    """Reads the topic, without a group and from the last `GROUP_TTL`, and writes to it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unsent: asyncio.Queue[Winner] = asyncio.Queue(MAX_UNSENT)
        self._caught_up = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: set[str] = set()
        """What has failed, and not succeeded since: it is told once."""

    async def start(self, on_winner: Callable[[Winner], None]) -> None:
        """Begin, and wait until everything that is on the topic was read, or that has taken too long.

        Args:
            on_winner: Is told each winner that was announced, those of this worker too. It must not raise.
        """
        if not self._settings.group_ttl:
            return
        self._tasks = [
            asyncio.create_task(self._keep_reading(on_winner), name="read-announcements"),
            asyncio.create_task(self._keep_writing(), name="write-announcements"),
        ]
        try:
            await asyncio.wait_for(self._caught_up.wait(), CATCH_UP_TIMEOUT)
        except TimeoutError:
            _log.warning(
                "announcements_not_caught_up",
                topic=self._settings.groups_topic,
                seconds=CATCH_UP_TIMEOUT,
                hint="the worker starts nevertheless; it may run some attempts of groups that have a success already",
            )

    def announce(self, winner: Winner) -> None:
        """Tell the other workers of a winner, soon; if nothing can be sent they are not told."""
        if self._tasks and not self._unsent.full():
            self._unsent.put_nowait(winner)

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_reading(self, on_winner: Callable[[Winner], None]) -> None:
        while True:
            try:
                await self._read(on_winner)
            except BrokerUnavailable as error:
                self._cannot("read", error)
            # Whatever it is: who starts the worker need not wait for what cannot be read.
            self._caught_up.set()
            await asyncio.sleep(_RETRY)

    async def _read(self, on_winner: Callable[[Winner], None]) -> None:
        """Read until that fails.

        Raises:
            BrokerUnavailable: The topic is missing, or no broker answers.
        """
        settings = self._settings
        partitions = await topic_partitions(settings, settings.groups_topic)
        async with ResultReader(settings, partitions) as reader:
            await reader.start_at(int((time.time() - settings.group_ttl) * 1000))
            ends = await reader.ends()
            self._failing.discard("read")
            while True:
                for record in await reader.read(_READ_TIMEOUT):
                    if winner := self._understand(record.value, record.timestamp):
                        _tell(on_winner, winner)
                if not self._caught_up.is_set() and await reader.reached(ends):
                    self._caught_up.set()

    def _understand(self, value: bytes | None, timestamp_ms: int) -> Winner | None:
        try:
            return decode_announcement(value, timestamp_ms)
        except ValueError as error:
            _log.warning(
                "announcement_not_understood",
                topic=self._settings.groups_topic,
                error=str(error)[:200],
                hint="it is ignored; only workers write to this topic: is it another one, or of a later version?",
            )
            return None

    async def _keep_writing(self) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            while True:
                record = encode_announcement(await self._unsent.get())
                while True:
                    try:
                        if producer is None:
                            # At the first success: many workers never see one of a group.
                            producer = await self._make_producer()
                        await producer.send_and_wait(
                            self._settings.groups_topic, record.value, record.key, timestamp_ms=record.timestamp_ms
                        )
                        self._failing.discard("written")
                        break
                    except (KafkaError, BrokerUnavailable) as error:
                        self._cannot("written", error)
                        # An idempotent producer is of no more use after an error.
                        if producer is not None:
                            await producer.stop()
                            producer = None
                        await asyncio.sleep(_RETRY)
        finally:
            if producer is not None:
                await producer.stop()

    async def _make_producer(self) -> AIOKafkaProducer:
        """Connect, once the topic is there: a producer would ask for it without end.

        Raises:
            BrokerUnavailable: The topic is missing, or no broker answers.
        """
        await topic_partitions(self._settings, self._settings.groups_topic)
        return await connect(lambda: make_producer(self._settings), self._settings.bootstrap_servers)

    def _cannot(self, wanted: str, error: Exception) -> None:
        if wanted in self._failing:
            return
        self._failing.add(wanted)
        _log.warning(
            "groups_topic_unavailable",
            topic=self._settings.groups_topic,
            wanted=wanted,
            error=str(error) or repr(error),
            hint="the worker goes on: it only does not know of successes that other workers find, and runs attempts "
            "that nobody needs; make the topic with `streamverify topics create`, or set GROUP_TTL=0",
        )


def _tell(on_winner: Callable[[Winner], None], winner: Winner) -> None:
    try:
        on_winner(winner)
    except Exception:  # noqa: BLE001 - it would end the reading for good, and nobody would know
        _log.exception(
            "announcement_failed",
            custom_id=cut_id(winner.custom_id),
            hint="an error of streamverify's own: please report it with this traceback; the worker goes on",
        )
