"""The life of a process around Faust, for router and table: start, work until a signal, drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError

from streamverify.bus.admin import open_admin
from streamverify.bus.connection import patiently
from streamverify.bus.liveness import OUTAGE_GRACE, BrokerWatch
from streamverify.core.errors import BrokerUnavailable
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from contextlib import AsyncExitStack

    from faust.tables.manager import TableManager

    from streamverify.bus.admin import PatientAdmin
    from streamverify.runtime import Signals
    from streamverify.settings import Settings
    from streamverify.streams.application import Application

_log = structlog.get_logger(__name__)

_GIVE_UP_TIMEOUT = 5.0
"""Seconds that Faust gets to stop after a failure, when no record in hand is waited for."""


def run_apart(work: Coroutine[Any, Any, int]) -> int:
    """Run the work of a whole process in an event loop of its own.

    Returns:
        The exit code.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        # Not asyncio.run(), which waits for every task: tasks of a Faust that lost its broker ignore cancellation.
        loop.set_exception_handler(lambda _loop, _context: None)


class StreamLife:
    """Starts a Faust application, tells what keeps it from its work, and ends it."""

    app: Application

    def __init__(  # noqa: PLR0913 - it stands between that many parts
        self, settings: Settings, signals: Signals, stack: AsyncExitStack, *, kind: str, group: str, drains: str
    ) -> None:
        """Start nothing yet.

        Args:
            settings: The settings of the command.
            signals: What asks for the end.
            stack: Closes what was opened, in the end.
            kind: What it is, for people: `router` or `table`.
            group: Its consumer group.
            drains: What it does while it drains, for people.
        """
        self._settings = settings
        self._signals = signals
        self._stack = stack
        self._kind = kind
        self._drains = drains
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._brokers = BrokerWatch(settings.bootstrap_servers, group)

    async def watch_brokers(self) -> None:
        """Notice when no broker answers: Faust does not say what it hears of the brokers."""
        admin = await open_admin(self._settings)
        self._stack.push_async_callback(admin.close)
        await self.keep_running(self._brokers.run(admin))

    def prepare(self, make: Callable[[], Application]) -> None:
        """Make the application, which connects to nothing yet.

        Args:
            make: Makes it, anew for each try to start: one that did not start cannot be started again.
        """
        self._make = make
        self.app = make()
        self._stack.push_async_callback(self._stop)

    async def start(self) -> None:
        """Start the application, which connects clients of its own and tries that only once.

        Raises:
            BrokerUnavailable: A broker refuses us for good.
        """
        await patiently(self._try_to_start, self._settings.bootstrap_servers, try_seconds=None)

    async def _try_to_start(self) -> None:
        try:
            await self.app.start()
        except (KafkaError, OSError):
            await self._stop()
            self.app = self._make()
            raise

    async def keep_running(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` in a task of its own, whose failure ends the process."""
        task = asyncio.create_task(work)
        task.add_done_callback(lambda task: None if task.cancelled() else self.failed(task.exception()))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

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

    async def _stop(self) -> None:
        """Stop Faust after a failure, without waiting for the records in hand."""
        self.app.hopeless = True
        await asyncio.wait({asyncio.create_task(self.app.stop())}, timeout=_GIVE_UP_TIMEOUT)

    def problem(self) -> tuple[str | None, bool]:
        """What keeps it from its work, in words, and whether it is so bad that it is not ready."""
        if self._signals.drain.is_set():
            return f"the {self._kind} drains: {self._drains}", True
        if outage := self._brokers.outage:
            return outage, self._brokers.seconds_without_broker > OUTAGE_GRACE
        if not self.restored:
            return f"the {self._kind} joins its group, or reads the rows of the partitions that it was given", True
        return None, False

    @property
    def restored(self) -> bool:
        """Whether the table holds what the changelog has of our partitions."""
        tables = cast("TableManager", self.app.tables)
        return tables.recovery.completed.is_set() and not self.app.rebalancing

    @property
    def brokers_answer(self) -> bool:
        """Whether any broker answers."""
        return self._brokers.outage is None

    @property
    def draining(self) -> bool:
        """Whether a signal has asked for the end."""
        return self._signals.drain.is_set()

    def _explained(self, error: BaseException | None) -> BaseException:
        """Word the error that ended the process for an operator."""
        if isinstance(error, KafkaError):
            return BrokerUnavailable(f"the {self._kind}'s connection to Kafka failed for good: {error!r}")
        if error is None:
            return BrokerUnavailable(f"the {self._kind}'s connection to Kafka ended without a reason")
        return error


async def extend_changelog(admin: PatientAdmin, changelog: str, source: str, *, has: int, needs: int) -> None:
    """Give a changelog as many partitions as its source topic: Faust assigns the two together, number by number.

    Raises:
        BrokerUnavailable: It has more, or the broker refuses.
    """
    if has == needs:
        return
    if has > needs:
        raise BrokerUnavailable(
            f"the topic {changelog} has {has} partitions, and {source} has only {needs}, so it was deleted and made "
            f"again: delete {changelog} too, what it says belongs to the old topic"
        )
    try:
        await admin.create_partitions({changelog: NewPartitions(total_count=needs)})
    except KafkaError as error:
        raise BrokerUnavailable(f"the broker does not extend the topic {changelog} to {needs}: {error!r}") from error
