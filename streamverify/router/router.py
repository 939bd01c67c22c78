"""The life of a router: start, forward, end. The exit code says how it ended."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError

from streamverify.bus.admin import open_admin, patient_admin
from streamverify.bus.connection import PATIENCE, patiently
from streamverify.bus.liveness import OUTAGE_GRACE, BrokerWatch
from streamverify.bus.presence import require_topics
from streamverify.bus.publisher import Publisher
from streamverify.bus.topics import changelog_topic, max_message_bytes, router_group
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.scheduling.partitioner import AffinityPartitioner
from streamverify.router.application import TABLE, make_application, quieten
from streamverify.router.forwarder import Forwarder
from streamverify.router.view import HeaderView
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, HealthServer, Signals, unless

if TYPE_CHECKING:
    from faust.tables.manager import TableManager

    from streamverify.bus.admin import PatientAdmin
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

_GIVE_UP_TIMEOUT = 5.0
"""Seconds that Faust gets to stop after a failure, when no record in hand is waited for."""


def run_router(settings: Settings) -> int:
    """Forward from the ingest topic to the request topic until a signal.

    Returns:
        The exit code.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_run(settings))
    finally:
        # Not asyncio.run(), which waits for every task: tasks of a Faust that lost its broker ignore cancellation.
        loop.set_exception_handler(lambda _loop, _context: None)


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
        self._signals = signals
        self._stack = stack
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._brokers = BrokerWatch(settings.bootstrap_servers, router_group(settings))

    async def start(self) -> None:
        """Reach the broker, read the counts, join the group."""
        settings = self._settings
        partitions, sizes = await self._prepare_topics()
        publisher = Publisher(
            settings, max_record_bytes=max(sizes), max_batch_bytes=min(sizes) // 2, partitioner=AffinityPartitioner()
        )
        await publisher.start(PATIENCE)
        self._stack.push_async_callback(publisher.close)
        await self._keep_running(publisher.run())
        # A client of its own: Faust does not say what it hears of the brokers.
        admin = await open_admin(settings)
        self._stack.push_async_callback(admin.close)
        await self._keep_running(self._brokers.run(admin))
        self._view = HeaderView(settings, partitions)
        await self._view.start()
        self._stack.push_async_callback(self._view.close)
        await self._keep_running(self._view.run())
        pages = {"/": self._view.answer_page, "/headers": self._view.answer_json}
        health = HealthServer(
            settings.http_host, settings.http_port, ready=self._ready, status=self._status, more=pages
        )
        self._make_app(publisher, partitions)
        self._stack.push_async_callback(self._stop_app)
        await health.start()
        self._stack.push_async_callback(health.close)
        servers = settings.bootstrap_servers
        await patiently(partial(self._start_app, publisher, partitions), servers, try_seconds=None)
        _log.info(
            "router_started",
            brokers=settings.bootstrap_servers,
            source=settings.ingest_topic,
            topic=settings.request_topic,
            group=router_group(settings),
            partitions=partitions,
        )

    def _make_app(self, publisher: Publisher, partitions: int) -> None:
        self._app = make_application(self._settings, partitions, self._failed)
        self._forwarder = self._make_forwarder(publisher, partitions)

    async def _start_app(self, publisher: Publisher, partitions: int) -> None:
        """Start Faust, which connects clients of its own and tries that only once."""
        try:
            await self._app.start()
        except (KafkaError, OSError):
            # A Faust application that did not start cannot be started again.
            await self._stop_app()
            self._make_app(publisher, partitions)
            raise

    def _make_forwarder(self, publisher: Publisher, partitions: int) -> Forwarder:
        app = self._app
        table: Any = app.Table(TABLE, partitions=partitions)
        forwarder = Forwarder(self._settings, app, table, publisher, partitions=partitions, on_failure=self._failed)
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
            if len(found[changelog]) != partitions:
                await _extend(admin, changelog, len(found[changelog]), partitions)
            return partitions, [await max_message_bytes(admin, topic) for topic in targets]

    async def _keep_running(self, work: Any) -> None:
        """Run `work` in a task of its own, whose failure ends the router."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda task: None if task.cancelled() else self._failed(task.exception()))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

    def _failed(self, error: BaseException | None) -> None:
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def run(self) -> int:
        """Forward until a signal, then finish the records in hand. Returns the exit code."""
        stopped: asyncio.Future[Any] = asyncio.create_task(self._app.wait())
        drain: asyncio.Future[Any] = asyncio.create_task(self._signals.drain.wait())
        try:
            await asyncio.wait({stopped, drain, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                raise _explained(self._failure.exception())
            if stopped.done():
                raise _explained(self._app.crash_reason)
            return await self._drain()
        finally:
            stopped.cancel()
            drain.cancel()

    async def _drain(self) -> int:
        _log.info("draining", seconds=self._settings.drain_timeout)
        stopping = asyncio.create_task(self._app.stop())
        forced = asyncio.create_task(self._signals.force.wait())
        await asyncio.wait(
            {stopping, forced}, timeout=self._settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        forced.cancel()
        complete = stopping.done()
        _log.info("drained" if complete else "drain_cut_short", **self._numbers())
        if not complete:
            # The other parts are not closed either: they would wait for the same broker.
            self._stack.pop_all()
            return EXIT_CUT_SHORT
        return EXIT_DONE

    async def _stop_app(self) -> None:
        """Stop Faust after a failure, without waiting for the records in hand."""
        self._app.hopeless = True
        await asyncio.wait({asyncio.create_task(self._app.stop())}, timeout=_GIVE_UP_TIMEOUT)

    def _problem(self) -> tuple[str | None, bool]:
        """What keeps the router from its work, in words, and whether it is so bad that it is not ready."""
        if self._signals.drain.is_set():
            return "the router drains: it forwards what it has in hand, and takes nothing more", True
        if outage := self._brokers.outage:
            return outage, self._brokers.seconds_without_broker > OUTAGE_GRACE
        tables = cast("TableManager", self._app.tables)
        if not tables.recovery.completed.is_set() or self._app.rebalancing:
            return "the router joins its group, or reads the counts of the partitions that it was given", True
        return None, False

    def _ready(self) -> bool:
        _, serious = self._problem()
        return not serious

    def _status(self) -> dict[str, object]:
        problem, _ = self._problem()
        return {"problem": problem, "draining": self._signals.drain.is_set(), **self._numbers()}

    def _numbers(self) -> dict[str, int]:
        return {"forwarded": self._forwarder.forwarded, "dead_letters": self._forwarder.dead_letters}


async def _extend(admin: PatientAdmin, changelog: str, has: int, needs: int) -> None:
    """Give the changelog as many partitions as the ingest topic: Faust assigns the two together, number by number."""
    if has > needs:
        raise BrokerUnavailable(
            f"the topic {changelog} has {has} partitions, and the ingest topic has only {needs}, so it was deleted "
            f"and made again: delete {changelog} too, its counts belong to the old topic"
        )
    try:
        await admin.create_partitions({changelog: NewPartitions(total_count=needs)})
    except KafkaError as error:
        raise BrokerUnavailable(f"the broker does not extend the topic {changelog} to {needs}: {error!r}") from error


def _explained(error: BaseException | None) -> BaseException:
    """Word the error that ended the router for an operator."""
    if isinstance(error, KafkaError):
        return BrokerUnavailable(f"the router's connection to Kafka failed for good: {error!r}")
    if error is None:
        return BrokerUnavailable("the router's connection to Kafka ended without a reason")
    return error
