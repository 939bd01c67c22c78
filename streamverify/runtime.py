"""The parts that worker and router share as processes: signals, work that a signal cuts short, health over HTTP.

Knows nothing of proofs and nothing of Kafka.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import structlog
from aiohttp import web

from streamverify.core.errors import SettingsError, StreamVerifyError
from streamverify.core.overview.urls import FIRST_PORT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger(__name__)

EXIT_DONE = 0
"""The process has drained, or a signal came before it had begun to serve."""
EXIT_CUT_SHORT = 130
"""A second signal or the drain's time limit cut work short."""

_COLLECT_EVERY = 10_000
"""Objects that are made and not freed between two collections of the youngest generation; Python's default is 700."""
PORTS = 200
"""The number of ports that are tried before a process gives up."""
_END_TIMEOUT = 5.0
"""Seconds in which cancelled tasks are waited for."""
_MAX_LINE = 32 * 1024
"""Bytes that the address in a request may have: an id of 512 signs may take 12 bytes for each, and there may be two."""


def spare_the_garbage_collector() -> None:
    """Let the garbage collector ignore the objects that live as long as the process, and run less often.

    A full collection walked over every module and took 60 ms, in which no REPL was answered; the small ones took 7 % of
    the CPU time of trivial proofs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, *gc.get_threshold()[1:])


class Signals:
    """SIGTERM and SIGINT: the first signal asks for a drain, the second ends the process at once.

    nothing set ── first signal ──> drain is set ── second signal ──> force is set
    """

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.force = asyncio.Event()

    def listen(self) -> None:
        """Replace Python's own handlers of both signals."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, signal.Signals(number).name)

    def _received(self, name: str) -> None:
        if self.drain.is_set():
            _log.warning(
                "drain_interrupted",
                signal=name,
                hint="a second signal came: the work in hand is abandoned, and done again after the next start",
            )
            self.force.set()
        else:
            _log.info("signal", signal=name, hint="the work in hand is finished first; a second signal ends at once")
            self.drain.set()


async def unless(event: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do `work`, and cancel it if the event comes first.

    Returns:
        Whether the work was done. Errors of finished work are raised; those of cancelled work are not.
    """
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


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end, a few seconds at most; their errors are not raised.

    A cancellation can get lost below: aiokafka suppresses it where it waits for a task of its own. The end of the event
    loop cancels once more, which a task that has lost one does not survive; waited for here it would be for ever.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        ended, _ = await asyncio.wait(tasks, timeout=_END_TIMEOUT)
        for task in ended:
            if not task.cancelled():
                # Looked at, so that asyncio does not say that nobody has.
                task.exception()


class HealthServer:
    """Answers `/live` with 200 while the event loop turns, `/ready` with 200 while `ready()` says so, else 503.

    Every other path is a 404 that says which paths there are.
    """

    def __init__(
        self,
        host: str,
        port: int | Literal["auto"],
        *,
        ready: Callable[[], bool],
        status: Callable[[], Mapping[str, Any]],
        more: Mapping[str, Handler] | None = None,
    ) -> None:
        """Listen on nothing yet.

        Args:
            host: The address to listen on; `*`: every address of this machine, IPv4 and IPv6.
            port: The port to listen on; 0 takes any that is free, `auto` the first from `FIRST_PORT` on.
            ready: Says whether `/ready` answers 200.
            status: Gives the fields that `/ready` shows besides.
            more: Other paths, and what answers them.
        """
        self._host = host
        self._port = port
        self._ready = ready
        self._status = status
        app = web.Application()
        app.router.add_get("/live", self._answer_live)
        app.router.add_get("/ready", self._answer_ready)
        for path, handler in (more or {}).items():
            app.router.add_get(path, handler)
        self._paths = " ".join(("/live", "/ready", *(more or ())))
        app.router.add_get("/{path:.*}", self._answer_nothing)
        self._runner = web.AppRunner(app, access_log=None, max_line_size=_MAX_LINE)

    async def start(self) -> int:
        """Listen.

        Returns:
            The port that it listens on.

        Raises:
            SettingsError: The port is taken, there is no such address, or this user may not listen there.
        """
        await self._runner.setup()
        # A socket of our own: an error of aiohttp's would not name the setting that is to be changed.
        listening = _listen(self._host, self._port)
        await web.SockSite(self._runner, listening).start()
        port: int = listening.getsockname()[1]
        _log.info("http_listening", host=self._host, port=port, paths=self._paths)
        return port

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _answer_live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _answer_ready(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.json_response({"ready": ready, **self._status()}, status=200 if ready else 503)

    async def _answer_nothing(self, request: web.Request) -> web.Response:
        # Port 9464 is that of Prometheus exporters: whoever looks for metrics shall not have to guess.
        text = f"There is nothing at {request.path} of this streamverify process; there is: {self._paths}\n"
        return web.Response(text=text, status=404)


def _listen(host: str, port: int | Literal["auto"]) -> socket.socket:
    """Open one listening socket.

    Raises:
        SettingsError: See `HealthServer.start`.
    """
    candidates = range(FIRST_PORT, FIRST_PORT + PORTS) if port == "auto" else range(port, port + 1)
    refusal = OSError()
    for candidate in candidates:
        try:
            return _bind(host, candidate)
        except socket.gaierror as error:
            raise SettingsError(
                f"STREAMVERIFY_HTTP_HOST (--http-host): there is no address {host} ({error.strerror})"
            ) from None
        except OSError as error:
            refusal = error
            if error.errno != errno.EADDRINUSE:
                break
    name = "host" if refusal.errno == errno.EADDRNOTAVAIL else "port"
    tried = f"port {port}" if port != "auto" else f"a port from {candidates.start} to {candidates.stop - 1}"
    raise SettingsError(
        f"STREAMVERIFY_HTTP_{name.upper()} (--http-{name}): cannot listen on {tried} of {host} "
        f"({os.strerror(refusal.errno or 0)}); port 0 takes any that is free"
    )


def _bind(host: str, port: int) -> socket.socket:
    """Listen on one address and port; for `*` one socket for IPv4 and IPv6, as two would get different free ports."""
    if host == "*":
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return socket.create_server(address[:2], family=family)
