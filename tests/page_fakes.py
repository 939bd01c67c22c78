"""A gateway without Kafka for the page: it answers what a test has put down for the proof that is sent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import orjson
import uvicorn
from fastapi import FastAPI

from streamverify.core.live import LiveState
from streamverify.gateway.page.guard import BrowserGuard
from streamverify.gateway.page.monitor import Monitor
from streamverify.gateway.page.routes import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

KEY = "a key"


def result(**fields: Any) -> dict[str, Any]:
    """A ProofResult as JSON: a verified proof, but for these fields."""
    return {
        "schema_version": 3,
        "custom_id": "page-1",
        "status": "verified",
        "reason": "ok",
        "retriable": False,
        "summary": "Lean accepts the proof, and the audit found nothing.",
        "error": None,
        "response": {"messages": [], "sorries": [], "env": 1, "time": 0.1},
        "truncated": [],
        "assurance": "audited",
        "theorems": [{"name": "target", "type": "1 + 1 = 2", "axioms": ["propext"]}],
        "findings": [],
        "timings": {"queued": 0.001, "import": 0, "run": 0.25, "audit": 0.01, "total": 0.27},
        "attempts": 1,
        "worker": "worker-1",
        "verifier": {"kind": "lean", "sandbox": "bwrap", "lean_version": "4.35.0"},
        "source": {"topic": "lean.proofs", "partition": 0, "offset": 1, "timestamp": 1_700_000_000_000},
        "proof_sha256": None,
        "metadata": None,
    } | fields


def message(data: str, line: int, column: int, end: int | None = None, severity: str = "error") -> dict[str, Any]:
    """A message of Lean on one line; `end` is the column after the last one that it means."""
    ends = {} if end is None else {"endPos": {"line": line, "column": end}}
    return {"severity": severity, "pos": {"line": line, "column": column}, **ends, "data": data}


class FakeGateway:
    """Stands in for the gateway. `answers` has what it answers to a proof; it remembers what it was sent."""

    def __init__(self, *, keyed: bool = False) -> None:
        self.keyed = keyed
        self.in_flight = 0
        self.answers: dict[str, tuple[int, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.held = threading.Event()
        self.held.set()

    def owner(self, request: Request) -> str | None:
        if not self.keyed:
            return ""
        return "ann" if request.headers.get("authorization") == f"Bearer {KEY}" else None

    async def verify(self, fields: dict[str, Any], owner: str) -> tuple[int, bytes]:
        self.sent.append(fields | {"owner": owner})
        while not self.held.is_set():
            await asyncio.sleep(0.02)
        status, answer = self.answers.get(fields["proof"], (200, result()))
        return status, orjson.dumps(answer)


async def _seven() -> int:
    return 7


def make_page(gateway: FakeGateway) -> Page:
    """The page of this gateway. It must be called in an event loop."""
    return Page(gateway, LiveState(), Monitor(_seven, _seven, every=0.05), asyncio.Event())


def make_app(page: Page) -> FastAPI:
    """The page as an application, guarded as that of a gateway on loopback."""
    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_api_route("/", page.index, methods=["GET"])
    app.include_router(page.router())
    app.add_middleware(BrowserGuard, loopback_only=True)
    return app


class Served:
    """A page that is served on a free port of loopback, in a thread of its own."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.page: Page
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.page = make_page(self.gateway)
        self._server = uvicorn.Server(
            uvicorn.Config(make_app(self.page), port=0, log_level="error", timeout_graceful_shutdown=1)
        )
        watching = asyncio.create_task(self.page.monitor.run())
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://localhost:{port}"
        self._ready.set()
        await serving
        watching.cancel()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30), "the page is not served"

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        # In this order: the server waits for the pages that follow the events.
        self._loop.call_soon_threadsafe(self.page.closing.set)
        self._server.should_exit = True
        self._thread.join(30)


@contextlib.contextmanager
def served(*, keyed: bool = False) -> Iterator[Served]:
    """Serve a page for the time of the context."""
    server = Served(FakeGateway(keyed=keyed))
    server.start()
    try:
        yield server
    finally:
        server.stop()
