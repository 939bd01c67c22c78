"""A gateway whose proofs go to a list instead of to Kafka, and whose results the test makes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import uvicorn
from gateway_results import result
from httpx import ASGITransport, AsyncClient
from record_fakes import FakeRecord

from streamverify.client.requests import REQUEST_ID, EncodedRequest, Ticket
from streamverify.core.messages.codec import encode_result
from streamverify.gateway.app import create_app
from streamverify.gateway.gateway import Gateway
from streamverify.gateway.lifecycle import Server, listen
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI

    from streamverify.core.messages.models import ProofResult
    from streamverify.gateway.request_reply import RequestReply

    Worker = Callable[[dict[str, Any]], ProofResult | Exception | None]


ENDPOINTS = ["/api/check", "/api/check/", "/verify", "/one_pass_verify_batch", "/api/v1/verify_proof"]


def check_body(*codes: str, **fields: Any) -> dict[str, Any]:
    return {"snippets": [{"id": "1", "code": code} for code in codes], **fields}


def body_for(path: str, code: str = "x") -> dict[str, Any]:
    """A body for one proof."""
    if "check" in path:
        return check_body(code)
    if "proof" in path:
        return {"formal_statement": "s", "content": code, "environment": "default"}
    return {"codes": [{"custom_id": "1", "proof": code}]}


def verdict(request: dict[str, Any], reason: str = "ok", **fields: Any) -> ProofResult:
    """A worker's result for a request."""
    sha256 = hashlib.sha256(request["proof"].encode()).hexdigest()
    given = {"custom_id": request["custom_id"], "proof_sha256": sha256, "assurance": request["require"]}
    if reason != "ok":
        given["assurance"] = "none"
    return result(reason, fields.pop("response", {"env": 0}), **{**given, **fields})


def reading_directives(request: dict[str, Any]) -> ProofResult | None:
    """Answer as the first word after `-- ` says: a reason, or `silence`."""
    _, _, words = request["proof"].partition("-- ")
    word = words.split()[0] if words else "ok"
    return None if word == "silence" else verdict(request, word)


@dataclass
class FakeSender:
    """Takes requests; `worker` answers each at once, later, or never."""

    way: RequestReply
    worker: Worker = reading_directives
    sent: list[dict[str, Any]] = field(default_factory=list)
    records: list[EncodedRequest] = field(default_factory=list)
    stopped: bool = False

    async def send(self, encoded: EncodedRequest) -> Ticket:
        request = orjson.loads(encoded.value)
        self.sent.append(request)
        self.records.append(encoded)
        made = self.worker(request)
        if isinstance(made, Exception):
            raise made
        if made is not None:
            asyncio.get_running_loop().call_soon(self.answer, made, encoded.kafka_headers)
        return Ticket(encoded.custom_id, encoded.request_id, "lean.proofs", 0, len(self.sent), 0)

    def answer(self, made: ProofResult, kafka_headers: list[tuple[str, bytes]] | None = None) -> None:
        """Put a result on the topic; without Kafka headers, as where they had to be left out for its size."""
        value = encode_result(made, limit=10**7, overhead=0).value
        self.way._answer(FakeRecord(value, made.custom_id.encode(), tuple(kafka_headers or ())))

    def took(self, key: bytes, seconds: float) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True


def a_gateway(worker: Worker = reading_directives, **settings: Any) -> Gateway:
    """A gateway on fakes."""
    gateway = Gateway(load_settings(**settings))
    for way in gateway.ways:
        way._sender = FakeSender(way, worker)  # type: ignore[assignment]
    return gateway


def sender_of(gateway: Gateway, environment: str | None = None) -> FakeSender:
    """What was sent to an environment."""
    sender = gateway.way(environment)[1]._sender
    assert isinstance(sender, FakeSender)
    return sender


def client_of(app: FastAPI | Gateway, **options: Any) -> AsyncClient:
    """An HTTP client of the application."""
    application = create_app(app) if isinstance(app, Gateway) else app
    return AsyncClient(transport=ASGITransport(application), base_url="http://localhost", **options)


@contextlib.asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[str]:
    """Serve the gateway on loopback, with the real HTTP server; its address."""
    listening = listen("127.0.0.1", 0)
    server = Server(uvicorn.Config(create_app(gateway), log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def assert_idle(gateway: Gateway) -> None:
    """Nothing is held: no request, no place on Kafka, nothing that waits for a result or for a turn."""
    assert gateway.status() == {"requests": 0, "request_bytes": 0, "in_flight": 0, "waiting": 0}
    assert not any(way._waiting for way in gateway.ways)
    assert not gateway.queue._events


__all__ = [
    "ENDPOINTS",
    "REQUEST_ID",
    "FakeSender",
    "a_gateway",
    "assert_idle",
    "body_for",
    "check_body",
    "client_of",
    "sender_of",
    "serving",
    "verdict",
]
