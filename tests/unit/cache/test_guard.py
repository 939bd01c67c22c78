"""A store that is down, slow or full fails no proof and delays none for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cache_fakes import Clock, FakeStore
from structlog.testing import capture_logs

from streamverify.cache.guard import Guard
from streamverify.cache.store import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

ENTRY = Entry(b"a", b"1", 1)


class Hanging(FakeStore):
    """Never answers, and has noticed when nobody waits any more."""

    cancelled = 0

    async def get_many(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        self.asked.append(list(names))
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1
        raise AssertionError


async def test_a_store_that_is_down_is_complained_of_once_and_asked_again_later() -> None:
    store = FakeStore({b"a": b"1"}, failing=True)
    clock = Clock()
    guard = Guard(store, clock=clock)
    with capture_logs() as logs:
        await guard.open()
        assert not guard.readable
        for _ in range(50):
            assert await guard.get_many([b"a"]) == {}
            clock.now += 0.5
    assert [entry["event"] for entry in logs] == ["cache_store_failed"]
    assert logs[0]["hint"]
    assert guard.failing
    store.failing = False
    clock.now += 60
    with capture_logs() as logs:
        assert await guard.get_many([b"a"]) == {b"a": b"1"}
    assert [entry["event"] for entry in logs] == ["cache_store_works_again"]
    assert guard.readable
    assert not guard.failing


async def test_a_store_that_fails_now_and_then_is_complained_of_once() -> None:
    store, clock = FakeStore({b"a": b"1"}), Clock()
    guard = Guard(store, clock=clock)
    with capture_logs() as logs:
        for number in range(40):
            store.failing = number % 2 == 0
            await guard.get_many([b"a"])
            clock.now += 5
    assert [entry["event"] for entry in logs] == ["cache_store_failed", "cache_store_works_again"]
    clock.now += 1000
    store.failing = True
    with capture_logs() as logs:
        await guard.get_many([b"a"])
    assert [entry["event"] for entry in logs] == ["cache_store_failed"]


async def test_a_store_that_hangs_costs_one_time_out_and_then_nothing() -> None:
    store = Hanging()
    guard = Guard(store, read_seconds=0.01)
    with capture_logs() as logs:
        async with asyncio.timeout(60):
            found = [await guard.get_many([b"a"]) for _ in range(100)]
    assert found == [{}] * 100
    # The next question is due after a second of its pause; a machine under load may get that far.
    assert store.cancelled == len(store.asked) < 100
    assert "has not answered" in logs[0]["error"]


async def test_what_is_full_can_still_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore({b"a": b"1"})

    async def refuse(_entries: Any) -> None:
        store.failing = True
        try:
            await store.check()
        finally:
            store.failing = False

    monkeypatch.setattr(store, "put_many", refuse)
    clock = Clock()
    guard = Guard(store, clock=clock)
    with capture_logs() as logs:
        for _ in range(10):
            assert not await guard.put_many([ENTRY])
            assert await guard.get_many([b"a"]) == {b"a": b"1"}
            clock.now += 0.5
    assert [(entry["event"], entry["operation"]) for entry in logs] == [("cache_store_failed", "write")]


async def test_nothing_is_no_question() -> None:
    store = FakeStore(failing=True)
    guard = Guard(store)
    assert await guard.get_many([]) == {}
    assert await guard.put_many([])
    assert guard.readable
    await guard.close()
    assert store.closed
