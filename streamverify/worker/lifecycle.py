"""The life of a worker: start, run, drain, end. The exit code says how it ended."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.address import advertised_url
from streamverify.bus.announcements import Announcements
from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.connection import BROKER_TIMEOUT
from streamverify.bus.consumer import RequestConsumer
from streamverify.bus.consumer_counts import ConsumerCounts
from streamverify.bus.group_versions import VersionWatch
from streamverify.bus.publisher import Publisher
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.delivery.partitions import Partitions
from streamverify.core.errors import StreamVerifyError
from streamverify.core.groups.cancellation import Cancellations
from streamverify.core.groups.groups import Groups
from streamverify.core.messages.codec import RequestLimits
from streamverify.core.messages.models import Assurance
from streamverify.core.metrics.lean_counts import LeanCounts
from streamverify.core.metrics.metric import Process
from streamverify.core.overview.card import client_id, encode_card
from streamverify.lean.kernel.replays import Replays
from streamverify.lean.pool import Pool
from streamverify.lean.warm_headers import headers_to_warm
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, HealthServer, Signals, spare_the_garbage_collector, unless
from streamverify.telemetry.configuration import open_tracing
from streamverify.telemetry.metrics import Metrics
from streamverify.worker.cached_pool import CachedPool
from streamverify.worker.condition import ConditionReport, StartStep
from streamverify.worker.discovery import discover
from streamverify.worker.metrics import Observations, Parts, WorkerMetrics
from streamverify.worker.open_cache import open_cache
from streamverify.worker.pool_settings import pool_limits, pool_rules
from streamverify.worker.report import Reporter
from streamverify.worker.results import ResultBuilder, worker_name
from streamverify.worker.service import Service
from streamverify.worker.status import StatusReport
from streamverify.worker.superseding import Superseding
from streamverify.worker.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from streamverify.lean.kernel.reachable_tiers import ReachableTiers
    from streamverify.settings import Settings
    from streamverify.telemetry.tracing import Tracing
    from streamverify.worker.discovery import Discovery
    from streamverify.worker.result_cache import ResultCache

_log = structlog.get_logger(__name__)

_RETRY = 0.5
_LEAVE_TIMEOUT = 2.0
"""Seconds that leaving the group gets at least, even if the drain's time is used up."""


async def run_worker(settings: Settings) -> int:
    """Serve the request topic until a signal.

    Returns:
        The exit code.

    Raises:
        ReplUnavailable: There is no REPL, it does not answer, or a header of PREWARM cannot be imported.
        BrokerUnavailable: There is no broker, or a topic is missing.
        ResultRefused: The broker takes no result any more.
        WorkerStuck: Fetching fails for good.
        WorkerFenced: Another worker has taken this one's name.
    """
    signals = Signals()
    signals.listen()
    async with AsyncExitStack() as stack:
        worker = Worker(settings, signals)
        stack.push_async_callback(worker.close)
        if not await unless(signals.drain, worker.start()):
            return EXIT_DONE
        spare_the_garbage_collector()
        return await worker.run()


