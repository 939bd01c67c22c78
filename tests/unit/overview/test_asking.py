"""Asking addresses at which anybody may answer: workers, our other processes, older ones, strangers, and nobody."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from gateway_fakes import a_gateway, client_of
from overview_fakes import status

from streamverify.core.overview.status import MAX_STATUS
from streamverify.overview.asking import Asker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.overview.group import ProcessAnswer


@asynccontextmanager
async def answering(**pages: tuple[int, Any]) -> AsyncIterator[str]:
    """A server with these pages: a code, and JSON, or bytes as they are."""

    def handler(code: int, body: Any) -> Any:
        async def answer(_request: web.Request) -> web.Response:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            return web.Response(body=text, status=code, headers={"Location": "http://127.0.0.1:1/"})

        return answer

    app = web.Application()
    for path, (code, body) in pages.items():
        app.router.add_get(f"/{path}", handler(code, body))
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def asked(url: str, timeout: float = 30.0) -> ProcessAnswer:
    async with Asker(timeout) as asker:
        return await asker.ask(url)


async def test_a_worker_is_read() -> None:
    said = status(ready=False, problem="it drains")
    async with answering(status=(200, said.model_dump(mode="json"))) as url:
        answer = await asked(url)
    assert (answer.process, answer.status, answer.ready, answer.problem) == ("worker", said, False, "it drains")


async def test_fields_of_a_later_version_are_no_harm_and_what_cannot_be_read_is_said() -> None:
    said = status().model_dump(mode="json")
    for changed, problem in (
        ({"moon": "full"}, None),
        ({"schema_version": 9, "slots": "many"}, "a later version of streamverify has to ask it"),
        ({"slots": "many"}, "its status is wrong (slots: "),
        ({"name": "x" * 5000}, "its status is wrong (name: "),
        ({"uptime_seconds": -1}, "its status is wrong (uptime_seconds: "),
        ({"queued": 10**30}, "its status is wrong (queued: "),
    ):
        async with answering(status=(200, said | changed)) as url:
            answer = await asked(url)
        assert (answer.problem or "").startswith(problem or "")
        assert (answer.process, answer.ready, answer.status is None) == ("worker", True, problem is not None)


@pytest.mark.parametrize(
    ("pages", "process", "ready", "problem"),
    [
        ({"ready": (200, {"ready": True, "forwarded": 3})}, "router", True, None),
        ({"ready": (503, {"ready": False, "rows": 3, "problem": "it reads"})}, "table", False, "it reads"),
        ({"ready": (200, {"ready": True, "slots": 2})}, "worker", True, "an older version, which has no /status"),
        ({"ready": (200, {"status": "ok", "version": "1"})}, "gateway", True, None),
        ({"ready": (503, {"detail": "it drains"})}, "gateway", False, "it drains"),
        ({"health": (200, {"status": "ok", "version": "1"})}, "gateway", True, None),
        ({"health": (503, {"detail": "no broker"})}, "gateway", False, "no broker"),
    ],
)
async def test_our_other_processes_are_told_apart(
    pages: dict[str, Any],
    process: str,
    ready: bool,  # noqa: FBT001 - a case
    problem: str | None,
) -> None:
    async with answering(**pages) as url:
        answer = await asked(url)
    assert (answer.process, answer.ready, answer.problem, answer.nobody) == (process, ready, problem, False)


@pytest.mark.parametrize("trouble", [None, "no broker answers"])
async def test_what_the_gateway_really_answers_is_read(trouble: Any) -> None:
    gateway = a_gateway()
    gateway.ways[0].follower.trouble = trouble
    async with client_of(gateway) as client:
        got = {path: await client.get(f"/{path}") for path in ("status", "ready", "health")}
    async with answering(**{path: (each.status_code, each.json()) for path, each in got.items()}) as url:
        answer = await asked(url)
    assert (answer.process, answer.ready, answer.problem) == ("gateway", trouble is None, trouble)


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"status": (200, b"<html>")},
        {"status": (200, [1])},
        {"status": (200, {"process": "washing machine"})},
        {"status": (302, {})},
        {"status": (401, {"detail": "who are you?"})},
        {"status": (200, b"[" * 100_000)},
        {"status": (200, b"x" * (MAX_STATUS + 1))},
        {"status": (200, b"\xff\xfe")},
        {"ready": (200, {"ready": "yes"})},
        {"health": (200, {"status": "healthy"})},
    ],
)
async def test_strangers_are_said_to_be_such(pages: dict[str, Any]) -> None:
    async with answering(**pages) as url:
        answer = await asked(url)
    assert (answer.process, answer.status, answer.ready, answer.nobody) == ("unknown", None, None, False)
    assert (answer.problem or "").startswith("something else")


async def test_what_is_no_http_is_a_stranger() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        answer = await asked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (answer.ready, answer.nobody) == (None, False)
    assert (answer.problem or "").startswith("something else answers there")


async def test_where_nobody_listens_or_nobody_answers_in_time_it_is_nobody() -> None:
    refused = await asked(f"http://127.0.0.1:{unused_port()}")
    assert (refused.nobody, refused.problem) == (True, "nobody can be reached there (Connection refused)")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until who asks has gone
        writer.close()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        slow = await asked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.2)
        await gone.wait()
    finally:
        server.close()
    assert (slow.nobody, slow.problem) == (True, "no answer within 0.2 s")


async def test_many_are_asked_at_once_each_once_and_in_their_order() -> None:
    async with answering(status=(200, status().model_dump(mode="json"))) as url, Asker(30.0) as asker:
        nobody = f"http://127.0.0.1:{unused_port()}"
        answers = await asker.ask_all([url, nobody, url])
    assert list(answers) == [url, nobody]
    assert [answer.ready for answer in answers.values()] == [True, None]
