"""Says from time to time what a worker does: a line in the log, and counters for `/ready`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.bus.consumer import RequestConsumer
    from streamverify.core.activity import Activity, Done
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.lean.pool import Pool
    from streamverify.worker.cached_pool import CachedPool
    from streamverify.worker.ports import JobRunner

LOOK_SECONDS = 5.0
"""Seconds between two looks at whether a line is due; `core.activity` says when it is."""

_log = structlog.get_logger(__name__)


class Reporter:
    """Reports the activity of one worker."""

    def __init__(  # noqa: PLR0913 - what it reports of
        self,
        activity: Activity,
        *,
        pool: Pool,
        runner: JobRunner,
        slots: int,
        partitions: Partitions,
        consumer: RequestConsumer,
        cache: CachedPool | None = None,
    ) -> None:
        self._activity = activity
        self._pool = pool
        self._runner = runner
        self._slots = slots
        self._partitions = partitions
        self._consumer = consumer
        self._cache = cache

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._activity.mark(time.monotonic())
            if done := self._activity.report(time.monotonic(), running=self._pool.running):
                unread = await self._consumer.unread()
                # Kafka's lag, but for what is finished beyond a record that is not: that counts as done here.
                self._say(done, lag=None if unread is None else unread + self._partitions.flow.in_flight)

    def last(self) -> None:
        """Report what was done since the last line, if anything was: the worker ends."""
        if done := self._activity.report(time.monotonic(), running=0, last=True):
            self._say(done)

    def _say(self, done: Done, **more: Any) -> None:
        worked = done.total or done.dead_letters
        _log.info(
            "worked" if worked or self._pool.running else "idle",
            seconds=round(done.seconds),
            **(done.by_status() if worked else {}),
            **({"reasons": done.by_reason(), "per_second": float(f"{done.per_second:.3g}")} if done.total else {}),
            **({"cached": done.cached} if done.cached else {}),
            **({"dead_letters": done.dead_letters} if done.dead_letters else {}),
            slots_busy=f"{self._pool.running}/{self._slots}",
            queued=self._runner.queued,
            **more,
        )

    def counters(self) -> Mapping[str, Any]:
        """Return what was done since the start, for `/ready`."""
        done = self._activity.so_far(time.monotonic())
        return {
            "seconds": round(done.seconds),
            "answered": done.by_status(),
            "reasons": done.by_reason(),
            "cached": done.cached,
            "dead_letters": done.dead_letters,
            "slots": self._slots,
            "partitions": len(self._partitions.restored()),
            **({} if self._cache is None else {"cache": self._cache.status()}),
        }
