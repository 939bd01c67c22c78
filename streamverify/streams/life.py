"""The life of a process around Faust, for router and table: start, work until a signal, drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, cast

import structlog
from aiokafka.errors import KafkaError

from streamverify.bus.admin import open_admin
from streamverify.bus.connection import patiently
from streamverify.bus.liveness import OUTAGE_GRACE, BrokerWatch
from streamverify.core.errors import BrokerUnavailable
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, end_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from contextlib import AsyncExitStack

    from faust.tables.manager import TableManager

    from streamverify.runtime import Signals
    from streamverify.settings import Settings
    from streamverify.streams.application import Application
    from streamverify.streams.batches import Batches
    from streamverify.streams.stream_names import StreamNames

_log = structlog.get_logger(__name__)


class StreamAgent(Protocol):
    """The agent to which Faust gives the records of the source."""

    @property
    def batches(self) -> Batches:
        """Its batches: they know how far it is."""


AgentT = TypeVar("AgentT", bound=StreamAgent)


class ReadyAnswer(NamedTuple):
    """The answer to `/ready`: the problem that keeps a process from its work, None if there is none, and the status."""

    problem: str | None
    ready: bool


class StreamLife(Generic[AgentT]):
    """Starts a Faust application and its agent, tells what keeps them from their work, and ends them.

    MADE ── start ──> JOINING: no assignment, or rows of it are read ── the table is restored ──> WORKING
    JOINING ── a start that failed ──> MADE, with another application;  WORKING ── a rebalance ──> JOINING
    JOINING while it starts ── the first signal ──> ended
    JOINING, WORKING ── the first signal ──> DRAINING ── all in hand is done, time over, or a second signal ──> ended
    any ── Faust or a part fails ──> GIVEN UP: nothing in hand is waited for ──> ended
    No attribute says which it is: `readiness` reads it from Faust, the brokers and the signals, which have it.
    """

    app: Application
    """The application of the last try to start."""
    agent: AgentT
    """The agent of that application."""

    def __init__(self, settings: Settings, names: StreamNames, signals: Signals, stack: AsyncExitStack) -> None:
        """Start nothing yet.

        Args:
            settings: The settings of the command.
            names: What is read, under which names.
            signals: What asks for the end.
            stack: Closes what was opened, in the end.
        """
        self.names = names
        self._settings = settings
        self._signals = signals
        self._stack = stack
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._brokers = BrokerWatch(settings.bootstrap_servers, names.group)

    async def watch_brokers(self) -> None:
        """Notice when no broker answers: Faust does not say what it hears of the brokers."""
        admin = await open_admin(self._settings)
        self._stack.push_async_callback(admin.close)
        await self.keep_running(self._brokers.run(admin))

    async def start(self, make: Callable[[], tuple[Application, AgentT]]) -> None:
        """Start the application, which connects clients of its own and tries that only once.

        Args:
            make: Makes application and agent; it is called before anything is awaited, so that whoever asks finds them,
                and again for each further try: an application that did not start cannot be started again.

        Raises:
            BrokerUnavailable: A broker refuses us for good.
        """
        self.app, self.agent = make()

        async def give_up() -> None:
            await self.app.give_up()

        async def try_to_start() -> None:
            try:
                await self.app.start()
            except (KafkaError, OSError):
                await self.app.give_up()
                self.app, self.agent = make()
                raise

        self._stack.push_async_callback(give_up)
        await patiently(try_to_start, self._settings.bootstrap_servers, try_seconds=None)

    async def keep_running(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` in a task of its own, whose failure ends the process."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda task: None if task.cancelled() else self.failed(task.exception()))
        self._stack.push_async_callback(end_tasks, task)

    def failed(self, error: BaseException | None) -> None:
        """End the process with this error."""
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def run(self, numbers: Callable[[], Mapping[str, int]]) -> int:
        """Work until a signal, then finish the records in hand.

        Args:
            numbers: What is logged in the end.

        Returns:
            The exit code.

        Raises:
            BrokerUnavailable: Faust has stopped, or a part has failed.
        """
        stopped: asyncio.Future[Any] = asyncio.create_task(self.app.wait())
        drain: asyncio.Future[Any] = asyncio.create_task(self._signals.drain.wait())
        try:
            await asyncio.wait({stopped, drain, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            # A failure that comes with a signal counts: what is in hand cannot be finished.
            if self._failure.done():
                raise self._explained(self._failure.exception())
            if stopped.done():
                raise self._explained(self.app.crash_reason)
            return await self._drain(numbers)
        finally:
            stopped.cancel()
            drain.cancel()

    async def _drain(self, numbers: Callable[[], Mapping[str, int]]) -> int:
        _log.info("draining", seconds=self._settings.drain_timeout)
        # Faust stops fetching first, and then waits for the records in hand.
        stopping = asyncio.create_task(self.app.stop())
        forced = asyncio.create_task(self._signals.force.wait())
        await asyncio.wait(
            {stopping, forced}, timeout=self._settings.drain_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        forced.cancel()
        complete = stopping.done()
        _log.info("drained" if complete else "drain_cut_short", **numbers())
        if not complete:
            # The other parts are not closed either: they would wait for the same broker.
            self._stack.pop_all()
            return EXIT_CUT_SHORT
        return EXIT_DONE

    def readiness(self) -> ReadyAnswer:
        """Say what keeps it from its work; of several the one that explains the others."""
        process = self.names.process
        # Until its port is closed: what is left is waited for, for a bounded time.
        if self._failure.done():
            return ReadyAnswer(f"a part of the {process} has failed: it ends, with an error", ready=False)
        if self.draining:
            return ReadyAnswer(f"the {process} drains: {self.names.drains}", ready=False)
        if outage := self._brokers.outage:
            # To take every process out of service because a broker restarts would help nobody.
            return ReadyAnswer(outage, ready=self._brokers.seconds_without_broker <= OUTAGE_GRACE)
        if not self.restored:
            return ReadyAnswer(
                f"the {process} joins its group, or reads the rows of the partitions that it was given", ready=False
            )
        return ReadyAnswer(None, ready=True)

    @property
    def restored(self) -> bool:
        """True while the table holds what the changelog has of our partitions."""
        tables = cast("TableManager", self.app.tables)
        return tables.recovery.completed.is_set() and not self.app.rebalancing

    @property
    def brokers_answer(self) -> bool:
        """True while any broker answers."""
        return self._brokers.outage is None

    @property
    def draining(self) -> bool:
        """True once a signal has asked for the end."""
        return self._signals.drain.is_set()

    def _explained(self, error: BaseException | None) -> BaseException:
        """Word the error that ended the process for an operator."""
        if isinstance(error, KafkaError):
            return BrokerUnavailable(f"the {self.names.process}'s connection to Kafka failed for good: {error!r}")
        if error is None:
            return BrokerUnavailable(f"the {self.names.process}'s connection to Kafka ended without a reason")
        return error
