"""The results table: its parts, in the order in which they start and end. `streams.stream_process` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from yarl import URL

from streamverify.bus.admin import patient_admin
from streamverify.bus.topics import table_changelog_topic, table_group
from streamverify.core.metrics.metric import Process
from streamverify.streams.application import make_application
from streamverify.streams.life import ReadyAnswer, StreamLife
from streamverify.streams.source_topic import prepare_source
from streamverify.streams.stream_names import StreamNames
from streamverify.streams.stream_process import run_process
from streamverify.streams.stream_server import StreamServer
from streamverify.table.completeness import Completeness
from streamverify.table.endpoints import Endpoints
from streamverify.table.follower import Follower
from streamverify.table.peers import Peers
from streamverify.table.result_table import ResultTable
from streamverify.table.whole import WholeResults

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from streamverify.runtime import Signals
    from streamverify.settings import Settings
    from streamverify.streams.application import Application
    from streamverify.telemetry.metrics import Source

_log = structlog.get_logger(__name__)


def run_table(settings: Settings) -> int:
    """Keep the newest result of each custom_id, and answer requests, until a signal.

    Returns:
        The exit code.
    """
    return run_process(Table, settings, ResultTable.__module__)


def table_names(settings: Settings) -> StreamNames:
    """Name what the results table reads and keeps."""
    return StreamNames(
        process=Process.TABLE,
        group=table_group(settings),
        source=settings.result_topic,
        table="results",
        changelog=table_changelog_topic(settings),
        drains="another instance goes on with its partitions",
    )


class Table:
    """The parts of the results table.

    MADE ── start ──> topics found ──> reader of whole results ──> HTTP ──> Faust is started: STARTED
    STARTED ── run: a signal, or a failure ──> ended; `StreamLife` has the states of Faust and its agent meanwhile,
    and `Completeness` those of the rows: it answers only while they are COMPLETE
    before STARTED ── a signal, or a failure ──> ended
    Once it has ended its parts are closed, the last one first, unless its drain was cut short.
    """

    def __init__(self, settings: Settings, signals: Signals, stack: AsyncExitStack) -> None:
        """Start nothing yet; `stack` closes in the end what was opened."""
        self._settings = settings
        self._stack = stack
        self._names = table_names(settings)
        self._life: StreamLife[Follower] = StreamLife(settings, self._names, signals, stack)
        self._completeness = Completeness(self._life)

    async def start(self) -> None:
        """Reach the broker, listen, join the group."""
        settings, life = self._settings, self._life
        async with patient_admin(settings) as admin:
            partitions = await prepare_source(admin, settings, self._names)
        await life.watch_brokers()
        whole = WholeResults(settings)
        await whole.start()
        self._stack.push_async_callback(whole.close)
        peers = Peers(settings, life, partitions=partitions)
        server = self._make_server(Endpoints(self._completeness, peers, whole))

        def make() -> tuple[Application, Follower]:
            # What the assignor tells the others: where this instance answers.
            address = {"canonical_url": URL(peers.url)}
            app = make_application(settings, self._names, partitions, life.failed, **address)
            table: Any = ResultTable(app, name=self._names.table, partitions=partitions)
            follower = Follower(app, table, on_failure=life.failed)
            app.add_agent(table, follower.run)
            return app, follower

        # The port first, as the application needs it. Nothing is awaited from then on until `make` is called, so no
        # request comes before there is an application.
        peers.start(await server.http.start())
        self._stack.push_async_callback(server.http.close)
        self._stack.push_async_callback(peers.close)
        await life.start(make)
        await life.keep_running(self._completeness.run())
        await life.keep_running(server.run())
        _log.info(
            "table_started",
            brokers=settings.bootstrap_servers,
            topic=settings.result_topic,
            group=self._names.group,
            partitions=partitions,
            address=peers.url,
        )

    def _make_server(self, endpoints: Endpoints) -> StreamServer:
        # The agent by name each time: a start that is tried again makes another one.
        life, completeness = self._life, self._completeness
        metrics: dict[str, Source] = {
            "table_rows": lambda: len(life.agent.table.data),
            "table_partitions": lambda: self._numbers()["partitions"],
            "table_partitions_behind": lambda: completeness.behind,
            "table_records_total": lambda: {
                ("result",): life.agent.results,
                ("tombstone",): life.agent.tombstones,
                ("skipped",): life.agent.skipped,
            },
        }
        return StreamServer(
            self._settings,
            life,
            readiness=self._readiness,
            numbers=self._numbers,
            metrics=metrics,
            pages=endpoints.pages(),
        )

    async def run(self) -> int:
        """Follow the result topic until a signal. Returns the exit code."""
        return await self._life.run(self._numbers)

    def _readiness(self) -> ReadyAnswer:
        found = self._life.readiness()
        if found.problem is None and self._completeness.complete is None:
            return ReadyAnswer("the table reads what the result topic had when its partitions came", ready=False)
        return found

    def _numbers(self) -> dict[str, int]:
        whole, follower = self._completeness.complete, self._life.agent
        return {
            "rows": len(follower.table.data),
            "partitions": len(whole.partitions) if whole is not None else 0,
            "partitions_behind": self._completeness.behind,
            "results": follower.results,
            "tombstones": follower.tombstones,
        }
