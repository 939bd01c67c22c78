"""Refuses what other sites make a browser send, and sends the headers that confine our own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from streamverify.core.gateway.browsers import foreign_site, names_this_machine

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    # No script of ours makes markup of a text; with these two the browser lets none do it.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The page may load its own files, and run nothing that stands in the page itself."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_TELLING = ("/api/page/", "/events")
"""The paths whose answers tell of proofs. Browsers name an `Origin` with all that they send to change something."""


class BrowserGuard:
    """ASGI middleware around the whole gateway.

    `loopback_only`: the gateway is for this machine, and asks for no key; then a browser must call it by a name that
    nobody else can point to it.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with 403 or 421, or let the application answer and add the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path: str = scope["path"]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    sent.setdefault(name, value)
                sent.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                if path == "/" or path.startswith("/page/"):
                    # Asked for each time (by ETag): a page of one version must not run the script of another.
                    sent.setdefault("Cache-Control", "no-cache")
            await send(message)

        refused = None
        if foreign_site(scope["method"], headers):
            refused = JSONResponse(
                _problem("a page of another site has sent this request: only those of this gateway may"), 403
            )
        elif (
            # A browser may have been led here by a name of somebody else's, to read of proofs or to change something.
            self._loopback_only
            and (path.startswith(_TELLING) or "origin" in headers)
            and not names_this_machine(headers.get("host", ""))
        ):
            refused = JSONResponse(
                _problem("this gateway is for this machine: call it localhost or 127.0.0.1, or set API_KEYS"), 421
            )
        await (refused or self._app)(scope, receive, send_guarded)


def _problem(detail: str) -> dict[str, str]:
    return {"detail": detail, "field": ""}
