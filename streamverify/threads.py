"""Iterates what blocks, such as a file, for an event loop that must not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

_T = TypeVar("_T")
AHEAD = 1024
"""Items that the thread may be ahead of who takes them."""


async def in_thread(items: Iterable[_T], ahead: int | None = None) -> AsyncIterator[_T]:
    """Iterate in a thread, so that a slow pipe stops neither the event loop nor Ctrl-C.

    Args:
        items: What is iterated.
        ahead: How many items the thread may be ahead of who takes them; default: `AHEAD`.

    Raises:
        Exception: Whatever the iteration raises, after the items before it.
    """
    arrived: asyncio.Queue[_Arrival[_T]] = asyncio.Queue()
    room = threading.Semaphore(AHEAD if ahead is None else ahead)
    reader = partial(_read_into, asyncio.get_running_loop(), arrived, room, items)
    # A daemon, so that Ctrl-C need not wait for the other end of a pipe.
    threading.Thread(target=reader, name="read-input", daemon=True).start()
    while True:
        arrival = await arrived.get()
        if arrival.error is not None:
            raise arrival.error
        if not arrival.items:
            return
        room.release()
        yield arrival.items[0]


@dataclass(frozen=True, slots=True)
class _Arrival(Generic[_T]):
    """One item that the thread has read, or an error, or neither at the end."""

    items: tuple[_T, ...] = ()
    error: Exception | None = None


def _read_into(
    loop: asyncio.AbstractEventLoop,
    arrived: asyncio.Queue[_Arrival[_T]],
    room: threading.Semaphore,
    items: Iterable[_T],
) -> None:
    def put(arrival: _Arrival[_T]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            loop.call_soon_threadsafe(arrived.put_nowait, arrival)

    try:
        for item in items:
            room.acquire()
            put(_Arrival((item,)))
    except Exception as error:  # noqa: BLE001 - raised again where the items are read
        put(_Arrival(error=error))
    else:
        put(_Arrival())
