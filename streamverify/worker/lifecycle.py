"""A worker's life: start, run, drain, end; the exit code says which way it ended."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.connection import PATIENCE
from streamverify.bus.consumer import RequestConsumer
from streamverify.bus.peers import Peers, client_id
from streamverify.bus.publisher import Publisher
from streamverify.bus.topics import max_message_bytes, open_admin, require_topics
from streamverify.core.codec import RequestLimits
from streamverify.core.errors import SettingsError, StreamVerifyError
from streamverify.core.policy import POLICY_VERSION, trusted_by
from streamverify.core.scheduler import Rules
from streamverify.core.versions import is_older
from streamverify.lean.launch import configured_repl, find_repl, probe
from streamverify.lean.learned import learned_file
from streamverify.lean.pool import Pool, PoolLimits
from streamverify.lean.prewarm import headers_to_warm
from streamverify.lean.resources import plan_for
from streamverify.worker.answers import Answerer, worker_name
from streamverify.worker.health import HealthServer
from streamverify.worker.service import Service

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from streamverify.core.models import Verifier
    from streamverify.lean.resources import Plan
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

EXIT_DONE = 0
EXIT_CUT_SHORT = 130
_RETRY = 0.5
_LEAVE_TIMEOUT = 2.0
"""Seconds that leaving the group gets at least, however much of the drain's time is used up."""


class Signals:
    """SIGTERM and SIGINT: the first asks for a drain, the second ends the worker at once."""

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.force = asyncio.Event()

    def listen(self) -> None:
        """Take the signals over from Python."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, signal.Signals(number).name)

    def _received(self, name: str) -> None:
        if self.drain.is_set():
            _log.warning("forced", signal=name)
            self.force.set()
        else:
            _log.info("signal", signal=name, hint="finishing what runs; a second signal ends at once")
            self.drain.set()


async def run_worker(settings: Settings) -> int:
    """Serve the request topic until a signal; the exit code.

    Raises:
        ReplUnavailable: There is no REPL, it does not answer, or a header of PREWARM cannot be imported.
        BrokerUnavailable: There is no broker, or a topic is missing.
        ResultRefused: The broker takes no result any more.
        WorkerStuck: Fetching fails for good.
    """
    signals = Signals()
    signals.listen()
    async with AsyncExitStack() as stack:
        worker = Worker(settings, signals)
        stack.push_async_callback(worker.close)
        if not await unless(signals.drain, worker.start()):
            return EXIT_DONE
        return await worker.run()


async def unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do `work` unless the event comes first; whether it was done."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        await task
        return True
    finally:
        stopped.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError, StreamVerifyError):
            await task


class Worker:
    """The parts of a worker, in the order in which they start and end."""

    def __init__(self, settings: Settings, signals: Signals) -> None:
        self._settings = settings
        self._signals = signals
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Find the REPL and the broker, and join the group."""
        settings = self._settings
        found = await find_repl(settings.repl, settings.lean_project)
        plan = plan_for(settings, found)
        for warning in plan.warnings:
            _log.warning("slots_disagree", warning=warning)
        command = await configured_repl(settings, slots=plan.slots, spares=plan.spares, found=found)
        probed = await probe(command)
        trusted = trusted_by(settings.policy_allow, probed.lean_version)
        verifier = probed.model_copy(update={"policy_version": f"{POLICY_VERSION}{trusted.digest}"})
        check_verifier(verifier, settings)
        sizes = await self._topic_sizes()
        self._pool = Pool(
            command,
            slots=plan.slots,
            limits=_pool_limits(settings, plan),
            rules=_rules(settings, plan),
            learned=learned_file(found),
            trusted=trusted,
        )
        self._stack.push_async_callback(self._pool.close)
        self._publisher = Publisher(settings, max_record_bytes=max(sizes.values()))
        await self._publisher.start(PATIENCE)
        self._stack.push_async_callback(self._publisher.close)
        answerer = Answerer(worker_name(settings), verifier, settings.result_topic, sizes[settings.result_topic])
        limits = RequestLimits(max_proof_bytes=settings.max_proof_bytes)
        service = Service(settings, limits, self._pool, self._publisher, answerer, slots=plan.slots)
        self._consumer = RequestConsumer(settings, service)
        self._consumer.client_id = client_id(verifier)
        self._peers = Peers(settings, self._consumer.client_id)
        service.consumer = self._consumer
        self._service = service
        self._health = HealthServer(settings.http_port, ready=self._ready, status=self._status)
        await self._health.start()
        self._stack.push_async_callback(self._health.close)
        await self._pool.start(headers_to_warm(settings.prewarm, command))
        self._stack.push_async_callback(self._consumer.close, _LEAVE_TIMEOUT)
        await self._consumer.start(PATIENCE)
        _log.info(
            "worker_started",
            name=answerer.worker,
            verifier=verifier.kind,
            lean_version=verifier.lean_version,
            sandbox=verifier.sandbox,
            slots=plan.slots,
            spares=plan.spares,
            brokers=settings.bootstrap_servers,
            topic=settings.request_topic,
            group=settings.group_id,
        )

    async def _topic_sizes(self) -> dict[str, int]:
        """`max.message.bytes` of the topics that are written to."""
        settings = self._settings
        admin = await open_admin(settings)
        try:
            await require_topics(admin, settings, [settings.request_topic, settings.result_topic, settings.dlq_topic])
            return {
                topic: await max_message_bytes(admin, topic) for topic in (settings.result_topic, settings.dlq_topic)
            }
        finally:
            await admin.close()

    async def run(self) -> int:
        """Serve until a signal, then drain; the exit code."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(work)
                    for work in (
                        self._consumer.poll(),
                        self._consumer.own(),
                        self._consumer.watch(),
                        self._publisher.run(),
                        self._peers.watch(),
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
        """Finish what runs, publish and commit it, leave the group; within the drain's time, or cut short."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.drain_timeout
        _log.info("draining", running=self._pool.running, seconds=self._settings.drain_timeout)
        self._consumer.drain()
        self._pool.stop_dispatching()
        complete = await self._before(deadline, self._finish_running())
        if not complete and not self._signals.force.is_set():
            # What still runs has not died: say so, or the next owner would take each of its records for a suspect.
            await self._before(loop.time() + _LEAVE_TIMEOUT, self._commit_last())
        await self._consumer.close(max(_LEAVE_TIMEOUT, deadline - loop.time()) if complete else _LEAVE_TIMEOUT)
        _log.info("drained" if complete else "drain_cut_short", in_flight=self._consumer.in_flight)
        return EXIT_DONE if complete else EXIT_CUT_SHORT

    async def _finish_running(self) -> None:
        await self._pool.wait_running()
        await self._publisher.flush()
        await self._commit_last()

    async def _commit_last(self) -> None:
        while not await self._consumer.finish():  # noqa: ASYNC110 - the pause between two tries, not a wait for a state
            await asyncio.sleep(_RETRY)

    async def _before(self, deadline: float, work: Coroutine[None, None, None]) -> bool:
        """Do `work` unless the deadline or a second signal comes first; whether it was done."""
        try:
            async with asyncio.timeout_at(deadline):
                return await unless(self._signals.force, work)
        except TimeoutError:
            return False

    def _ready(self) -> bool:
        return self._consumer.joined and not self._signals.drain.is_set()

    def _status(self) -> dict[str, object]:
        return {
            "joined": self._consumer.joined,
            "draining": self._signals.drain.is_set(),
            "in_flight": self._consumer.in_flight,
            "queued": self._pool.queued + self._service.waiting,
            "running": self._pool.running,
            "careful_partitions": self._consumer.careful,
            "lost_by_retention": self._consumer.lost,
        }

    async def close(self) -> None:
        """End every part; no process is left."""
        await self._stack.aclose()


