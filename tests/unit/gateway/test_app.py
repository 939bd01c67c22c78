"""The endpoints, without Kafka: who may call, what is held and refused, and what each answer looks like."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from gateway_fakes import a_gateway, assert_idle, client_of, sender_of, verdict
from structlog.testing import capture_logs

from streamverify.core.keys import ANYBODY
from streamverify.core.messages.models import Assurance, Cached
from streamverify.gateway.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.messages.models import ProofResult
    from streamverify.gateway.service import Gateway

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


@pytest.mark.parametrize("slash", ["", "/"])
async def test_check(slash: str) -> None:
    gateway = a_gateway()
    snippets = [
        {"id": "1", "code": "x"},
        {"id": 1, "code": "x -- lean_error"},
        {"id": "1", "code": "x -- timeout"},
        {"id": ""},
    ]
    async with client_of(gateway) as client:
        response = await client.post(
            f"/api/check{slash}", json={"snippets": snippets, "timeout": 7, "infotree": "full", "reuse": False}
        )
    results = response.json()["results"]
    assert [each["id"] for each in results] == ["1", 1, "1", ""]
    assert [each["streamverify"]["reason"] for each in results] == ["ok", "lean_error", "timeout", "invalid_request"]
    sent = sender_of(gateway).sent
    assert {(each["timeout"], each["infotree_type"], each["disable_cache"], each["require"]) for each in sent} == {
        (7, "full", True, "checked")
    }
    assert int(response.headers["content-length"]) == len(response.content)
    assert_idle(gateway)


@pytest.mark.parametrize("path", ["/verify", "/one_pass_verify_batch"])
async def test_verify(path: str) -> None:
    gateway = a_gateway()
    codes = [{"custom_id": 5, "proof": "x", "code": "other"}, {"custom_id": "a", "code": "y"}, {"custom_id": "a"}]
    async with client_of(gateway) as client:
        response = await client.post(path, json={"codes": codes, "infotree_type": "tactics", "disable_cache": True})
        assert (await client.post(path, json={"codes": []})).json() == {"results": []}
    results = response.json()["results"]
    assert [each["custom_id"] for each in results] == [5, "a", "a"]
    assert [each["proof"] for each in sender_of(gateway).sent] == ["x", "y"]
    assert {(each["timeout"], each["infotree_type"], each["disable_cache"]) for each in sender_of(gateway).sent} == {
        (300, "tactics", True)
    }


@pytest.mark.parametrize(("path", "field"), [("/api/check", "snippets"), ("/verify", "codes")])
async def test_attempts_at_one_problem(path: str, field: str) -> None:
    gateway = a_gateway()
    body = body_for(path) | {"run": "today", "first_success": True}
    body[field] = [body[field][0] | {"group": "p1", "statement": "s"}]
    async with client_of(gateway) as client:
        await client.post(path, json=body)
    [sent] = sender_of(gateway).sent
    assert (sent["run"], sent["group"], sent["first_success"], sent["statement"]) == ("today", "p1", True, "s")


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        ([("traceparent", TRACEPARENT)], [("traceparent", TRACEPARENT)]),
        # Sampled or not: who follows a trace finds it in the log of the worker, too.
        ([("TraceParent", TRACEPARENT[:-1] + "0")], [("traceparent", TRACEPARENT[:-1] + "0")]),
        (
            [("traceparent", TRACEPARENT), ("tracestate", "a=1"), ("tracestate", "b=2")],
            [("traceparent", TRACEPARENT), ("tracestate", "a=1,b=2")],
        ),
        ([("traceparent", TRACEPARENT), ("tracestate", "a=" + "1" * 600)], [("traceparent", TRACEPARENT)]),
        ([("traceparent", TRACEPARENT), ("traceparent", TRACEPARENT)], []),
        ([("traceparent", "00-nonsense-01"), ("tracestate", "a=1")], []),
        ([("tracestate", "a=1")], []),
        ([], []),
    ],
)
async def test_the_trace_of_a_request_goes_on_with_each_of_its_proofs(
    path: str, given: list[tuple[str, str]], passed_on: list[tuple[str, str]]
) -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        response = await client.post(path, content=json.dumps(body_for(path)), headers=given)
    assert response.status_code == 200
    [sent] = sender_of(gateway).records
    trace = [(name, value.decode()) for name, value in sent.kafka_headers if name.startswith("trace")]
    assert trace == passed_on


async def test_verify_proof_is_audited_and_one_line() -> None:
    gateway = a_gateway()
    body = {"content": "x", "formal_statement": "s", "environment": "default", "timeout_seconds": 9}
    async with client_of(gateway) as client:
        response = await client.post(
            "/api/v1/verify_proof", content=json.dumps(body), headers={"Content-Type": "text/plain"}
        )
    assert response.text.count("\n") == 1
    assert response.json()["okay"] is True
    [sent] = sender_of(gateway).sent
    assert (sent["require"], sent["statement"], sent["timeout"]) == ("audited", "s", 9)


async def test_a_large_batch_is_written_while_its_proofs_wait_and_is_the_same_document() -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        response = await client.post("/api/check", json=check_body(*["x", "x -- lean_error"] * 300))
    assert "content-length" not in response.headers
    results = response.json()["results"]
    assert [each["streamverify"]["reason"] for each in results] == ["ok", "lean_error"] * 300


@pytest.mark.parametrize("path", ["/api/check", "/verify"])
async def test_ndjson_has_a_line_for_each_as_it_comes(path: str) -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        response = await client.post(path, json=body_for(path), headers={"Accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    [line] = [json.loads(each) for each in response.text.splitlines()]
    assert (line["index"], line["streamverify"]["status"]) == (0, "verified")


@pytest.mark.parametrize(
    ("settings", "asked", "expected"),
    [
        ({}, None, "checked"),
        ({}, "audited", "audited"),
        ({"gateway_require": "audited"}, None, "audited"),
        ({"gateway_require": "audited"}, "checked", "checked"),
        ({"require_min": "audited"}, None, "audited"),
        ({"require_min": "audited"}, "checked", "audited"),
    ],
)
async def test_the_assurance_is_as_configured_and_never_below_the_minimum(
    settings: dict[str, Any], asked: str | None, expected: str
) -> None:
    gateway = a_gateway(**settings)
    async with client_of(gateway) as client:
        for path in ("/api/check", "/verify"):
            await client.post(path, json=body_for(path) | {"require": asked})
    assert {each["require"] for each in sender_of(gateway).sent} == {expected}
    assert gateway.assurance(None) is Assurance(
        settings.get("require_min") or settings.get("gateway_require", "checked")
    )


async def test_an_environment_is_topics_of_its_own() -> None:
    gateway = a_gateway(environments="old=a.proofs:a.results:Mathlib; same=lean.proofs:lean.results")
    assert [way._settings.request_topic for way in gateway.ways] == ["lean.proofs", "a.proofs"]
    async with client_of(gateway) as client:
        await client.post("/api/check", json=check_body("x", environment="old"))
        await client.post("/verify", json=body_for("/verify") | {"environment": "same"})
        proof = {"content": "import A\nx", "formal_statement": "s", "environment": "old"}
        answer = (await client.post("/api/v1/verify_proof", json=proof)).json()
        await client.post("/api/v1/verify_proof", json=proof | {"ignore_imports": False})
        listed = (await client.get("/v1/environments")).json()
        unknown = await client.post("/api/check", json=check_body("x", environment="new"))
    sent = [(each["proof"], each.get("statement")) for each in sender_of(gateway, "old").sent]
    assert sent == [("x", None), ("import Mathlib\nx", "import Mathlib\ns"), ("import A\nx", "s")]
    assert answer["content"] == "import Mathlib\nx"
    assert len(sender_of(gateway).sent) == 1
    assert [(each["name"], each["imports"]) for each in listed] == [
        ("default", ""),
        ("old", "import Mathlib\n"),
        ("same", ""),
    ]
    assert listed[1]["lean_version"] == "4.35.0"
    assert (unknown.status_code, unknown.json()["field"]) == (400, "environment")
    assert "default, old, same" in unknown.json()["detail"]


async def test_health_and_status() -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        assert (await client.get("/health")).json()["status"] == "ok"
        assert (await client.get("/v1/status")).json()["status"] == "healthy"
        assert (await client.get("/")).json()["status"] == "ok"
        gateway.ways[0].trouble = "no broker answers"
        health = await client.get("/health")
        assert (health.status_code, health.json()["detail"]) == (503, "no broker answers")
        ready = await client.get("/ready")
        assert (ready.status_code, ready.json()) == (503, health.json())
        # A probe that looked at the broker would have every gateway ended in an outage.
        assert (await client.get("/live")).json() == {"live": True}
        assert (await client.get("/v1/status")).json()["status"] == "unavailable"


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_without_a_broker_it_is_503(path: str) -> None:
    gateway = a_gateway()
    gateway.ways[0].trouble = "no broker answers"
    async with client_of(gateway) as client:
        response = await client.post(path, json=body_for(path))
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert_idle(gateway)


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


async def test_a_request_with_too_many_proofs_is_refused_by_name() -> None:
    gateway = a_gateway(gateway_batch=3)
    async with client_of(gateway) as client:
        for path, field in (("/api/check", "snippets"), ("/verify", "codes")):
            body = body_for(path)
            response = await client.post(path, json={field: body[field] * 4})
            assert (response.status_code, response.json()["field"]) == (422, field)
            assert "GATEWAY_BATCH" in response.json()["detail"]
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


async def test_a_proof_that_is_too_large_costs_the_others_nothing() -> None:
    gateway = a_gateway(max_proof_bytes=1000)
    async with client_of(gateway) as client:
        response = await client.post("/api/check", json=check_body("x", "y" * 1001, "é" * 501, "z" * 1000))
    assert [each["streamverify"]["reason"] for each in response.json()["results"]] == [
        "ok",
        "too_large",
        "too_large",
        "ok",
    ]
    assert "MAX_PROOF_BYTES" in response.json()["results"][1]["error"]


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
    monkeypatch.setattr("streamverify.gateway.routes._BODY_PAUSE", 0.01)
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


async def test_a_cached_verdict_says_so_to_whoever_asked() -> None:
    gateway = a_gateway(lambda request: verdict(request, cached=Cached(age_seconds=3.5)))
    async with client_of(gateway) as client:
        answer = await client.post("/api/check", json={"snippets": [{"id": "a", "code": "x"}]})
    assert answer.json()["results"][0]["streamverify"]["cached"] == {"age_seconds": 3.5}


async def test_a_winner_is_named_by_its_callers_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamverify.gateway.request_reply._MAX_WINNERS", 2)
    winners: list[str] = []

    def worker(request: dict[str, Any]) -> ProofResult:
        if not winners:
            winners.append(request["custom_id"])
            return verdict(request)
        words = f"no verdict of its own: {winners[0]} is verified"
        return verdict(request, "superseded", response=None, superseded_by=winners[0], summary=words)

    gateway = a_gateway(worker)
    attempts = [{"id": name, "code": "x", "statement": "s", "group": "g"} for name in ("first", "second")]
    async with client_of(gateway) as client:
        for first_success in (True, False):
            winners.clear()
            answer = await client.post("/api/check", json={"snippets": attempts, "first_success": first_success})
            second = answer.json()["results"][1]
            # Known here, or as the topic has it.
            name = "first" if first_success else winners[0]
            assert second["streamverify"]["superseded_by"] == name
            assert f"its own: {name} is verified" in second["error"]
        for _ in range(5):
            winners.clear()
            await client.post("/api/check", json={"snippets": attempts, "first_success": True})
    assert len(gateway.ways[0]._winners) == 2
