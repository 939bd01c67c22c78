"""Answers over HTTP for a process around Faust: `/live`, `/ready`, `/metrics`, and pages of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from streamverify.runtime import HealthServer
from streamverify.streams.lag import StreamLag
from streamverify.telemetry.build import build_info
from streamverify.telemetry.http import answers
from streamverify.telemetry.loop_delay import watch_event_loop
from streamverify.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.runtime import Handler
    from streamverify.settings import Settings
    from streamverify.streams.life import ReadyAnswer, StreamLife
    from streamverify.telemetry.metrics import Source


class StreamServer:
    """The pages of one router or results table.

    MADE ── http.start ──> LISTENING ── http.close ──> CLOSED
    LISTENING ── run ──> the lag is asked for, too ── cancelled ──> LISTENING
    """

    def __init__(  # noqa: PLR0913 - it answers for that many parts
        self,
        settings: Settings,
        life: StreamLife[Any],
        *,
        readiness: Callable[[], ReadyAnswer],
        numbers: Callable[[], Mapping[str, int]],
        metrics: Mapping[str, Source],
        pages: Mapping[str, Handler],
    ) -> None:
        """Prepare the answers; `http.start` listens.

        Args:
            settings: The address to listen on.
            life: The process.
            readiness: What `/ready` says, and whether with 200.
            numbers: What `/ready` shows besides.
            metrics: The process's own metrics, by their names without the prefix.
            pages: Other paths, and what answers them.

        Raises:
            LookupError: The table of metrics promises one that nobody computes.
        """
        process = life.names.process
        self._lag = StreamLag(life)
        self._metrics = Metrics(process)
        sources: dict[str, Source] = {
            **metrics,
            f"{process}_lag_records": self._lag.records,
            "ready": lambda: readiness().ready,
            "brokers_reachable": lambda: life.brokers_answer,
            "draining": lambda: life.draining,
            "build_info": build_info,
        }
        self._metrics.at_scrape({f"streamverify_{name}": source for name, source in sources.items()})
        self._metrics.require_all()
        self.http = HealthServer(
            settings.http_host,
            settings.http_port,
            ready=lambda: readiness().ready,
            status=lambda: {"problem": readiness().problem, "draining": life.draining, **numbers()},
            more={"/metrics": answers(self._metrics), **pages},
        )
        """Listens, from its `start` to its `close`."""

    async def run(self) -> None:
        """Ask for the lag and watch the event loop, until cancelled."""
        delay = self._metrics.histogram("streamverify_event_loop_delay_seconds").observe
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch_event_loop(delay))
            tasks.create_task(self._lag.run())
