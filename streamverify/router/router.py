"""The life of a router: start, forward, end. The exit code says how it ended."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import structlog

from streamverify.bus.admin import patient_admin
from streamverify.bus.connection import PATIENCE
from streamverify.bus.presence import require_topics
from streamverify.bus.publisher import Publisher
from streamverify.bus.topics import changelog_topic, max_message_bytes, router_group
from streamverify.core.messages.dead_letter import Stage
from streamverify.core.metrics.metric import Process
from streamverify.core.scheduling.partitioner import AffinityPartitioner
from streamverify.router.forwarder import Forwarder
from streamverify.router.view import HeaderView
from streamverify.runtime import EXIT_DONE, HealthServer, Signals, unless
from streamverify.streams.application import PartitionedTable, make_application, quieten
from streamverify.streams.lag import StreamLag
from streamverify.streams.life import StreamLife, extend_changelog, run_apart
from streamverify.streams.metrics import StreamMetrics

if TYPE_CHECKING:
    from streamverify.settings import Settings
    from streamverify.streams.application import Application
    from streamverify.telemetry.metrics import Source

_log = structlog.get_logger(__name__)

TABLE = "headers"
"""The name of the table with the counts, and a part of its changelog's name."""


def run_router(settings: Settings) -> int:
    """Forward from the ingest topic to the request topic until a signal.

    Returns:
        The exit code.
    """
    return run_apart(_run(settings))


async def _run(settings: Settings) -> int:
    """Do what `run_router` says.

    Raises:
        BrokerUnavailable: There is no broker, or a topic is missing, or nothing can be forwarded any more.
        SettingsError: The HTTP port is taken.
    """
    quieten(settings.log_level)
    signals = Signals()
    signals.listen()
    async with AsyncExitStack() as stack:
        router = Router(settings, signals, stack)
        if not await unless(signals.drain, router.start()):
            return EXIT_DONE
        return await router.run()


class Router:
    """The parts of a router, in the order in which they start and end."""

    def __init__(self, settings: Settings, signals: Signals, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._life = StreamLife(
            settings,
            signals,
            stack,
            kind="router",
            group=router_group(settings),
            drains="it forwards what it has in hand, and takes nothing more",
        )

    async def start(self) -> None:
        """Reach the broker, read the counts, join the group."""
        settings, life = self._settings, self._life
        partitions, sizes = await self._prepare_topics()
        publisher = Publisher(
            settings, max_record_bytes=max(sizes), max_batch_bytes=min(sizes) // 2, partitioner=AffinityPartitioner()
        )
        await publisher.start(PATIENCE)
        self._stack.push_async_callback(publisher.close)
        await life.keep_running(publisher.run())
        await life.watch_brokers()
        self._view = HeaderView(settings, partitions)
        await self._view.start()
        self._stack.push_async_callback(self._view.close)
        await life.keep_running(self._view.run())
        metrics = self._metrics()
        pages = {"/metrics": metrics.answer, "/": self._view.answer_page, "/headers": self._view.answer_json}
        health = HealthServer(
            settings.http_host, settings.http_port, ready=self._ready, status=self._status, more=pages
        )

        def make() -> Application:
            app = make_application(settings, partitions, life.failed, kind="router", group=router_group(settings))
            self._forwarder = self._make_forwarder(app, publisher, partitions)
            return app

        life.prepare(make)
        await health.start()
        self._stack.push_async_callback(health.close)
        await life.start()
        await life.keep_running(metrics.run())
        _log.info(
            "router_started",
            brokers=settings.bootstrap_servers,
            source=settings.ingest_topic,
            topic=settings.request_topic,
            group=router_group(settings),
            partitions=partitions,
        )

    def _make_forwarder(self, app: Application, publisher: Publisher, partitions: int) -> Forwarder:
        table: Any = PartitionedTable(app, name=TABLE, partitions=partitions)
        app.tables.add(table)
        forwarder = Forwarder(
            self._settings, app, table, publisher, partitions=partitions, on_failure=self._life.failed
        )
        # Raw by name: with a type alone Faust still reads JSON, and acknowledges and drops what is no JSON.
        topic = app.topic(self._settings.ingest_topic, key_serializer="raw", value_serializer="raw", allow_empty=True)
        app.agent(topic, name="router", concurrency=1)(forwarder.run)
        return forwarder

    async def _prepare_topics(self) -> tuple[int, list[int]]:
        """Check that the topics are there, and give the changelog as many partitions as the ingest topic has.

        Returns:
            The number of partitions of the ingest topic, and `max.message.bytes` of the topics that are written to.
        """
        settings = self._settings
        changelog = changelog_topic(settings)
        targets = [settings.request_topic, settings.dlq_topic]
        async with patient_admin(settings) as admin:
            found = await require_topics(admin, settings, [settings.ingest_topic, *targets, changelog])
            partitions = len(found[settings.ingest_topic])
            await extend_changelog(admin, changelog, settings.ingest_topic, has=len(found[changelog]), needs=partitions)
            return partitions, [await max_message_bytes(admin, topic) for topic in targets]

    async def run(self) -> int:
        """Forward until a signal, then finish the records in hand. Returns the exit code."""
        return await self._life.run(self._numbers)

    def _metrics(self) -> StreamMetrics:
        # By name each time: a start that is tried again makes a new forwarder.
        lag = StreamLag(self._life, self._settings.ingest_topic, lambda: self._forwarder.done())  # noqa: PLW0108
        own: dict[str, Source] = {
            "router_records_total": lambda: {
                ("forwarded",): self._forwarder.forwarded,
                ("dead_letter",): self._forwarder.dead_letters,
            },
            "dead_letters_total": lambda: {(Stage.ROUTE,): self._forwarder.dead_letters},
            "router_headers": lambda: self._view.headers,
        }
        return StreamMetrics(Process.ROUTER, self._life, lag, ready=self._ready, own=own)

    def _ready(self) -> bool:
        _, serious = self._life.problem()
        return not serious

    def _status(self) -> dict[str, object]:
        problem, _ = self._life.problem()
        return {"problem": problem, "draining": self._life.draining, **self._numbers()}

    def _numbers(self) -> dict[str, int]:
        return {"forwarded": self._forwarder.forwarded, "dead_letters": self._forwarder.dead_letters}
