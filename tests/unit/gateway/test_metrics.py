"""The gateway's metrics: each request counts under a route of a closed set, each proof under its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from gateway_fakes import a_gateway, client_of, sender_of, serving, verdict
from hypothesis import given
from hypothesis import strategies as st
from prometheus_tools import Page, promtool_complaints
from starlette.routing import Mount

from streamverify.core.metrics.labels import CODE, METHOD, NO_ROUTE, ROUTE, ROUTES, code_of, method_of, route_of
from streamverify.core.metrics.metric import Process
from streamverify.core.metrics.table import of_process
from streamverify.gateway.app import create_app

if TYPE_CHECKING:
    from streamverify.gateway.gateway import Gateway

REQUESTS = "streamverify_http_requests_total"
KEYS: dict[str, Any] = {"api_keys": "alice=0123456789abcdef0123456789abcdef"}


async def scraped(client: httpx.AsyncClient) -> Page:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Page(answer.text)


def snippets(*codes: str) -> dict[str, Any]:
    return {"snippets": [{"id": "an id", "code": code} for code in codes]}


def test_the_routes_are_those_of_the_application() -> None:
    def paths(routes: Any) -> set[str]:
        found = set()
        for route in routes:
            if hasattr(route, "path"):
                found.add(route.path.rstrip("/") or "/")
            # Newer versions of FastAPI keep an included router as one entry.
            for name in ("original_router", "router"):
                if inner := getattr(route, name, None):
                    found |= paths(inner.routes)
        return found

    app = create_app(a_gateway())
    found = paths(app.routes)
    assert found - {""} == set(ROUTES) - {NO_ROUTE}
    assert any(isinstance(each, Mount) for each in app.routes) or "/page" in found


@given(st.text(max_size=40), st.text(max_size=10), st.integers(-1, 10_000))
def test_whatever_is_asked_for_its_labels_are_of_the_closed_sets(path: str, method: str, status: int) -> None:
    assert ROUTE.allows(route_of(path))
    assert ROUTE.allows(route_of(f"/page/{path}"))
    assert METHOD.allows(method_of(method))
    assert CODE.allows(code_of(status))


async def test_each_request_counts_once_by_route_method_and_code() -> None:
    async with client_of(a_gateway()) as client:
        for path in ("/api/check", "/api/check/"):
            assert (await client.post(path, json=snippets("x"))).status_code == 200
        await client.post("/api/check", json={"snippets": "none"})
        await client.get("/health")
        await client.get("/health/")
        await client.get("/page/page.css")
        await client.get("/page/no-such-file-9f86d081884c7d65")
        await client.get("/users/alice/proofs/17")
        await client.request("PROPFIND", "/verify")
        page = await scraped(client)
    assert page.series(REQUESTS) == {
        # The names of the labels in their order: code, method, route.
        ("200", "POST", "/api/check"): 2,
        ("422", "POST", "/api/check"): 1,
        ("200", "GET", "/health"): 2,
        ("200", "GET", "/page"): 1,
        ("404", "GET", "/page"): 1,
        ("404", "GET", "none"): 1,
        ("405", "other", "/verify"): 1,
    }
    assert page.value("streamverify_http_request_seconds_count", route="/api/check") == 3
    assert page.value("streamverify_http_request_seconds_sum", route="/api/check") > 0
    # A scrape counts when it is over: this one is on the next page.
    assert page.value("streamverify_http_request_seconds_count", route="/metrics") == 0


async def test_each_answer_counts_by_status_and_reason_also_the_gateways_own() -> None:
    gateway = a_gateway(gateway_wait=1.0)
    async with client_of(gateway) as client:
        codes = ["x", "x", "x -- lean_error", "x -- timeout", "x -- silence"]
        await client.post("/api/check", json={"snippets": [*snippets(*codes)["snippets"], {"id": "1"}]})
        page = await scraped(client)
    answered = {labels: count for labels, count in page.series("streamverify_gateway_answers_total").items() if count}
    assert answered == {
        ("ok", "verified"): 2,
        ("lean_error", "rejected"): 1,
        ("timeout", "inconclusive"): 1,
        # Nobody answered it in time, and a snippet without a proof.
        ("expired", "inconclusive"): 1,
        ("invalid_request", "rejected"): 1,
    }
    # Those that did not occur are there, so that their first one is seen.
    assert len(page.series("streamverify_gateway_answers_total")) > 20


async def test_a_reason_of_a_newer_worker_makes_no_series_of_its_own() -> None:
    gateway = a_gateway()
    gateway.ways[0].answered["rejected", "somebodys_reason_17"] = 3
    async with client_of(gateway) as client:
        page = await scraped(client)
    assert page.value("streamverify_gateway_answers_total", status="rejected", reason="other") == 3
    assert page.total("streamverify_metric_failures_total") == 0


@pytest.mark.parametrize(
    ("why", "settings", "request_"),
    [
        ("key", KEYS, {}),
        ("invalid", {}, {"json": {"snippets": [{"id": "1"}], "timeout": "soon"}}),
        ("too_large", {"gateway_body": 1024}, {"content": b"x" * 2000}),
        ("compressed", {}, {"content": b"x", "headers": {"Content-Encoding": "gzip"}}),
        ("origin", {}, {"content": b"x", "headers": {"Origin": "https://other.example"}}),
    ],
)
async def test_a_refused_request_counts_under_its_reason(
    why: str, settings: dict[str, Any], request_: dict[str, Any]
) -> None:
    async with client_of(a_gateway(**settings)) as client:
        assert (await client.post("/api/check", **request_)).status_code >= 400
        page = await scraped(client)
    refused = page.series("streamverify_gateway_refused_total")
    assert {reason for (reason,), count in refused.items() if count} == {why}


async def test_what_is_held_and_on_its_way_is_seen_while_it_is() -> None:
    gateway = a_gateway(lambda _request: None, gateway_in_flight=2)
    names = ("requests_held", "held_bytes", "proofs_in_flight", "proofs_waiting")

    async def gauges(client: httpx.AsyncClient) -> list[float]:
        page = await scraped(client)
        return [page.value(f"streamverify_gateway_{name}") for name in names]

    async with client_of(gateway) as client:
        asking = asyncio.create_task(client.post("/api/check", json=snippets("a", "b", "c")))
        while len(sender_of(gateway).sent) < 2:
            await asyncio.sleep(0)
        requests, size, in_flight, waiting = await gauges(client)
        assert (requests, in_flight, waiting) == (1, 2, 1)
        assert size > 80
        answer_all(gateway)
        while not asking.done():
            answer_all(gateway)
            await asyncio.sleep(0)
        assert await gauges(client) == [0, 0, 0, 0]


def answer_all(gateway: Gateway) -> None:
    sender = sender_of(gateway)
    for request, record in zip(sender.sent, sender.records, strict=True):
        if record.request_id.encode() in sender.way._waiting:
            sender.answer(verdict(request), record.kafka_headers)


async def test_nobody_needs_a_key_for_the_metrics_and_they_name_none() -> None:
    async with client_of(a_gateway(**KEYS)) as client:
        headers = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
        assert (await client.post("/verify", json={"codes": []}, headers=headers)).status_code != 401
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "alice" not in answer.text
    assert "0123456789abcdef" not in answer.text


async def test_over_the_real_server_the_page_is_whole_and_promtool_is_content() -> None:
    gateway = a_gateway()
    async with serving(gateway) as url, httpx.AsyncClient(base_url=url) as client:
        await client.post("/api/check", json=snippets("x"))
        text = (await client.get("/metrics")).text
        openmetrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert promtool_complaints(text) == ""
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.endswith("# EOF\n")
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {row.name for row in of_process(Process.GATEWAY)} <= families


async def test_trouble_is_seen() -> None:
    gateway = a_gateway()
    async with client_of(gateway) as client:
        states = []
        for trouble in ("", "no broker answers"):
            gateway.ways[0].follower.trouble = trouble
            page = await scraped(client)
            states.append([page.value(f"streamverify_{name}") for name in ("ready", "brokers_reachable", "draining")])
        gateway.ways[0].follower.trouble = ""
        gateway.closing.set()
        page = await scraped(client)
        states.append([page.value(f"streamverify_{name}") for name in ("ready", "brokers_reachable", "draining")])
    assert states == [[1, 1, 0], [0, 0, 0], [0, 1, 1]]


async def test_an_error_of_ours_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = a_gateway()
    monkeypatch.setattr(gateway, "status", lambda: 1 / 0)
    app = create_app(gateway)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/v1/status")).status_code == 500
        page = await scraped(client)
    assert page.series(REQUESTS) == {("500", "GET", "/v1/status"): 1}
