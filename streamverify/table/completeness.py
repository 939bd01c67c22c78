"""Finds out which partitions this instance holds at the moment, and whether all of their results are in the table."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from faust.types import TP

    from streamverify.core.table.rows import PartitionRows
    from streamverify.streams.life import StreamLife
    from streamverify.table.follower import Follower

_LOOK = 0.2
"""Seconds between two looks at how far the table is."""
_RETENTION_SECONDS = 60.0
"""Seconds between two questions what the result topic has deleted by its retention."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Assignment:
    """The partitions that one generation of the group has given to this instance.

    A partition is BEHIND ── read to the end that it had when it came ──> READ, and then not in `behind` any more.
    BEHIND ── our position is at the end, and nothing is in hand ──> IDLE ── the same at the next look ──> READ
    IDLE ── a record came after all ──> BEHIND
    """

    generation: int
    partitions: frozenset[int]
    behind: dict[int, int]
    """By partition: the end of the topic when the partition came, as long as it has not been read so far."""
    idle: set[int] = field(default_factory=set)
    """Of these the ones that seemed to be read so far at the last look."""


class Completeness:
    """Looks again and again how far the table is, and drops the rows whose records the topic has deleted.

    NOTHING ── the changelog is restored ──> READING the assignment ── no partition is behind ──> COMPLETE
    READING, COMPLETE ── a rebalance has brought another assignment ──> READING it
    READING, COMPLETE ── Faust restores, or joins again ──> NOTHING
    """

    def __init__(self, life: StreamLife[Follower]) -> None:
        self._life = life
        self._assignment: Assignment | None = None
        self._asked = 0.0
        """The time of the last question what the topic has deleted, by the clock of the event loop."""

    @property
    def complete(self) -> Assignment | None:
        """The assignment, once all of it is in the table; None while partitions come, are restored, or are read."""
        held = self._assignment
        if held is None or held.behind or not self._life.restored:
            return None
        # Of a rebalance that `run` has not seen yet Faust knows already.
        return held if held.generation == self._life.app.consumer_generation_id else None

    @property
    def partitions_held(self) -> dict[int, PartitionRows]:
        """The rows of each partition that is ours."""
        return self._life.agent.table.partitions_held

    @property
    def behind(self) -> int:
        """The number of partitions that are still read for the first time."""
        return len(self._assignment.behind) if self._assignment is not None else 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK)
            # What is in memory may lack rows until Faust has read the changelog of what it was given.
            if not self._life.restored:
                self._assignment = None
                continue
            generation = self._life.app.consumer_generation_id
            if self._assignment is None or self._assignment.generation != generation:
                await self._begin(generation)
            elif self._assignment.behind:
                await self._look(self._assignment)
            elif asyncio.get_running_loop().time() > self._asked + _RETENTION_SECONDS:
                await self._drop_what_the_topic_has_deleted(self._ours())

    def _ours(self) -> set[TP]:
        return {tp for tp in self._life.app.consumer.assignment() if tp.topic == self._life.names.source}

    async def _begin(self, generation: int) -> None:
        """Note what is to be read of the partitions that a rebalance has left here."""
        ours = self._ours()
        # The ends as they are now: what comes later is new, and no answer waits for it.
        ends = await self._life.app.consumer.highwaters(*ours) if ours else {}
        await self._drop_what_the_topic_has_deleted(ours)
        behind = {tp.partition: ends.get(tp) or 0 for tp in ours}
        self._assignment = Assignment(generation, frozenset(behind), behind)
        _log.info("table_restored", partitions=len(ours), rows=len(self._life.agent.table.data))

    async def _look(self, held: Assignment) -> None:
        consumer = self._life.app.consumer
        for tp in self._ours():
            end = held.behind.get(tp.partition)
            if end is None:
                continue
            position = await consumer.position(tp)
            if self._life.agent.batches.read.get(tp.partition, 0) >= end:
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
            rows = self.partitions_held.get(tp.partition)
            if rows is not None and first:
                dropped = rows.forget_before(first)
                if dropped:
                    _log.info("rows_dropped", partition=tp.partition, rows=dropped, before=first)
