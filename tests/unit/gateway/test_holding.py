"""Taking requests in, without Kafka: who may call, what is held and what is refused, and who goes in the middle."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from gateway_fakes import ENDPOINTS, a_gateway, assert_idle, body_for, check_body, client_of, sender_of, verdict
from structlog.testing import capture_logs

from streamverify.core.gateway.keys import ANYBODY
from streamverify.gateway.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.gateway.gateway import Gateway


@pytest.mark.parametrize("path", [*ENDPOINTS, "/v1/environments"])
async def test_with_keys_only_those_who_have_one_may_call(path: str) -> None:
    gateway = a_gateway(api_keys="alice=secret-one bob=secret-two")
    method = "GET" if path == "/v1/environments" else "POST"
    async with client_of(gateway) as client:
        for headers in ({}, {"Authorization": "Bearer secret-onf"}, {"Authorization": "secret-one"}):
            refused = await client.request(method, path, json=body_for(path), headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        granted = await client.request(
            method, path, json=body_for(path), headers={"Authorization": "Bearer secret-two"}
        )
        assert granted.status_code == 200
        assert (await client.get("/health")).status_code == 200
    assert_idle(gateway)


async def test_the_log_names_keys_and_never_shows_them() -> None:
    gateway = a_gateway(api_keys="alice=secret-one")
    with capture_logs() as logs:
        async with client_of(gateway) as client:
            await client.post("/api/check", json=check_body("x", "y"), headers={"Authorization": "Bearer secret-one"})
            await client.post("/api/check", json=check_body("x"), headers={"Authorization": "Bearer secret-xxx"})
    assert [log["key"] for log in logs if log["event"] == "request"] == ["alice"]
    assert gateway._counts == {"alice": 2}
    assert "secret" not in str(logs)
    assert a_gateway()._counts == {}
    assert ANYBODY not in str(logs)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "text/plain"}, 200),
    ],
)
async def test_headers_that_matter(headers: dict[str, str], status: int) -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        response = await client.post("/api/check", content=json.dumps(check_body("x")), headers=headers)
    assert response.status_code == status
    assert_idle(gateway)


async def test_a_body_that_is_too_large_is_refused_with_and_without_its_length() -> None:
    gateway = a_gateway(gateway_body="1KiB")
    text = json.dumps(check_body("x" * 2000)).encode()

    async def parts() -> Any:
        for part in (text[:500], text[500:1000], text[1000:]):
            yield part

    async with client_of(gateway) as client:
        assert (await client.post("/api/check", content=text)).status_code == 413
        assert (await client.post("/api/check", content=parts())).status_code == 413
    assert_idle(gateway)


async def test_requests_are_held_and_only_beyond_the_bound_refused() -> None:
    gateway = a_gateway(lambda _: None, gateway_requests=3)
    app = create_app(gateway)
    sender = sender_of(gateway)
    async with client_of(app) as client:
        held = [asyncio.create_task(client.post("/api/check", json=check_body("x"))) for _ in range(3)]
        while len(sender.sent) < 3:
            await asyncio.sleep(0)
        refused = await client.post("/api/check", json=check_body("x"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        for request in list(sender.sent):
            sender.answer(verdict(request))
        assert [response.status_code for response in await asyncio.gather(*held)] == [200] * 3
    assert_idle(gateway)


async def test_requests_are_held_up_to_so_many_bytes() -> None:
    gateway = a_gateway(lambda _: None, gateway_memory="3KiB")
    sender = sender_of(gateway)
    async with client_of(gateway) as client:
        held = asyncio.create_task(client.post("/api/check", json=check_body("x" * 2000)))
        while not sender.sent:
            await asyncio.sleep(0)
        assert (await client.post("/api/check", json=check_body("y" * 2000))).status_code == 429

        async def parts() -> Any:
            yield json.dumps(check_body("y" * 2000)).encode()

        assert (await client.post("/api/check", content=parts())).status_code == 429
        sender.answer(verdict(sender.sent[0]))
        assert (await held).status_code == 200
    assert_idle(gateway)


async def asgi_request(
    gateway: Gateway, path: str, body: dict[str, Any], gone: asyncio.Event, *, accept: str = ""
) -> list[Any]:
    """Send one request as uvicorn would, whose client goes when `gone` is set; what was sent back."""
    text = json.dumps(body).encode()
    received = [{"type": "http.request", "body": text, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        if received:
            return received.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", str(len(text)).encode()), (b"accept", accept.encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers, "client": ("c", 1),
        "server": ("s", 1), "scheme": "http", "root_path": "",
    }  # fmt: skip
    await create_app(gateway)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "count", "accept"),
    [
        ("/api/check", 1, ""),
        ("/api/check", 1000, ""),
        ("/api/check", 3, "application/x-ndjson"),
        ("/verify", 1, ""),
        ("/api/v1/verify_proof", 1, ""),
    ],
)
async def test_a_client_that_goes_frees_what_it_held(path: str, count: int, accept: str) -> None:
    gateway = a_gateway(lambda _: None)
    gone = asyncio.Event()
    body = body_for(path)
    if "snippets" in body:
        body["snippets"] *= count
    asked = asyncio.create_task(asgi_request(gateway, path, body, gone, accept=accept))
    while len(sender_of(gateway).sent) < count:
        await asyncio.sleep(0)
    assert gateway.status()["requests"] == 1
    gone.set()
    await asked
    assert_idle(gateway)


async def test_a_client_that_pauses_in_its_body_frees_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    # A machine that lost its power never closes its connection.
    monkeypatch.setattr("streamverify.gateway.holding._BODY_PAUSE", 0.01)
    gateway = a_gateway()

    async def parts() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client_of(gateway) as client:
        answer = await client.post("/verify", content=parts(), headers={"Content-Length": "1000"})
    assert answer.status_code == 408
    assert "nothing of the body" in answer.json()["detail"]
    assert_idle(gateway)


async def test_a_client_that_goes_while_it_sends_its_body_frees_what_it_held() -> None:
    gateway = a_gateway()
    received = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(received)

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/verify",
        "raw_path": b"/verify", "query_string": b"", "headers": [], "client": ("c", 1), "server": ("s", 1),
        "scheme": "http", "root_path": "",
    }  # fmt: skip
    await create_app(gateway)(scope, receive, send)
    assert_idle(gateway)
