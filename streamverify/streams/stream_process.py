"""Runs router or table as a process: signals, an event loop of its own, an exit code."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

from streamverify.runtime import EXIT_DONE, Signals, unless
from streamverify.streams.application import quieten

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.settings import Settings


class StreamProcess(Protocol):
    """A router or a results table, as `run_process` uses it.

    MADE ── start ──> STARTING ── `start` is done ──> RUNNING
    STARTING ── a signal ──> ended at once
    RUNNING ── a signal, and what is in hand is done or its time is over ──> ended, with the exit code of `run`
    STARTING or RUNNING ── a failure ──> ended, with its error
    """

    async def start(self) -> None:
        """Reach the broker, listen, join the group.

        Raises:
            BrokerUnavailable: There is no broker, or a topic is missing.
            SettingsError: The HTTP port is taken.
        """

    async def run(self) -> int:
        """Work until a signal, then finish the records in hand. Returns the exit code.

        Raises:
            BrokerUnavailable: Nothing can be read or written any more.
        """


def run_process(
    make: Callable[[Settings, Signals, AsyncExitStack], StreamProcess], settings: Settings, *modules: str
) -> int:
    """Start a process, and let it work until a signal.

    Args:
        make: Makes it, of its settings, of the signals, and of what closes in the end what it has opened.
        settings: The settings of the command.
        modules: Modules with classes made from Faust's, which log under the name of their module.

    Returns:
        The exit code.
    """

    async def live() -> int:
        quieten(settings.log_level, *modules)
        signals = Signals()
        signals.listen()
        async with AsyncExitStack() as stack:
            process = make(settings, signals, stack)
            # A signal that comes before it has anything in hand ends it at once.
            if not await unless(signals.drain, process.start()):
                return EXIT_DONE
            return await process.run()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(live())
    finally:
        # Not asyncio.run(), which waits for every task: tasks of a Faust that lost its broker ignore cancellation.
        loop.set_exception_handler(lambda _loop, _context: None)
