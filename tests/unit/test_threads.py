from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streamverify.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator


async def test_in_thread_keeps_order_and_holds_back_a_fast_source() -> None:
    produced: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5000):
            produced.append(number)
            yield number

    source: Any = in_thread(numbers())
    assert await anext(source) == 0
    assert len(produced) < 5000
    assert [number async for number in source] == list(range(1, 5000))


async def test_in_thread_passes_an_error_on_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    source: Any = in_thread(broken())
    assert await anext(source) == 1
    with pytest.raises(OSError, match="gone"):
        await anext(source)
