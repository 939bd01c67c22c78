"""Measures how much too late the event loop comes to what is due: everything else waits as long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 0.5
"""Seconds between two looks: two observations a second cost nothing that could be measured."""


async def watch_event_loop(observe: Callable[[float], None]) -> None:
    """Tell each delay in seconds, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        # The clock of a timer may be a little ahead of that of the loop.
        observe(max(0.0, loop.time() - due))
