"""The endpoints that verify, without Kafka: what is sent for a request, and what each answer looks like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from gateway_fakes import ENDPOINTS, a_gateway, assert_idle, body_for, check_body, client_of, sender_of, verdict

from streamverify.core.messages.models import Assurance, Cached

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult


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


async def test_a_cached_verdict_says_so_to_whoever_asked() -> None:
    gateway = a_gateway(lambda request: verdict(request, cached=Cached(age_seconds=3.5)))
    async with client_of(gateway) as client:
        answer = await client.post("/api/check", json={"snippets": [{"id": "a", "code": "x"}]})
    assert answer.json()["results"][0]["streamverify"]["cached"] == {"age_seconds": 3.5}


async def test_a_winner_is_named_by_its_callers_id() -> None:
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


async def test_a_request_with_too_many_proofs_is_refused_by_name() -> None:
    gateway = a_gateway(gateway_batch=3)
    async with client_of(gateway) as client:
        for path, field in (("/api/check", "snippets"), ("/verify", "codes")):
            body = body_for(path)
            response = await client.post(path, json={field: body[field] * 4})
            assert (response.status_code, response.json()["field"]) == (422, field)
            assert "GATEWAY_BATCH" in response.json()["detail"]
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
