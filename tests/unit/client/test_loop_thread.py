"""An event loop in a thread, for callers that are no coroutines."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from streamverify.client.loop_thread import LoopThread
from streamverify.core.errors import ClientMisused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_many_threads_get_each_its_own_value() -> None:
    thread = LoopThread("test")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: thread.run(double(number)), range(100))) == [2 * n for n in range(100)]
    thread.end()


def test_an_error_of_the_coroutine_is_the_callers_even_a_timeout() -> None:
    async def late() -> None:
        raise TimeoutError("mine")

    thread = LoopThread("test")
    with pytest.raises(TimeoutError, match="mine"):
        thread.run(late())
    thread.end()


def test_the_end_cancels_what_runs_and_its_caller_hears_of_it() -> None:
    thread = LoopThread("test")
    begun, cleaned = threading.Event(), threading.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(thread.run, forever())
        begun.wait()
        thread.end()
        with pytest.raises(ClientMisused, match="closed while it was in use"):
            waiting.result()
    assert cleaned.is_set()
    thread.end()


def test_generators_that_are_left_are_closed_with_the_loop() -> None:
    closed = threading.Event()

    async def kept() -> object:
        async def generator() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                closed.set()

        made = generator()
        await anext(made)
        return made

    thread = LoopThread("test")
    left = thread.run(kept())
    thread.end()
    assert closed.is_set()
    del left


def test_after_the_end_nothing_runs() -> None:
    thread = LoopThread("test")
    thread.end()
    with pytest.raises(ClientMisused, match="closed"):
        thread.run(double(1))


def test_the_thread_itself_must_not_wait_for_itself() -> None:
    thread = LoopThread("test")

    async def calls() -> int:
        return thread.run(double(1))

    with pytest.raises(ClientMisused, match="must not call the client"):
        thread.run(calls())
    thread.end()
