"""Reads a result topic for as long as the gateway runs, however often its brokers go and come back.

It is in no consumer group, so several gateways side by side each read every result.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import TopicPartition

from streamverify.bus.topic_reader import TopicReader
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

_POLL = 0.5
"""Seconds that one wait for records lasts at most."""
_RETRY = 1.0
"""Seconds after which a reader that was lost is made anew."""
_PING = 2.0
"""Seconds between two looks whether a broker answers: a fetch that waits does not tell."""
_PING_TIMEOUT = 5.0


class ResultFollower:
    """The reader of one result topic, and whether its broker answers.

    answering: `trouble` is ""  --- a look, a read or a send finds no broker --->  away: `trouble` says why
               ^                                                                               |
               +------------------------ the next look finds one ------------------------------+
    """

    def __init__(self, settings: Settings, *, waiting: Callable[[], int]) -> None:
        """Nothing is read yet.

        Args:
            settings: The broker and the result topic.
            waiting: Tells how many proofs wait for a result, for the log.
        """
        self._settings = settings
        self._waiting = waiting
        self._positions: dict[TopicPartition, int] = {}
        self.trouble = ""
        """The sentence that says what is wrong with the broker; "" while it answers."""

    async def start(self, partitions: Sequence[TopicPartition]) -> None:
        """Begin at the present end of these partitions: nobody waits for what is before.

        Raises:
            BrokerUnavailable: No broker answers.
        """
        async with TopicReader(self._settings, partitions) as reader:
            self._positions = await reader.ends()

    async def run(self, handle: Callable[[Any], None]) -> None:
        """Give each record to `handle`, until cancelled; while no broker answers, try again."""
        while True:
            try:
                async with TopicReader(self._settings, list(self._positions)) as reader:
                    reader.start_from(self._positions)
                    async with asyncio.TaskGroup() as tasks:
                        watching = tasks.create_task(self._watch(reader))
                        while not watching.done():
                            for record in await reader.read(_POLL):
                                self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1
                                handle(record)
            except* BrokerUnavailable as errors:
                self.lost(str(errors.exceptions[0]))
            await asyncio.sleep(_RETRY)

    def lost(self, trouble: str) -> None:
        """Note that no broker answers; whoever sends learns it sooner than who reads."""
        if not self.trouble:
            _log.warning(
                "broker_away",
                error=trouble,
                waiting=self._waiting(),
                hint="new requests are answered 503 until a broker answers, and those that are held wait for it: bring "
                "the brokers back",
            )
        self.trouble = trouble

    async def _watch(self, reader: TopicReader) -> None:
        """Ask the broker for the ends of the partitions again and again; ends where there are more partitions."""
        while True:
            await asyncio.sleep(_PING)
            try:
                async with asyncio.timeout(_PING_TIMEOUT):
                    await reader.ends()
            except (BrokerUnavailable, TimeoutError) as error:
                self.lost(str(error) or f"no broker answers at {self._settings.bootstrap_servers}")
                continue
            if self.trouble:
                _log.info("broker_answers", topic=self._settings.result_topic)
                self.trouble = ""
            more = [partition for partition in reader.partitions_of_topics() if partition not in self._positions]
            if more:
                # Nothing was read of them yet, so from their beginning on.
                self._positions |= dict.fromkeys(more, 0)
                return
