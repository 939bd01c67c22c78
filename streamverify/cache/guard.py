"""Stands before a store, so that one which is down, slow or full fails no proof and delays none for long."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

import structlog

from streamverify.cache.store import StoreFailed
from streamverify.core.cache.backoff import Backoff
from streamverify.core.log.once import Once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from streamverify.cache.store import Entry, Store

T = TypeVar("T")

OPEN_SECONDS = 5.0
"""Seconds for opening it, before the worker has any proofs."""
READ_SECONDS = 0.5
"""Seconds that proofs wait for an answer at most; then they are run, and the store is left alone for a while."""
WRITE_SECONDS = 5.0
"""Seconds for keeping entries; no proof waits for that."""

_QUIET_SECONDS = 600.0
"""Seconds without a failure after which one is complained of again."""

_log = structlog.get_logger(__name__)


class Guard:
    """A store that never raises. Reading and writing fail apart: what is full can still be read."""

    def __init__(
        self, store: Store, *, read_seconds: float = READ_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Stand before `store`, which proofs wait for `read_seconds` at most."""
        self._store = store
        self._read_seconds = read_seconds
        self._clock = clock
        self._complaints = Once(_QUIET_SECONDS)
        self._told: set[str] = set()
        """Operations whose failure has been logged and whose recovery has not."""
        self._reading = Backoff()
        self._writing = Backoff()

    @property
    def readable(self) -> bool:
        """True where it is worth asking."""
        return self._reading.may_ask(self._clock())

    @property
    def failing(self) -> bool:
        """True while it does not answer, or does not take what it is given."""
        return self._reading.is_failing or self._writing.is_failing

    async def open(self) -> None:
        """See whether the store is there. If it is not, the worker starts all the same, and asks it later."""
        await self._tried(self._store.check(), self._reading, OPEN_SECONDS, "read")

    async def get_many(self, names: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Return the values of those names that are there; none where the store does not say so in time."""
        # An unreadable store has nothing, as far as a proof is concerned: it is run.
        if not names or not self.readable:
            return {}
        return await self._tried(self._store.get_many(names), self._reading, self._read_seconds, "read") or {}

    async def put_many(self, entries: Sequence[Entry]) -> bool:
        """Keep these entries. Returns whether the store has taken them; if not, they may be tried again."""
        if not entries:
            return True
        if not self._writing.may_ask(self._clock()):
            return False
        await self._tried(self._store.put_many(entries), self._writing, WRITE_SECONDS, "write")
        return not self._writing.is_failing

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    async def _tried(self, work: Awaitable[T], backoff: Backoff, seconds: float, what: str) -> T | None:
        try:
            async with asyncio.timeout(seconds):
                found = await work
        except (StoreFailed, TimeoutError) as failure:
            error = str(failure) or f"{self._store.label} has not answered for {seconds:g} s"
            now = self._clock()
            # A store that is only slow, now and then, would be complained of each time.
            if backoff.failed(now) and self._complaints.is_new(what, now):
                self._told.add(what)
                _log.warning(
                    "cache_store_failed",
                    operation=what,
                    error=error,
                    hint="proofs are verified all the same, without what the store has; it is asked again from time to "
                    "time: see `streamverify doctor`",
                )
            return None
        if backoff.worked() and what in self._told:
            self._told.discard(what)
            _log.info("cache_store_works_again", operation=what, store=self._store.label)
        return found
