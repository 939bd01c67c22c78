"""The life of the results table: start, follow the result topic, end. The exit code says how it ended."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import structlog
from yarl import URL

from streamverify.bus.admin import patient_admin
from streamverify.bus.presence import require_topics
from streamverify.bus.topics import table_changelog_topic, table_group
from streamverify.core.metrics.metric import Process
from streamverify.runtime import EXIT_DONE, HealthServer, Signals, unless
from streamverify.streams.application import make_application, quieten
from streamverify.streams.lag import StreamLag
from streamverify.streams.life import StreamLife, extend_changelog, run_apart
from streamverify.streams.metrics import StreamMetrics
from streamverify.table.follower import Follower
from streamverify.table.peers import Peers
from streamverify.table.progress import Progress
from streamverify.table.result_table import ResultTable
from streamverify.table.view import View
from streamverify.table.whole import WholeResults

if TYPE_CHECKING:
    from streamverify.settings import Settings
    from streamverify.streams.application import Application
    from streamverify.telemetry.metrics import Source

_log = structlog.get_logger(__name__)

TABLE = "results"
"""The name of the table, and a part of its changelog's name."""


def run_table(settings: Settings) -> int:
    """Keep the newest result of each custom_id, and answer requests, until a signal.

    Returns:
        The exit code.
    """
    return run_apart(_run(settings))


async def _run(settings: Settings) -> int:
    """Do what `run_table` says.

    Raises:
        BrokerUnavailable: There is no broker, or a topic is missing, or nothing can be read any more.
        SettingsError: The HTTP port is taken.
    """
    quieten(settings.log_level, ResultTable.__module__)
    signals = Signals()
    signals.listen()
    async with AsyncExitStack() as stack:
        table = Table(settings, signals, stack)
        if not await unless(signals.drain, table.start()):
            return EXIT_DONE
        return await table.run()


class Table:
    """The parts of the results table, in the order in which they start and end."""

    def __init__(self, settings: Settings, signals: Signals, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._life = StreamLife(
            settings,
            signals,
            stack,
            kind="table",
            group=table_group(settings),
            drains="another instance goes on with its partitions",
        )
        self._progress = Progress(settings, self._life)

    async def start(self) -> None:
        """Reach the broker, listen, join the group."""
        settings, life = self._settings, self._life
        partitions = await self._prepare_topics()
        await life.watch_brokers()
        whole = WholeResults(settings)
        await whole.start()
        self._stack.push_async_callback(whole.close)
        peers = Peers(settings, changelog=table_changelog_topic(settings), partitions=partitions)
        view = View(self._progress, peers, whole)
        metrics = self._metrics()
        pages = {"/metrics": metrics.answer, **view.pages()}
        health = HealthServer(
            settings.http_host, settings.http_port, ready=self._ready, status=self._status, more=pages
        )

        def make() -> Application:
            app = make_application(
                settings,
                partitions,
                life.failed,
                kind="table",
                group=table_group(settings),
                # What the assignor tells the others: where this instance answers.
                canonical_url=URL(peers.url),
            )
            self._make_follower(app, partitions)
            peers.app = app
            return app

        peers.start(await health.start())
        self._stack.push_async_callback(health.close)
        self._stack.push_async_callback(peers.close)
        # Not earlier, as it needs the port; and nothing is awaited in between, so no request comes before it.
        life.prepare(make)
        await life.start()
        await life.keep_running(self._progress.run())
        await life.keep_running(metrics.run())
        _log.info(
            "table_started",
            brokers=settings.bootstrap_servers,
            topic=settings.result_topic,
            group=table_group(settings),
            partitions=partitions,
            address=peers.url,
        )

    def _make_follower(self, app: Application, partitions: int) -> None:
        table: Any = ResultTable(app, name=TABLE, partitions=partitions)
        app.tables.add(table)
        follower = Follower(app, table, on_failure=self._life.failed)
        # Raw by name: with a type alone Faust still reads JSON, and acknowledges and drops what is no JSON.
        topic = app.topic(self._settings.result_topic, key_serializer="raw", value_serializer="raw", allow_empty=True)
        app.agent(topic, name="table", concurrency=1)(follower.run)
        self._progress.table, self._progress.follower = table, follower

    async def _prepare_topics(self) -> int:
        """Check that the topics are there, and give the changelog as many partitions as the result topic has.

        Returns:
            The number of partitions of the result topic.
        """
        settings = self._settings
        changelog = table_changelog_topic(settings)
        async with patient_admin(settings) as admin:
            found = await require_topics(admin, settings, [settings.result_topic, changelog])
            partitions = len(found[settings.result_topic])
            await extend_changelog(admin, changelog, settings.result_topic, has=len(found[changelog]), needs=partitions)
        return partitions

    async def run(self) -> int:
        """Follow the result topic until a signal. Returns the exit code."""
        return await self._life.run(self._numbers)

    def _metrics(self) -> StreamMetrics:
        progress = self._progress
        # By name each time: a start that is tried again makes a new follower.
        lag = StreamLag(self._life, self._settings.result_topic, lambda: progress.follower.done())  # noqa: PLW0108
        own: dict[str, Source] = {
            "table_rows": lambda: len(progress.table.data),
            "table_partitions": lambda: 0 if progress.holding is None else len(progress.holding.partitions),
            "table_partitions_behind": lambda: progress.behind,
            "table_records_total": lambda: {
                ("result",): progress.follower.results,
                ("tombstone",): progress.follower.tombstones,
                ("skipped",): progress.follower.skipped,
            },
        }
        return StreamMetrics(Process.TABLE, self._life, lag, ready=self._ready, own=own)

    def _problem(self) -> tuple[str | None, bool]:
        problem, serious = self._life.problem()
        if problem is None and self._progress.holding is None:
            return "the table reads what the result topic had when its partitions came", True
        return problem, serious

    def _ready(self) -> bool:
        _, serious = self._problem()
        return not serious

    def _status(self) -> dict[str, object]:
        problem, _ = self._problem()
        return {"problem": problem, "draining": self._life.draining, **self._numbers()}

    def _numbers(self) -> dict[str, int]:
        progress = self._progress
        return {
            "rows": len(progress.table.data),
            "partitions": len(progress.holding.partitions) if progress.holding is not None else 0,
            "partitions_behind": progress.behind,
            "results": progress.follower.results,
            "tombstones": progress.follower.tombstones,
        }
