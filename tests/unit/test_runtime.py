"""Health over HTTP: which port and address a process takes, and what it answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from streamverify import runtime
from streamverify.core.errors import SettingsError
from streamverify.runtime import HealthServer, end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def serving(host: str = "127.0.0.1", port: Any = 0, *, ready: bool = True) -> AsyncIterator[int]:
    server = HealthServer(host, port, ready=lambda: ready, status=lambda: {"problem": None if ready else "no broker"})
    try:
        yield await server.start()
    finally:
        await server.close()


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


@pytest.fixture
def free_range(monkeypatch: pytest.MonkeyPatch) -> int:
    """Three ports in a row that are free: 9464 itself may be taken on the machine that tests."""
    for first in range(21_000, 60_000, 7):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + 3):
                held.enter_context(socket.create_server(("", port)))
            monkeypatch.setattr(runtime, "FIRST_PORT", first)
            monkeypatch.setattr(runtime, "PORTS", 3)
            return first
    raise AssertionError


@pytest.mark.parametrize("host", ["*", "127.0.0.1", "localhost"])
async def test_the_first_free_port_is_taken_and_the_last_says_that_none_is(host: str, free_range: int) -> None:
    async with serving(host, "auto") as one, serving(host, "auto") as two, serving(host, "auto") as three:
        assert [one, two, three] == [free_range, free_range + 1, free_range + 2]
        with pytest.raises(SettingsError, match=rf"STREAMVERIFY_HTTP_PORT .*{one} to {three}.*already in use"):
            async with serving(host, "auto"):
                pass
        assert (await get(two, "/live"))[0] == 200


async def test_a_port_that_was_given_is_taken_or_refused() -> None:
    async with serving() as port:
        with pytest.raises(
            SettingsError, match=rf"STREAMVERIFY_HTTP_PORT \(--http-port\): cannot listen on port {port}"
        ):
            async with serving(port=port):
                pass


async def test_only_the_given_address_is_listened_on() -> None:
    async with serving("127.0.0.2") as port:
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(port, "/live")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
async def test_an_address_that_is_not_ours_is_one_line(host: str) -> None:
    with pytest.raises(SettingsError, match=r"^STREAMVERIFY_HTTP_HOST \(--http-host\): [^\n]+$"):
        async with serving(host):
            pass


async def test_ready_says_what_is_wrong_and_every_other_path_what_there_is() -> None:
    async with serving(ready=False) as port:
        status, said = await get(port, "/ready")
        assert (status, "no broker" in said) == (503, True)
        for path in ("/", "/metrics", "/a/b"):
            status, said = await get(port, path)
            assert status == 404
            assert said.count("\n") == 1
            assert f"nothing at {path} " in said
            assert "/live /ready" in said


async def test_a_task_that_has_lost_its_cancellation_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "_END_TIMEOUT", 0.01)
    asked = 0

    async def loses_one() -> None:
        nonlocal asked
        while asked < 2:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            asked += 1

    async def fails() -> None:
        raise SettingsError("its error is no error of the end")

    tasks = asyncio.create_task(loses_one()), asyncio.create_task(fails())
    await asyncio.sleep(0)
    await end_tasks(*tasks)
    assert [task.done() for task in tasks] == [False, True]
    await end_tasks(*tasks)
    assert tasks[0].done()
