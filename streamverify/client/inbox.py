"""Reads the result topic once for everything that a client waits for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.bus.topic_reader import TopicReader
from streamverify.client.correlator import Correlator, Match
from streamverify.core.errors import UndecodableResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.client.sender import Sender
    from streamverify.core.messages.models import ProofResult
    from streamverify.settings import Settings

_POLL = 0.5
"""Seconds that one wait for records lasts at most: other things may have happened meanwhile."""
_CONNECTING_TIMEOUT = 1.0
_IDLE = 10.0
"""Seconds that the reader goes on while nobody waits: the next who does need not connect again. Then it stops, as it
reads the results of everybody else, too."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """The task that reads. `ready` is done when it has its position, or cannot have one."""

    task: asyncio.Task[None]
    ready: asyncio.Future[None]


class Inbox:
    """One reader of the result topic, in no consumer group, for all requests of a client that wait for a result.

    no reader --- somebody waits ---> connecting ---> ready: it reads
        ^                                 |                 |
        +-- the topic cannot be read -----+-----------------+
        +-- nobody has waited for a while ------------------+
    """

    def __init__(self, settings: Settings, sender: Sender) -> None:
        """Read nothing yet.

        Args:
            settings: The broker and the topics.
            sender: Looks up the topics; it is asked when the first call waits.
        """
        self._settings = settings
        self._sender = sender
        self._correlator = Correlator()
        self._waiting: dict[str, asyncio.Future[ProofResult]] = {}
        self._users = 0
        """Calls that are within `reading`."""
        self._last_used = 0.0
        self._reader: _Reading | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read the topic for the time of the context: what is sent within has its result read.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        self._users += 1
        try:
            await self._start()
            yield
        finally:
            self._users -= 1
            self._last_used = asyncio.get_running_loop().time()

    def expect(self, encoded: EncodedRequest) -> asyncio.Future[ProofResult]:
        """Return the result that a request will have; call `forget` when it is no longer waited for."""
        self._correlator.expect(encoded)
        waiting = self._waiting[encoded.request_id] = _future()
        return waiting

    def forget(self, encoded: EncodedRequest) -> None:
        """Wait no longer for the result of a request."""
        self._correlator.forget(encoded.request_id)
        self._waiting.pop(encoded.request_id, None)

    def acknowledged(self, ticket: Ticket) -> None:
        """Note where a request's record is: its result may come without the header that names it."""
        self._deliver(self._correlator.acknowledged(ticket))

    async def close(self) -> None:
        """Stop reading. Nothing that waits gets an answer any more."""
        reader, self._reader = self._reader, None
        if reader is not None:
            # aiokafka leaves a connection open that is cancelled while it is made: a moment for it to be there.
            await asyncio.wait([reader.ready], timeout=_CONNECTING_TIMEOUT)
            reader.task.cancel()
            with suppress(asyncio.CancelledError):
                await reader.task

    async def _start(self) -> None:
        if self._reader is None:
            ready = _future()
            self._reader = _Reading(asyncio.create_task(self._read(ready)), ready)
        # Not before the position is set: an answer that came in between would be missed.
        await asyncio.shield(self._reader.ready)

    async def _read(self, ready: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            topic = self._settings.result_topic
            partitions = (await self._sender.look_up(topic))[topic]
            async with TopicReader(self._settings, partitions) as reader:
                # What is there already answers somebody else, or an earlier process.
                await reader.start_at_end()
                if not ready.done():
                    ready.set_result(None)
                while self._users or loop.time() < self._last_used + _IDLE:
                    for record in await reader.read(_POLL):
                        self._deliver(self._correlator.match(record))
                # Before the reader is closed, which takes a moment: whoever comes now starts another one.
                self._reader = None
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._reader = None
            if not ready.done():
                ready.set_exception(error)
            # A reader that is made anew begins at the end of the topic: it would have missed their results.
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(error)
        finally:
            # The event loop ends: who waits for the position, or for the end of the start, waits no longer.
            ready.cancel()

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


def _future() -> asyncio.Future[Any]:
    """Make a future of whose exception nobody needs to hear: all who wait may have given up."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda done: None if done.cancelled() else done.exception())
    return future
