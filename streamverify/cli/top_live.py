"""The view of `streamverify top` that goes on: it is drawn anew after each look, and when the terminal changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.text import Text

from streamverify.cli.output import stdout
from streamverify.cli.top_view import draw
from streamverify.logs import silence
from streamverify.overview.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.overview.model import Overview
    from streamverify.settings import Settings

_QUIT = frozenset(b"qQ\x03")
"""Keys that end the view; the last is Ctrl-C where the terminal hands it on."""


async def show(settings: Settings, urls: list[str], interval: float) -> None:
    """Show the view until `q`, or until cancelled.

    Raises:
        BrokerUnavailable: No broker answers the first look. Later ones are shown as what they are.
    """
    async with Watch(settings, urls) as watch:
        first = await watch.once()
        # Whatever is logged would be written into the view, which says itself what fails.
        with silence():
            await _View(watch, first, interval).run()


class _View:
    """Draws what the last looks have found."""

    def __init__(self, watch: Watch, first: Overview, interval: float) -> None:
        self._watch = watch
        self._overview = first
        self._interval = interval
        self._ended = asyncio.Event()
        self._console = stdout()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stderr=False)

    async def run(self) -> None:
        """Draw until it is ended."""
        loop = asyncio.get_running_loop()
        with self._live, _keys(self._pressed):
            loop.add_signal_handler(signal.SIGWINCH, self._draw)
            self._draw()
            tasks = [asyncio.create_task(self._ask_broker()), asyncio.create_task(self._ask_workers())]
            ended = asyncio.create_task(self._ended.wait())
            try:
                await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                loop.remove_signal_handler(signal.SIGWINCH)
                # Python 3.11's wait_for loses a cancellation that comes with an answer: the loops ask this, too.
                self._ended.set()
                for task in (*tasks, ended):
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        # A task ends by itself only with an error, which is ours to report.
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _ask_broker(self) -> None:
        while not self._ended.is_set():
            await asyncio.sleep(self._interval)
            await self._watch.broker_again()

    async def _ask_workers(self) -> None:
        while not self._ended.is_set():
            await asyncio.sleep(self._interval)
            self._overview = await self._watch.workers_now()
            self._draw()

    def _pressed(self, keys: bytes) -> None:
        if not keys or _QUIT & set(keys):
            self._ended.set()

    def _draw(self) -> None:
        width, height = self._console.size
        lines = draw(self._overview, width, height, f"q quits   every {self._interval:g} s   docs/top.md")
        self._live.update(Group(*(lines or [Text()])), refresh=True)


@contextlib.contextmanager
def _keys(pressed: Callable[[bytes], None]) -> Iterator[None]:
    """Hand over each key as it is pressed, where standard input is a terminal; Ctrl-C stays a signal."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()
    tty.setcbreak(descriptor)

    def read() -> None:
        try:
            pressed(os.read(descriptor, 64))
        except OSError:
            pressed(b"")  # the terminal is gone

    loop.add_reader(descriptor, read)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
