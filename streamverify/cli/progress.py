"""Shows on stderr how far a command is, as long as it works: on a terminal only, and nothing of it stays."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rich.progress import Progress

from streamverify.cli.output import stderr

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rich.progress import ProgressColumn

_SHOWN = 0.2
"""Seconds between two changes of what is shown."""


def progress_bar(*columns: ProgressColumn) -> Progress:
    """Make a bar of these columns; where stderr is no terminal it is `disable`d, and shows nothing."""
    console = stderr()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@asynccontextmanager
async def kept_showing(show: Callable[[], None]) -> AsyncIterator[None]:
    """Call `show` several times a second while the block runs."""

    async def again_and_again() -> None:
        while True:
            show()
            await asyncio.sleep(_SHOWN)

    showing = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