class Worker:
    """The parts of a worker, in the order in which they start and end.

    MADE ── start: STARTING, in the steps of `ConditionReport` ──> SERVING ── a signal ──> DRAINING
    DRAINING ── what runs is finished, published and committed ──> ended: EXIT_DONE
             ── DRAIN_TIMEOUT is over, or a second signal ──> ended: EXIT_CUT_SHORT
    STARTING ── a signal ──> ended: EXIT_DONE;  STARTING, SERVING or DRAINING ── a part fails ──> ended: its error
    """

    def __init__(self, settings: Settings, signals: Signals) -> None:
        self._settings = settings
        self._signals = signals
        self._stack = AsyncExitStack()
        self._partitions = Partitions(settings.request_topic)
        self._commits = CommitRequests()
        self._meters = Metrics(Process.WORKER)
        self._cache: ResultCache | None = None
        self._cached_pool: CachedPool | None = None

    async def start(self) -> None:
        """Find the REPL and the broker, and join the group."""
        discovery = await discover(self._settings)
        results = await self._open(discovery)
        self._take_records(discovery, results)
        self._watch(discovery)
        await self._join(discovery)

    async def _open(self, discovery: Discovery) -> ResultBuilder:
        """Make what has verdicts on proofs, and what publishes them; no proof is taken yet."""
        settings, verifier, plan = self._settings, discovery.verifier, discovery.plan
        self._observations = Observations(self._meters)
        self._pool = Pool(
            discovery.command,
            slots=plan.slots,
            limits=pool_limits(settings, plan),
            rules=pool_rules(settings, plan),
            saved_headers=discovery.saved_headers,
            trusted=discovery.trusted,
            counts=LeanCounts(self._observations.import_seconds),
        )
        self._stack.push_async_callback(self._pool.close)
        # One producer writes to both topics.
        self._publisher = Publisher(settings, max_record_bytes=max(discovery.sizes.values()))
        await self._publisher.start(BROKER_TIMEOUT)
        self._stack.push_async_callback(self._publisher.close)
        results = ResultBuilder(
            worker_name(settings),
            verifier,
            settings.result_topic,
            discovery.sizes[settings.result_topic],
            self._observations.published,
            self._tracing(),
        )
        self._cache = await open_cache(
            settings,
            verifier,
            discovery.command,
            vocabulary_of=self._pool.vocabularies.known,
            reachable=discovery.reachable,
        )
        self._tiers = Tiers(
            self._replays(discovery.reachable),
            Assurance(settings.upgrade),
            publisher=self._publisher,
            results=results,
            keep=None if self._cache is None else self._cache.keep,
        )
        if self._cache is not None:
            self._stack.push_async_callback(self._cache.close)
            timeouts = {"default_timeout": settings.default_timeout, "max_timeout": settings.max_timeout}
            self._cached_pool = CachedPool(self._pool, self._tiers, self._cache, **timeouts)
        return results

    def _take_records(self, discovery: Discovery, results: ResultBuilder) -> None:
        """Make what takes records and answers them, from the service to the consumer; none of it works yet."""
        settings, runner = self._settings, self._cached_pool or self._pool
        self._announcements = Announcements(settings)
        self._superseding = Superseding(
            Groups(ttl=settings.group_ttl),
            Cancellations(consumer_group=settings.group_id, topic=settings.request_topic),
            pool=self._pool,
            runner=runner,
            tiers=self._tiers,
            records=self._partitions.records,
            announce=self._announcements.announce,
        )
        self._service = Service(
            settings,
            RequestLimits(max_proof_bytes=settings.max_proof_bytes),
            pool=self._pool,
            runner=runner,
            publisher=self._publisher,
            results=results,
            records=self._partitions.records,
            commits=self._commits,
            superseding=self._superseding,
            tiers=self._tiers,
            reachable=discovery.reachable,
            slots=discovery.plan.slots,
        )
        versions = client_id(discovery.verifier)
        counts = ConsumerCounts(on_commit=self._observations.commit_seconds)
        self._consumer = RequestConsumer(settings, self._partitions, self._commits, client_id=versions, counts=counts)
        self._condition = ConditionReport(
            self._signals, self._partitions, self._consumer.liveness.brokers, group=settings.group_id
        )
        self._peers = VersionWatch(settings, versions)

    def _watch(self, discovery: Discovery) -> None:
        """Make what says how the worker does: its log, its metrics, its status."""
        settings, slots, runner = self._settings, discovery.plan.slots, self._cached_pool or self._pool
        self._reporter = Reporter(
            self._service.answers.activity,
            pool=self._pool,
            runner=runner,
            slots=slots,
            partitions=self._partitions,
            consumer=self._consumer,
            cache=self._cached_pool,
        )
        self._metrics = WorkerMetrics(
            self._meters,
            self._observations,
            Parts(
                pool=self._pool,
                runner=runner,
                cache=self._cached_pool,
                tiers=self._tiers,
                service=self._service,
                partitions=self._partitions,
                consumer=self._consumer,
                publisher=self._publisher,
                ready=self._condition.is_ready,
                draining=self._signals.drain.is_set,
            ),
            verifier=discovery.verifier,
            slots=slots,
        )
        self._report = StatusReport(
            settings,
            name=worker_name(settings),
            verifier=discovery.verifier,
            condition=self._condition.now,
            pool=self._pool,
            runner=runner,
            slots=slots,
            service=self._service,
            partitions=self._partitions,
            consumer=self._consumer,
            tiers=self._tiers,
        )
        self._health = HealthServer(
            settings.http_host,
            settings.http_port,
            ready=self._condition.is_ready,
            status=self._status,
            more={"/metrics": self._metrics.answer, "/status": self._report.answer},
        )

    async def _join(self, discovery: Discovery) -> None:
        """Import headers, hear what others have announced, and join the group."""
        settings, verifier, plan = self._settings, discovery.verifier, discovery.plan
        self._condition.start_came_to(StartStep.IMPORTING)
        # From here on a supervisor sees that the worker lives and is not ready.
        self._report.listens_at(advertised_url(settings, await self._health.start()))
        self._stack.push_async_callback(self._health.close)
        # Import headers before joining the group: the partitions of a member would wait for the imports.
        await self._pool.start(headers_to_warm(settings.prewarm, discovery.command))
        # Whatever was announced before concerns the first records that come, too.
        await self._announcements.start(self._superseding.hear, self._service.cancel)
        self._stack.push_async_callback(self._announcements.close)
        self._stack.push_async_callback(self._consumer.close, _LEAVE_TIMEOUT)
        self._condition.start_came_to(StartStep.JOINING)
        await self._consumer.start(self._service, BROKER_TIMEOUT, encode_card(self._report.card()))
        _log.info(
            "worker_started",
            name=worker_name(settings),
            verifier=verifier.kind,
            lean_version=verifier.lean_version,
            sandbox=verifier.sandbox,
            slots=plan.slots,
            spares=plan.spares,
            reaches=str(discovery.reachable.tier),
            brokers=settings.bootstrap_servers,
            topic=settings.request_topic,
            group=settings.group_id,
        )

    def _tracing(self) -> Tracing | None:
        """Open what makes the spans of sampled requests, where they are wanted."""
        name, group = worker_name(self._settings), self._settings.group_id
        tracing = open_tracing("streamverify-worker", instance=name, group=group)
        if tracing is not None:
            self._stack.push_async_callback(tracing.close)
        return tracing

    def _replays(self, reachable: ReachableTiers) -> Replays | None:
        """Open the slots for the tiers above `audited`, where there are any."""
        if reachable.tier_runner is None:
            return None
        vocabulary = replace(SHIPPED, trusted=self._pool.trusted)
        replays = Replays(reachable.tier_runner, slots=self._settings.replay_slots, vocabulary=vocabulary)
        self._stack.push_async_callback(replays.close)
        return replays

    async def run(self) -> int:
        """Serve until a signal, then drain. Returns the exit code."""
        try:
            # A fatal error in any of these tasks ends the others, and the worker with that error's exit code.
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(work)
                    for work in (
                        self._consumer.run(),
                        self._publisher.run(),
                        self._peers.watch(),
                        self._reporter.run(),
                        self._metrics.run(),
                        *(() if self._cache is None else (self._cache.run(),)),
                        *(() if self._cached_pool is None else (self._cached_pool.run(),)),
                    )
                ]
                await self._signals.drain.wait()
                code = await self._drain()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        return code

    async def _drain(self) -> int:
        """Finish what runs, publish and commit it, and leave the group, in time. Returns the exit code."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_timeout
        _log.info("draining", running=self._pool.running, seconds=self._settings.drain_timeout)
        # Both, and the poll goes on: a member that does not poll loses its partitions in mid-drain.
        self._consumer.drain()
        if self._cached_pool is not None:
            self._cached_pool.drain()
        self._pool.drain()
        self._tiers.drain()
        complete = await self._before(deadline, self._finish_running())
        if not complete and not self._signals.force.is_set():
            # The closing commit says that nobody has died: else the next owner would quarantine each of these records.
            await self._before(loop.time() + _LEAVE_TIMEOUT, self._commit_last())
        await self._consumer.close(max(_LEAVE_TIMEOUT, deadline - loop.time()) if complete else _LEAVE_TIMEOUT)
        self._reporter.last()
        _log.info("drained" if complete else "drain_cut_short", in_flight=self._partitions.flow.in_flight)
        return EXIT_DONE if complete else EXIT_CUT_SHORT

    async def _finish_running(self) -> None:
        await self._pool.wait_running()
        await self._tiers.wait_running()
        await self._publisher.flush()
        await self._commit_last()

    async def _commit_last(self) -> None:
        while not await self._commits.finish():  # noqa: ASYNC110 - the pause between two tries, not a wait for a state
            await asyncio.sleep(_RETRY)

    async def _before(self, deadline: float, work: Coroutine[None, None, None]) -> bool:
        """Do `work` unless the deadline or a second signal comes first. Returns whether it was done."""
        try:
            async with asyncio.timeout_at(deadline):
                return await unless(self._signals.force, work)
        except TimeoutError:
            return False

    def _status(self) -> dict[str, object]:
        return {
            "problem": self._condition.now().problem,
            "joined": self._partitions.are_restored,
            "draining": self._signals.drain.is_set(),
            "in_flight": self._partitions.flow.in_flight,
            "queued": (self._cached_pool or self._pool).queued + self._service.quarantine.waiting,
            "running": self._pool.running,
            "replays_queued": self._tiers.queued,
            "replays_running": self._tiers.running,
            "upgraded": self._tiers.upgraded,
            "quarantined_partitions": len(self._partitions.quarantined()),
            "lost_by_retention": self._consumer.lost,
            **self._reporter.counters(),
        }

    async def close(self) -> None:
        """End every part; no process is left."""
        await self._stack.aclose()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Choose the error that ended the worker: one of ours if there is one, else the first."""
    ours = errors.subgroup(StreamVerifyError)
    leaf: BaseException = ours or errors
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