def check_verifier(verifier: Verifier, settings: Settings) -> None:
    """See that what verifies is what the settings ask for, and say where it cannot give what they promise.

    Raises:
        SettingsError: Lean is older than `min_lean_version`, or there is none.
    """
    least = settings.min_lean_version
    if least is not None and is_older(verifier.lean_version, least):
        found = f"is {verifier.lean_version}" if verifier.lean_version else "does not say its version"
        raise SettingsError(
            f"STREAMVERIFY_MIN_LEAN_VERSION (--min-lean-version): Lean must be at least {least}, and this one "
            f"{found}: install a newer one (./setup_lean.sh), or lower the setting"
            if verifier.kind == "lean"
            else f"STREAMVERIFY_MIN_LEAN_VERSION (--min-lean-version): repl={settings.repl} is no Lean at all"
        )
    if verifier.kind != "lean" and "audited" in (settings.require, settings.require_min):
        _log.warning(
            "cannot_audit",
            verifier=verifier.kind,
            hint="what needs an audit is answered `unsupported`; set STREAMVERIFY_REQUIRE=checked for a trial",
        )


def _rules(settings: Settings, plan: Plan) -> Rules:
    return Rules(plan.slots, plan.spares, max(2, plan.slots // 4), settings.patience, settings.quantum)


def _pool_limits(settings: Settings, plan: Plan) -> PoolLimits:
    return PoolLimits(
        headers_per_repl=settings.headers_per_repl,
        memory_per_repl=plan.memory_per_repl,
        import_timeout=settings.import_timeout,
        default_timeout=settings.default_timeout,
        max_timeout=settings.max_timeout,
    )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the worker: ours where there is one, else whatever came first."""
    ours = errors.subgroup(StreamVerifyError)
    leaf: BaseException = ours or errors
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
