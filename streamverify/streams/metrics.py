"""The metrics of a process around Faust: those of every process, and those that it tells itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamverify.telemetry.build import build_info
from streamverify.telemetry.http import answers
from streamverify.telemetry.loop_delay import watch_event_loop
from streamverify.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.core.metrics.metric import Process
    from streamverify.streams.lag import StreamLag
    from streamverify.streams.life import StreamLife
    from streamverify.telemetry.metrics import Source


class StreamMetrics:
    """The metrics of one router or results table."""

    def __init__(
        self,
        process: Process,
        life: StreamLife,
        lag: StreamLag,
        *,
        ready: Callable[[], bool],
        own: Mapping[str, Source],
    ) -> None:
        """Compute them when they are asked for.

        Args:
            process: Which of the table's processes it is.
            life: Its life.
            lag: How far it is.
            ready: What `/ready` says.
            own: Its own metrics, by their names without the prefix.

        Raises:
            LookupError: The table promises a metric that nobody computes.
        """
        self._metrics = Metrics(process)
        self._lag = lag
        sources: dict[str, Source] = {
            **own,
            f"{process}_lag_records": lag.records,
            "ready": ready,
            "brokers_reachable": lambda: life.brokers_answer,
            "draining": lambda: life.draining,
            "build_info": build_info,
        }
        self._metrics.at_scrape({f"streamverify_{name}": source for name, source in sources.items()})
        self._metrics.require_all()
        self.answer = answers(self._metrics)
        """Answers `/metrics`."""

    async def run(self) -> None:
        """Ask for the lag and watch the event loop, until cancelled."""
        delay = self._metrics.histogram("streamverify_event_loop_delay_seconds").observe
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch_event_loop(delay))
            tasks.create_task(self._lag.run())
