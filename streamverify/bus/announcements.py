"""The topic on which workers tell each other which attempts of a group have succeeded, and people cancel requests.

It saves work and decides nothing: without it every request is run. So nothing here ever ends a worker or makes it wait
for long. Where the topic is missing, cannot be read or cannot be written, a log line says so, and the worker goes on
with what it knows itself.

Successes are of use for `GROUP_TTL`; cancellations as long as there are requests from before them. So the whole topic
is read at the start, and what is too old and no cancellation is passed over unread: it is told by its key.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import KafkaError

from streamverify.bus.connection import connect, make_producer
from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.groups.announcement import (
    decode_announcement,
    decode_cancellation,
    encode_announcement,
    is_cancellation,
)
from streamverify.core.groups.cancellation import Cancellation
from streamverify.core.log.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaProducer, ConsumerRecord

    from streamverify.core.groups.groups import Winner
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

CATCH_UP_TIMEOUT = 10.0
"""Seconds that a starting worker waits at most for the existing announcements."""
_READ_TIMEOUT = 1.0
_RETRY = 30.0
"""Seconds between two tries to read a topic that is missing or cannot be read."""
MAX_UNSENT = 1_000
"""Announcements that wait to be sent; beyond it the newest are not sent at all."""
_QUIET = 3600.0
"""Seconds after which it is said again that a kind of record is not understood."""


class Announcements:
    """Reads the topic, without a group, and writes to it.

    MADE ── start ──> CATCHING UP ── what was there is read, or cannot be, or that takes too long ──> FOLLOWING
    in both: reading ── fails ──> FAILING, logged once ── after `_RETRY` seconds, again and again ──> reading
             writing ── fails ──> FAILING, logged once ── the same, with the winner that was not sent ──> writing
    any ── close ──> CLOSED: nothing is read or sent any more
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._unsent: asyncio.Queue[Winner] = asyncio.Queue(MAX_UNSENT)
        self._caught_up = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: set[str] = set()
        """"read" and "written", for as long as they fail: each failure is logged once."""
        self._complaints = Once(_QUIET)
        self._on_winner: Callable[[Winner], None]
        self._on_cancellation: Callable[[Cancellation], None]

    async def start(self, on_winner: Callable[[Winner], None], on_cancellation: Callable[[Cancellation], None]) -> None:
        """Begin, and wait until everything that is on the topic was read, or that has taken too long.

        Args:
            on_winner: Is told each winner that was announced, those of this worker too. It must not raise.
            on_cancellation: Is told each cancellation; it must not raise either.
        """
        self._on_winner, self._on_cancellation = on_winner, on_cancellation
        self._tasks = [asyncio.create_task(self._keep_reading(), name="read-announcements")]
        if self._settings.group_ttl:
            self._tasks.append(asyncio.create_task(self._keep_writing(), name="write-announcements"))
        try:
            await asyncio.wait_for(self._caught_up.wait(), CATCH_UP_TIMEOUT)
        except TimeoutError:
            _log.warning(
                "announcements_not_caught_up",
                topic=self._settings.groups_topic,
                seconds=CATCH_UP_TIMEOUT,
                hint="the worker starts nevertheless; it may run some attempts of groups that have a success already, "
                "and some requests that were cancelled",
            )

    def announce(self, winner: Winner) -> None:
        """Tell the other workers of a winner, soon; if nothing can be sent they are not told."""
        # Never waits: a worker must not stand still because a topic that only saves work cannot be written.
        if self._tasks and self._settings.group_ttl and not self._unsent.full():
            self._unsent.put_nowait(winner)

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_reading(self) -> None:
        while True:
            try:
                await self._read()
            except BrokerUnavailable as error:
                self._cannot("read", error)
            # Whatever it is: who starts the worker need not wait for what cannot be read.
            self._caught_up.set()
            await asyncio.sleep(_RETRY)

    async def _read(self) -> None:
        """Read until that fails.

        Raises:
            BrokerUnavailable: The topic is missing, or no broker answers.
        """
        settings = self._settings
        partitions = await topic_partitions(settings, settings.groups_topic)
        async with TopicReader(settings, partitions) as reader:
            reader.start_from(await reader.beginnings())
            ends = await reader.ends()
            self._failing.discard("read")
            while True:
                for record in await reader.read(_READ_TIMEOUT):
                    self._take(record)
                if not self._caught_up.is_set() and await reader.reached(ends):
                    self._caught_up.set()

    def _take(self, kafka_record: ConsumerRecord[bytes | None, bytes | None]) -> None:
        """Tell what a record says to whoever carries it out."""
        said: Cancellation | Winner
        try:
            if is_cancellation(kafka_record.key):
                said = decode_cancellation(kafka_record.value, kafka_record.timestamp)
            elif (ttl := self._settings.group_ttl) and kafka_record.timestamp / 1000 > time.time() - ttl:
                said = decode_announcement(kafka_record.value, kafka_record.timestamp)
            else:
                return
        except ValueError as error:
            # One sentence for all of a kind: a newer version may write many of them.
            if self._complaints.is_new(str(error), time.monotonic()):
                _log.warning(
                    "announcement_not_understood",
                    topic=self._settings.groups_topic,
                    error=str(error)[:200],
                    hint="this record is ignored: only workers and `streamverify cancel` should write to this topic; "
                    "if a later version has written it, upgrade this worker (docs/upgrades.md)",
                )
            return
        try:
            if isinstance(said, Cancellation):
                self._on_cancellation(said)
            else:
                self._on_winner(said)
        except Exception:  # noqa: BLE001 - it would end the reading for good, and nobody would know
            _log.exception(
                "announcement_failed",
                offset=kafka_record.offset,
                hint="an error of streamverify's own: please report it with this traceback; the worker goes on",
            )

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
        if not self._settings.group_ttl:
            # Whoever has switched the groups off may well have no such topic.
            _log.info("nothing_can_be_cancelled", topic=self._settings.groups_topic, error=str(error) or repr(error))
            return
        _log.warning(
            "groups_topic_unavailable",
            topic=self._settings.groups_topic,
            wanted=wanted,
            error=str(error) or repr(error),
            hint="the worker goes on: it only does not know of successes that other workers find, nor of what is "
            "cancelled, and runs what nobody needs; make the topic with `streamverify topics create`, or set "
            "GROUP_TTL=0",
        )
