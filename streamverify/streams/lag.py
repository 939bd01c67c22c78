"""Asks from time to time how many records of its partitions a process around Faust has not done yet."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from streamverify.streams.life import StreamLife

ASK_SECONDS = 5.0
"""Seconds between two questions."""
STALE = 30.0
"""Seconds for which an answer is good."""
_TIMEOUT = 5.0

_log = structlog.get_logger(__name__)


class StreamLag:
    """The lag of one process."""

    def __init__(self, life: StreamLife[Any]) -> None:
        """Ask nothing yet."""
        self._life = life
        self._records = 0
        self._heard = -STALE

    def records(self) -> int | None:
        """The records that are not done; None where the brokers have not said so for a while."""
        return self._records if time.monotonic() - self._heard < STALE else None

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self._ask()
            except Exception as error:  # noqa: BLE001 - while the group rebalances, or no broker answers, Faust raises what comes
                _log.debug("lag_unknown", error=repr(error))
            await asyncio.sleep(ASK_SECONDS)

    async def _ask(self) -> None:
        # While partitions come and go the old answer stays, until it is stale.
        if not self._life.restored:
            return
        consumer = self._life.app.consumer
        ours = [tp for tp in consumer.assignment() if tp.topic == self._life.names.source]
        ends = await consumer.highwaters(*ours) if ours else {}
        # By name at each look: a start that is tried again makes another agent.
        batches = self._life.agent.batches
        records = 0
        for tp in ours:
            # Where nothing is in hand the position is right, also behind the marks of transactions, which are no
            # records; else it is ahead of what was done.
            position = await consumer.position(tp) or 0
            done = min(position, batches.done().get(tp.partition, position)) if consumer.unacked else position
            records += max(0, (ends.get(tp) or 0) - done)
        self._records, self._heard = records, time.monotonic()
