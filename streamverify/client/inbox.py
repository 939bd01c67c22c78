"""Reads the result topic once for everything that a client waits for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from streamverify.bus.reader import ResultReader
from streamverify.client.correlator import Correlator, Match
from streamverify.core.errors import UndecodableResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from aiokafka import TopicPartition

    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.core.messages.models import ProofResult
    from streamverify.settings import Settings

_POLL = 0.5
"""Seconds that one wait for records lasts at most: other things may have happened meanwhile."""
_IDLE = 10.0
"""Seconds that the reader goes on while nobody waits: the next who does need not connect again. Then it stops, as it
reads the results of everybody else, too."""


class Inbox:
    """One reader of the result topic, in no consumer group, for all requests of a client that wait for a result."""

    def __init__(self, settings: Settings, partitions: Callable[[], Awaitable[list[TopicPartition]]]) -> None:
        self._settings = settings
        self._partitions = partitions
        self._correlator = Correlator()
        self._waiting: dict[str, asyncio.Future[ProofResult]] = {}
        self._readers = 0
        self._last_used = 0.0
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read the topic for the time of the context: what is sent within has its result read.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        self._readers += 1
        try:
            await self._start()
            yield
        finally:
            self._readers -= 1
            self._last_used = asyncio.get_running_loop().time()

    def expect(self, encoded: EncodedRequest) -> asyncio.Future[ProofResult]:
        """Return the result that a request will have; call `forget` when it is no longer waited for."""
        self._correlator.expect(encoded)
        waiting: asyncio.Future[ProofResult] = asyncio.get_running_loop().create_future()
        self._waiting[encoded.request_id] = waiting
        return waiting

    def forget(self, encoded: EncodedRequest) -> None:
        """Wait no longer for the result of a request."""
        self._correlator.forget(encoded.request_id)
        self._waiting.pop(encoded.request_id, None)

    def acknowledged(self, ticket: Ticket) -> None:
        """Learn where a request's record lies."""
        self._deliver(self._correlator.acknowledged(ticket))

    async def close(self) -> None:
        """Stop reading. Nothing that waits gets an answer any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _start(self) -> None:
        async with self._starting:
            if self._task is None:
                ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._read(ready))
                # Not before the position is set: an answer that came in between would be missed.
                await ready

    async def _read(self, ready: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with ResultReader(self._settings, await self._partitions()) as reader:
                await reader.start_at_end()
                if not ready.done():
                    ready.set_result(None)
                while self._readers or loop.time() < self._last_used + _IDLE:
                    for record in await reader.read(_POLL):
                        self._deliver(self._correlator.match(record))
                # Before the reader is closed, which takes a moment: whoever comes now starts another one.
                self._task = None
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._task = None
            if not ready.done():
                ready.set_exception(error)
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(error)

    def _deliver(self, match: Match | None) -> None:
        if match is None:
            return
        waiting = self._waiting.pop(match.request_id, None)
        if waiting is None or waiting.done():
            return
        if isinstance(match.result, UndecodableResult):
            waiting.set_exception(match.result)
        else:
            waiting.set_result(match.result)
