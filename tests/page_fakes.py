"""The gateway without Kafka, for the page: it answers what a test has put down for the proof that is sent."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import uvicorn

from streamverify.core.messages.models import ProofResult
from streamverify.gateway.app import create_app
from streamverify.gateway.gateway import DEFAULT, Gateway
from streamverify.gateway.monitor import Monitor
from streamverify.gateway.outcome import ProofOutcome, outcome_of
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from streamverify.gateway.batch import BatchOptions, BatchProof

KEY = "a-long-secret"
SHA = "0" * 64


def result(**fields: Any) -> dict[str, Any]:
    """A ProofResult as JSON: a verified proof, but for these fields."""
    return {
        "schema_version": 3,
        "custom_id": "gw-1",
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
        "timings": {"queued": 0.001, "import": 0.0, "run": 0.25, "audit": 0.01, "total": 0.27},
        "attempts": 1,
        "worker": "worker-1",
        "verifier": {"kind": "lean", "sandbox": "bwrap", "lean_version": "4.35.0"},
        "source": {"topic": "lean.proofs", "partition": 0, "offset": 1, "timestamp": 1_700_000_000_000},
        "proof_sha256": SHA,
        "metadata": None,
    } | fields


def rejected(reason: str, **fields: Any) -> dict[str, Any]:
    """The same for a rejected proof."""
    return result(status="rejected", reason=reason, assurance="none", theorems=[]) | fields


def message(data: str, line: int, column: int, end: int | None = None, severity: str = "error") -> dict[str, Any]:
    """A message of Lean on one line; `end` is the column after the last one that it means."""
    ends = {} if end is None else {"endPos": {"line": line, "column": end}}
    return {"severity": severity, "pos": {"line": line, "column": column}, **ends, "data": data}


class FakeWay:
    """Stands in for the way over Kafka. `fields` has what it answers to a proof; it remembers what it was sent."""

    def __init__(self) -> None:
        self.follower = SimpleNamespace(trouble="")
        self.verifier = None
        self.fields: dict[str, dict[str, Any]] = {}
        self.sent: list[tuple[BatchProof, BatchOptions, str]] = []
        self.held = threading.Event()
        self.held.set()

    async def answers(
        self, proofs: Sequence[BatchProof | ProofOutcome], asked: BatchOptions, key: str, _wait: float, **_ordered: bool
    ) -> AsyncIterator[tuple[int, ProofOutcome]]:
        for index, proof in enumerate(proofs):
            if isinstance(proof, ProofOutcome):
                yield index, proof
                continue
            self.sent.append((proof, asked, key))
            while not self.held.is_set():
                await asyncio.sleep(0.02)
            fields = self.fields.get(proof.code, result())
            outcome = outcome_of(ProofResult.model_validate(fields), asked.require, SHA)
            yield index, replace(outcome, sentence=fields["summary"])


class FakeGateway(Gateway):
    """A gateway on no Kafka at all."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(Settings(**settings))
        self.fake = FakeWay()
        self._ways[DEFAULT] = self.fake  # type: ignore[assignment]
        self.monitor = Monitor(_seven, _seven, every=0.05)


async def _seven() -> int:
    return 7


class Served:
    """A gateway that is served on a free port of loopback, in a thread of its own."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self.gateway: FakeGateway
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.gateway = FakeGateway(**self._settings)
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.gateway), port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=5
            )
        )
        watching = asyncio.create_task(self.gateway.monitor.run())
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
        self._loop.call_soon_threadsafe(self.gateway.closing.set)
        self._server.should_exit = True
        self._thread.join(30)


@contextlib.contextmanager
def served(**settings: Any) -> Iterator[Served]:
    """Serve a page for the time of the context."""
    server = Served(**settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
