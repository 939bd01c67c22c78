"""The page's endpoints, without a browser."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from page_fakes import KEY, FakeGateway

from streamverify.core.audit.policy_rules import RULES
from streamverify.core.gateway.live import LastVerdict
from streamverify.core.messages.models import Timings
from streamverify.gateway.app import create_app
from streamverify.gateway.page.browser_guard import CONTENT_SECURITY_POLICY
from streamverify.gateway.page.routes import STATIC, state_of, states

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOCAL = "http://localhost:8000"
PROOF = orjson.dumps({"proof": "theorem"})
JSON = {"content-type": "application/json"}


def verdict(name: str) -> LastVerdict:
    return LastVerdict(custom_id=name, status="verified", reason="ok", summary="fine", at=0)


@contextlib.asynccontextmanager
async def client(gateway: FakeGateway | None = None, url: str = LOCAL) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(gateway or FakeGateway())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=url, headers={"accept": "text/html"}
    ) as made:
        yield made


# --- its files ------------------------------------------------------------------------------------------------------


async def test_the_page_needs_nothing_from_elsewhere_and_has_nothing_inline() -> None:
    async with client() as http:
        page = (await http.get("/")).text
        assert re.findall(r"https?://", page) == []
        assert "<style" not in page
        assert re.findall(r"\s(on\w+|style)=", page) == []
        assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]
        files = re.findall(r'(?:src|href)="(/page/[^"]+)"', page)
        assert len(files) == 3
        for path in files:
            assert (await http.get(path)).status_code == 200, path


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_of_a_text(path: Any) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTMLUnsafe|srcdoc"
    assert re.findall(forbidden, path.read_text("utf-8")) == []


async def test_every_answer_has_the_headers_that_confine_the_page() -> None:
    async with client() as http:
        for path in ("/", "/page/page.js", "/page/none", "/elsewhere"):
            headers = (await http.get(path)).headers
            assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY, path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY


async def test_no_other_file_can_be_had() -> None:
    async with client() as http:
        for path in ("/page/%2e%2e/routes.py", "/page/..%2froutes.py", "/page//etc/passwd", "/page/"):
            assert (await http.get(path)).status_code == 404, path


async def test_every_rule_of_the_policy_is_explained() -> None:
    async with client() as http:
        rules = (await http.get("/page/rules.json")).json()
    assert rules.keys() == RULES.keys()
    assert all(rule["summary"] and rule["reason"] for rule in rules.values())


# --- what another site may do ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (JSON, 200),
        (JSON | {"origin": LOCAL}, 200),
        (JSON | {"content-type": "application/json; charset=utf-8"}, 200),
        (JSON | {"origin": "http://evil.example"}, 403),
        (JSON | {"origin": "null"}, 403),
        (JSON | {"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data"}, 415),
        ({}, 415),
    ],
)
async def test_a_form_of_another_site_verifies_nothing(headers: dict[str, str], status: int) -> None:
    gateway = FakeGateway()
    async with client(gateway) as http:
        answer = await http.post("/api/page/verify", content=PROOF, headers=headers)
    assert answer.status_code == status
    assert bool(gateway.fake.sent) == (status == 200)
    assert "access-control-allow-origin" not in answer.headers


async def test_a_name_that_was_pointed_here_reads_nothing() -> None:
    async with client(url="http://evil.example:8000") as http:
        answer = await http.get("/events")
        # What is no browser may call the gateway by any name.
        health = await http.get("/health")
    assert answer.status_code == 421
    assert "localhost" in answer.json()["detail"]
    assert health.status_code == 200


async def test_a_name_that_was_pointed_here_posts_nothing() -> None:
    async with client(url="http://evil.example:8000") as http:
        answer = await http.post("/elsewhere", headers={"origin": "http://evil.example:8000"})
    assert answer.status_code == 421


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "empty"),
        (b'{"proof": "\xff"}', 422, "no UTF-8"),
        (b"[]", 422, "object"),
        (b"{}", 422, "proof"),
        (b'{"proof": 1}', 422, "proof"),
        (b'{"proof": "\\ud800"}', 422, "half of a surrogate pair"),
        (b'{"proof": "x", "timeout": 0}', 422, "timeout"),
        (b'{"proof": "x", "require": "much"}', 422, "require"),
        (b'{"proof": "x", "require": "checked", "statement": "y"}', 422, "require: must be audited"),
    ],
)
async def test_what_is_wrong_is_named(body: bytes, status: int, word: str) -> None:
    gateway = FakeGateway()
    async with client(gateway) as http:
        answer = await http.post("/api/page/verify", content=body, headers=JSON)
    assert answer.status_code == status
    assert word in answer.json()["detail"]
    assert gateway.fake.sent == []


@pytest.mark.parametrize(
    ("fields", "default", "asked"),
    [
        ({}, "audited", "audited"),
        ({}, "checked", "checked"),
        ({"require": "checked"}, "audited", "checked"),
        ({"statement": "theorem"}, "checked", "audited"),
    ],
)
async def test_the_assurance_is_the_workers_default_and_audited_for_a_statement(
    fields: dict[str, str], default: str, asked: str
) -> None:
    gateway = FakeGateway(require=default)
    async with client(gateway) as http:
        await http.post("/api/page/verify", json={"proof": "x", **fields})
    [(proof, what, _)] = gateway.fake.sent
    assert (proof.statement, what.require, what.timeout) == (fields.get("statement"), asked, 60)


async def test_what_no_worker_would_take_is_answered_with_the_reason() -> None:
    gateway = FakeGateway(max_proof_bytes=10)
    async with client(gateway) as http:
        answer = (await http.post("/api/page/verify", json={"proof": "x" * 11})).json()
    assert (answer["status"], answer["reason"], answer["assurance"]) == ("inconclusive", "too_large", "none")
    assert "MAX_PROOF_BYTES" in answer["summary"]


async def test_without_a_key_where_one_is_needed_nothing_is_told() -> None:
    gateway = FakeGateway(api_keys=f"ann={KEY} bob=another-secret")
    async with client(gateway) as http:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert (await http.post("/api/page/verify", content=PROOF, headers=JSON | headers)).status_code == 401
            assert (await http.get("/events", headers=headers)).status_code == 401
        assert gateway.fake.sent == []
        right = JSON | {"authorization": f"Bearer {KEY}"}
        assert (await http.post("/api/page/verify", content=PROOF, headers=right)).status_code == 200


# --- the live state -------------------------------------------------------------------------------------------------


async def test_with_keys_a_page_shows_no_proof_of_another_key() -> None:
    gateway = FakeGateway(api_keys=f"ann={KEY} bob=another-secret")
    gateway.live.seen(verdict("bob's"), 1.0)
    gateway.live.answered(verdict("bob's"), "bob", "import Secret", Timings(run=1))
    gateway.live.answered(verdict("ann's"), "ann", "import Known", Timings(run=1))
    state = state_of(gateway, "ann", 1.0)
    assert [one["custom_id"] for one in state["last"]] == ["ann's"]
    assert [one["header"] for one in state["headers"]] == ["import Known"]
    assert (state["own_only"], state["reasons"]) == (True, {"ok": 1})
    assert b"bob" not in orjson.dumps(state)


async def test_without_keys_it_shows_all_verdicts_of_the_topic() -> None:
    gateway = FakeGateway()
    gateway.live.seen(verdict("anybody's"), 1.0)
    state = state_of(gateway, "", 1.0)
    assert [one["custom_id"] for one in state["last"]] == ["anybody's"]
    assert state["own_only"] is False


async def test_the_backlog_is_what_there_is_to_do_at_the_rate_of_the_last_minute() -> None:
    gateway = FakeGateway()
    assert state_of(gateway, "", 0.0)["backlog_seconds"] is None, "nobody has asked the broker yet"
    gateway.monitor.to_do = 50
    for second in range(10):
        gateway.live.seen(verdict("x"), float(second))
        gateway.live.seen(verdict("x"), float(second))
    assert state_of(gateway, "", 10.0)["backlog_seconds"] == 25.0
    for second in range(10):
        gateway.live.seen(verdict("cached"), float(second + 10), cached=True)
    assert state_of(gateway, "", 20.0)["rate"] == 1.5
    assert state_of(gateway, "", 20.0)["backlog_seconds"] == 50.0, "what was cached says nothing of the others' time"
    gateway.monitor.to_do = 0
    assert state_of(gateway, "", 10.0)["backlog_seconds"] == 0


async def test_events_are_states_and_end_with_the_gateway() -> None:
    gateway = FakeGateway()
    events = states(gateway, "")
    first = await anext(events)
    assert first.startswith(b"data: {")
    assert first.endswith(b"}\n\n")
    assert first.count(b"\n") == 2
    assert gateway.monitor.watchers == 1
    gateway.closing.set()
    assert [event async for event in events] == []
    assert gateway.monitor.watchers == 0
