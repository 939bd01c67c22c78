"""A router: its parts, in the order in which they start and end. `streams.stream_process` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from streamverify.bus.admin import patient_admin
from streamverify.bus.connection import BROKER_TIMEOUT
from streamverify.bus.publisher import Publisher
from streamverify.bus.topics import changelog_topic, max_message_bytes, router_group
from streamverify.core.messages.dead_letter import Stage
from streamverify.core.metrics.metric import Process
from streamverify.core.scheduling.partitioner import AffinityPartitioner
from streamverify.router.forwarder import Forwarder
from streamverify.router.header_view import HeaderView
from streamverify.streams.application import PartitionedTable, make_application
from streamverify.streams.life import StreamLife
from streamverify.streams.source_topic import prepare_source
from streamverify.streams.stream_names import StreamNames
from streamverify.streams.stream_process import run_process
from streamverify.streams.stream_server import StreamServer

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from streamverify.runtime import Signals
    from streamverify.settings import Settings
    from streamverify.streams.application import Application
    from streamverify.telemetry.metrics import Source

_log = structlog.get_logger(__name__)


def run_router(settings: Settings) -> int:
    """Forward from the ingest topic to the request topic until a signal.

    Returns:
        The exit code.
    """
    return run_process(Router, settings)


def router_names(settings: Settings) -> StreamNames:
    """Name what a router reads and keeps."""
    return StreamNames(
        process=Process.ROUTER,
        group=router_group(settings),
        source=settings.ingest_topic,
        table="headers",
        changelog=changelog_topic(settings),
        drains="it forwards what it has in hand, and takes nothing more",
    )


class Router:
    """The parts of a router.

    MADE ── start ──> topics found ──> publisher ──> reader of the counts ──> HTTP ──> Faust is started: STARTED
    STARTED ── run: a signal, or a failure ──> ended; `StreamLife` has the states of Faust and its agent meanwhile
    before STARTED ── a signal, or a failure ──> ended
    Once it has ended its parts are closed, the last one first, unless its drain was cut short.
    """

    def __init__(self, settings: Settings, signals: Signals, stack: AsyncExitStack) -> None:
        """Start nothing yet; `stack` closes in the end what was opened."""
        self._settings = settings
        self._stack = stack
        self._names = router_names(settings)
        self._life: StreamLife[Forwarder] = StreamLife(settings, self._names, signals, stack)

    async def start(self) -> None:
        """Reach the broker, read the counts, join the group."""
        settings, life = self._settings, self._life
        partitions, sizes = await self._prepare_topics()
        # A batch must fit into the smaller of the topics, or dead letters would be refused with a large proof.
        publisher = Publisher(
            settings, max_record_bytes=max(sizes), max_batch_bytes=min(sizes) // 2, partitioner=AffinityPartitioner()
        )
        await publisher.start(BROKER_TIMEOUT)
        self._stack.push_async_callback(publisher.close)
        await life.keep_running(publisher.run())
        await life.watch_brokers()
        view = HeaderView(settings, partitions)
        await view.start()
        self._stack.push_async_callback(view.close)
        await life.keep_running(view.run())
        server = self._make_server(view)

        def make() -> tuple[Application, Forwarder]:
            app = make_application(settings, self._names, partitions, life.failed)
            table: Any = PartitionedTable(app, name=self._names.table, partitions=partitions)
            forwarder = Forwarder(settings, app, table, publisher, partitions=partitions, on_failure=life.failed)
            app.add_agent(table, forwarder.run)
            return app, forwarder

        await server.http.start()
        self._stack.push_async_callback(server.http.close)
        # After the port is taken, so that a wrong one is said at once; nothing is awaited before `make` is called.
        await life.start(make)
        await life.keep_running(server.run())
        _log.info(
            "router_started",
            brokers=settings.bootstrap_servers,
            source=settings.ingest_topic,
            topic=settings.request_topic,
            group=self._names.group,
            partitions=partitions,
        )

    async def _prepare_topics(self) -> tuple[int, list[int]]:
        """Check that the topics are there.

        Returns:
            The number of partitions of the ingest topic, and `max.message.bytes` of the topics that are written to.
        """
        settings = self._settings
        targets = [settings.request_topic, settings.dlq_topic]
        async with patient_admin(settings) as admin:
            partitions = await prepare_source(admin, settings, self._names, targets)
            return partitions, [await max_message_bytes(admin, topic) for topic in targets]

    def _make_server(self, view: HeaderView) -> StreamServer:
        # The agent by name each time: a start that is tried again makes another one.
        life = self._life
        metrics: dict[str, Source] = {
            "router_records_total": lambda: {
                ("forwarded",): life.agent.forwarded,
                ("dead_letter",): life.agent.dead_letters,
            },
            "dead_letters_total": lambda: {(Stage.ROUTE,): life.agent.dead_letters},
            "router_headers": lambda: view.headers,
        }
        pages = {"/": view.answer_page, "/headers": view.answer_json}
        return StreamServer(
            self._settings, life, readiness=life.readiness, numbers=self._numbers, metrics=metrics, pages=pages
        )

    async def run(self) -> int:
        """Forward until a signal, then finish the records in hand. Returns the exit code."""
        return await self._life.run(self._numbers)

    def _numbers(self) -> dict[str, int]:
        forwarder = self._life.agent
        return {"forwarded": forwarder.forwarded, "dead_letters": forwarder.dead_letters}
