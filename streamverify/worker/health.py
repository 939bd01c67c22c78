"""`/live` and `/ready` over HTTP, for whoever supervises the worker."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from streamverify.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger(__name__)


class HealthServer:
    """Answers `/live` with 200 while the event loop turns, `/ready` with 200 while `ready()` says so, else 503."""

    def __init__(
        self,
        port: int,
        *,
        ready: Callable[[], bool],
        status: Callable[[], Mapping[str, Any]],
        more: Mapping[str, Handler] | None = None,
    ) -> None:
        """`status` is shown by `/ready`; `port` 0 takes a free one, which is logged; `more`: other paths to answer."""
        self._port = port
        self._ready = ready
        self._status = status
        app = web.Application()
        app.router.add_get("/live", self._answer_live)
        app.router.add_get("/ready", self._answer_ready)
        for path, handler in (more or {}).items():
            app.router.add_get(path, handler)
        self._paths = " ".join(("/live", "/ready", *(more or ())))
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> int:
        """Listen, and return the port.

        Raises:
            SettingsError: The port is taken.
        """
        await self._runner.setup()
        listening = _listen(self._port)
        await web.SockSite(self._runner, listening).start()
        port: int = listening.getsockname()[1]
        _log.info("http_listening", port=port, paths=self._paths)
        return port

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _answer_live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _answer_ready(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.json_response({"ready": ready, **self._status()}, status=200 if ready else 503)


def _listen(port: int) -> socket.socket:
    """Open one socket for IPv4 and IPv6 where there are both: two would get two different free ports."""
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise SettingsError(
            f"STREAMVERIFY_HTTP_PORT (--http-port): cannot listen on port {port} ({error.strerror}); 0 takes a free one"
        ) from None
