"""Asks the broker for what only it knows: records without a verdict, and dead letters. Only while a page is open."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_EVERY = 2.0
"""Seconds between two looks at the broker."""

_log = structlog.get_logger(__name__)


class Monitor:
    """Keeps the numbers of the last look. Each is None while it is unknown."""

    def __init__(
        self,
        to_do: Callable[[], Awaitable[int]],
        dead_letters: Callable[[], Awaitable[int]],
        *,
        every: float = _EVERY,
    ) -> None:
        self._questions = {"to_do": to_do, "dead_letters": dead_letters}
        self._every = every
        self.watchers = 0
        """Pages that are open."""
        self._watched = asyncio.Event()
        self.to_do: int | None = None
        """Records of the request topic that the group has not answered."""
        self.dead_letters: int | None = None
        """Records that are on the dead letter topic."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the broker as long as this context lasts."""
        self.watchers += 1
        self._watched.set()
        try:
            yield
        finally:
            self.watchers -= 1
            if not self.watchers:
                self._watched.clear()

    async def run(self) -> None:
        """Look until cancelled. A broker that does not answer makes the numbers unknown, and is asked again."""
        while True:
            await self._watched.wait()
            for name, ask in self._questions.items():
                try:
                    setattr(self, name, await ask())
                except BrokerUnavailable as error:
                    setattr(self, name, None)
                    # The gateway's own health says that the broker is away; here only two numbers are missing.
                    _log.debug("not_known", number=name, error=str(error))
            await asyncio.sleep(self._every)
