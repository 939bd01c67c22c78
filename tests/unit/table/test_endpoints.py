"""What instances of the table answer, each with a part of the rows, and what each says when a part is missing."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cli_fakes import make_result

from streamverify.core.messages.models import Reason
from streamverify.core.table.row import result_row
from streamverify.core.table.rows import PartitionRows
from streamverify.settings import load_settings
from streamverify.table.completeness import Assignment
from streamverify.table.endpoints import Endpoints
from streamverify.table.peers import Peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKUP = "<b>&\"'"


class Instance:
    """A view with one partition of three, and what its group has told it."""

    def __init__(self, number: int) -> None:
        self.rows = PartitionRows()
        for n, reason in enumerate((Reason.OK, Reason.TIMEOUT)):
            result = make_result(f"{number}/{n}{MARKUP}", reason, summary=MARKUP)
            self.rows[result.custom_id] = result_row(result, topic="t", partition=number, offset=n, timestamp=1)
        self.held: Assignment | None = Assignment(7, frozenset({number}), {})
        self.value: bytes | None = b'{"whole": 1.50}'
        self.members: dict[str, Any] = {}
        type_of = type("Completeness", (SimpleNamespace,), {"complete": property(lambda _self: self.held)})
        completeness: Any = type_of(partitions_held={number: self.rows})
        assignor = SimpleNamespace(table_metadata=lambda _topic: self.members)
        life: Any = SimpleNamespace(names=SimpleNamespace(changelog="log"), app=SimpleNamespace(assignor=assignor))
        self.peers = Peers(load_settings(http_host="127.0.0.1"), life, partitions=3)
        whole: Any = SimpleNamespace(fetch=self.fetch)
        app = web.Application()
        for path, handler in Endpoints(completeness, self.peers, whole).pages().items():
            app.router.add_get(path, handler)
        self.server = TestServer(app)

    async def fetch(self, _row: Any) -> bytes | None:
        return self.value

    async def get(self, path: str, accept: str = "*/*") -> tuple[int, Any]:
        url = str(self.server.make_url("/")).rstrip("/") + path
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": accept}) as got:
            assert "default-src 'none'" in got.headers["Content-Security-Policy"]
            text = await got.text()
            return got.status, json.loads(text) if got.content_type == "application/json" else text


@pytest.fixture
async def three() -> AsyncIterator[list[Instance]]:
    instances = [Instance(number) for number in range(3)]
    async with AsyncExitStack() as stack:
        for one in instances:
            await one.server.start_server()
            stack.push_async_callback(one.server.close)
            assert one.server.port is not None
            one.peers.start(one.server.port)
            stack.push_async_callback(one.peers.close)
        members = {one.peers.url: {"log": [number]} for number, one in enumerate(instances)}
        for one in instances:
            one.members = members
        yield instances


async def test_each_answers_for_all(three: list[Instance]) -> None:
    for one in three:
        status, page = await one.get("/results?reason=timeout&limit=2")
        assert status == 200
        assert [row["custom_id"] for row in page["results"]] == [f"0/1{MARKUP}", f"1/1{MARKUP}"]
        assert page["after"] == f"1/1{MARKUP}"
        assert (await one.get("/results/2%2F0%3Cb%3E%26%22%27"))[1]["reason"] == "ok"
        assert (await one.get("/results/2%2F0%3Cb%3E%26%22%27?full=true"))[1]["result"] == {"whole": 1.5}


@pytest.mark.parametrize(
    "path", ["/results", "/results?id=0%2F1%3Cb%3E%26%22%27", "/results?id=nobody", "/results?x=1"]
)
async def test_a_browser_gets_pages_in_which_nothing_is_markup(three: list[Instance], path: str) -> None:
    _, text = await three[0].get(path, accept="text/html,*/*")
    assert text.startswith("<!doctype html>")
    assert "<b>" not in text


async def test_a_part_that_is_missing_is_an_error_and_never_left_out(three: list[Instance]) -> None:
    one, two, last = three
    held = last.held

    async def refused(status: int, says: str) -> None:
        got = await one.get("/results")
        assert (got[0], set(got[1])) == (status, {"error"})
        assert says in got[1]["error"]
        assert (await one.get("/results/2%2F0"))[0] == status

    last.held = None
    await refused(503, "is not ready")
    last.held = Assignment(8, frozenset({2}), {})
    await refused(503, "move between instances")
    last.held = Assignment(7, frozenset({1}), {})
    await refused(503, "nobody has partitions [2]")
    last.held = Assignment(7, frozenset({1, 2}), {})
    await refused(503, "two instances have the same partition")
    last.held = held
    one.members = {url: parts for url, parts in one.members.items() if url != last.peers.url}
    await refused(503, "nobody has partitions [2]")
    one.members = {**one.members, "http://127.0.0.1:1": {"log": [2]}}
    await refused(503, "STREAMVERIFY_ADVERTISED_URL")
    one.held = None
    await refused(503, "/ready")
    assert (await two.get("/results"))[0] == 503


async def test_what_answers_nothing_or_nonsense_is_an_error_too(three: list[Instance]) -> None:
    one = three[0]

    async def nonsense(request: web.Request) -> web.Response:
        if "slow" in request.path:
            await asyncio.sleep(30)
        return web.json_response({"generation": 7, "partitions": [2], "rows": [{"custom_id": 1}], "more": False})

    app = web.Application()
    app.router.add_get("/{path:.*}", nonsense)
    async with TestServer(app) as server:
        one.members = {**one.members, three[2].peers.url: {}, str(server.make_url("/")): {"log": [2]}}
        status, answer = await one.get("/results")
        assert (status, "something else than a table" in answer["error"]) == (503, True)
        await one.peers.close()
        one.peers._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2))
        one.members = {one.peers.url: {"log": [0]}, str(server.make_url("/slow")): {"log": [1, 2]}}
        status, answer = await one.get("/results")
        assert (status, "did not answer within" in answer["error"]) == (504, True)


@pytest.mark.parametrize(
    "path",
    [
        "/results?limit=0",
        "/results?id=",
        "/results?id=a&id=b",
        "/results/a?prefix=b",
        "/results/a?full=yes",
        "/results?id=a&limit=1",
    ],
)
async def test_a_wrong_request_is_one_sentence(three: list[Instance], path: str) -> None:
    status, answer = await three[0].get(path)
    assert (status, set(answer)) == (400, {"error"})


async def test_a_whole_result_that_is_gone_leaves_its_row(three: list[Instance]) -> None:
    three[1].value = None
    status, answer = await three[1].get("/results/0%2F0%3Cb%3E%26%22%27?full=true")
    assert (status, answer["row"]["reason"]) == (410, "ok")
