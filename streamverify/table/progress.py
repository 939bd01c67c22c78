"""What this instance holds at the moment, and whether that is all of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from faust.types import TP

    from streamverify.settings import Settings
    from streamverify.streams.life import StreamLife
    from streamverify.table.follower import Follower
    from streamverify.table.result_table import ResultTable

_LOOK = 0.2
"""Seconds between two looks at how far the table is."""
_RETENTION_SECONDS = 60.0
"""Seconds between two questions what the result topic has deleted by its retention."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Holding:
    """The partitions that one generation of the group has given to this instance."""

    generation: int
    partitions: frozenset[int]
    behind: dict[int, int]
    """By partition: the end of the topic when the partition came, as long as it has not been read so far."""
    idle: set[int] = field(default_factory=set)
    """Of these the ones that seemed to be read so far at the last look."""


class Progress:
    """Looks again and again how far the table is, and drops the rows whose records the topic has deleted."""

    def __init__(self, settings: Settings, life: StreamLife) -> None:
        self._topic = settings.result_topic
        self._life = life
        self._holding: Holding | None = None
        self._asked = 0.0
        self.table: ResultTable
        self.follower: Follower

    @property
    def holding(self) -> Holding | None:
        """What is held, once all of it is there; None while partitions come and go, are restored, or are read."""
        held = self._holding
        if held is None or held.behind or not self._life.restored:
            return None
        return held if held.generation == self._life.app.consumer_generation_id else None

    @property
    def behind(self) -> int:
        """How many partitions are still read for the first time."""
        return len(self._holding.behind) if self._holding is not None else 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK)
            if not self._life.restored:
                self._holding = None
                continue
            generation = self._life.app.consumer_generation_id
            if self._holding is None or self._holding.generation != generation:
                await self._begin(generation)
            elif self._holding.behind:
                await self._look(self._holding)
            elif asyncio.get_running_loop().time() > self._asked + _RETENTION_SECONDS:
                await self._drop_what_the_topic_has_deleted(self._ours())

    def _ours(self) -> set[TP]:
        return {tp for tp in self._life.app.consumer.assignment() if tp.topic == self._topic}

    async def _begin(self, generation: int) -> None:
        """Note what is to be read of the partitions that a rebalance has left here."""
        ours = self._ours()
        ends = await self._life.app.consumer.highwaters(*ours) if ours else {}
        await self._drop_what_the_topic_has_deleted(ours)
        behind = {tp.partition: ends.get(tp) or 0 for tp in ours}
        self._holding = Holding(generation, frozenset(behind), behind)
        _log.info("table_restored", partitions=len(ours), rows=len(self.table.data))

    async def _look(self, held: Holding) -> None:
        consumer = self._life.app.consumer
        for tp in self._ours():
            end = held.behind.get(tp.partition)
            if end is None:
                continue
            position = await consumer.position(tp)
            if self.follower.read.get(tp.partition, 0) >= end:
                del held.behind[tp.partition]
            elif position is None or position < end or consumer.unacked:
                held.idle.discard(tp.partition)
            elif tp.partition in held.idle:
                # Nothing was to be read, or compaction and transactions left holes at the end. Seen at two looks, as a
                # record that was fetched is for a moment on its way to the table.
                del held.behind[tp.partition]
            else:
                held.idle.add(tp.partition)

    async def _drop_what_the_topic_has_deleted(self, ours: set[TP]) -> None:
        """Drop the rows whose records lie before the beginning of their partitions.

        The changelog keeps them, and drops them by a retention of its own; each restart drops them again here.
        """
        self._asked = asyncio.get_running_loop().time()
        firsts = await self._life.app.consumer.earliest_offsets(*ours) if ours else {}
        for tp, first in firsts.items():
            rows = self.table.partitions_held.get(tp.partition)
            if rows is not None and first:
                dropped = rows.forget_before(first)
                if dropped:
                    _log.info("rows_dropped", partition=tp.partition, rows=dropped, before=first)
