"""One call of `verify`: sends its requests within a window, sends again what is retriable, and collects the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.client.requests import size_of
from streamverify.core.errors import StreamVerifyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

    from streamverify.core.messages.models import ProofRequest, ProofResult

MAX_IN_FLIGHT = 2000
"""Requests of one call that are on their way, or answered and not yet taken by the caller."""
MAX_BYTES_IN_FLIGHT = 64 * 1024**2
"""Bytes of them, so that few large proofs take no more memory than many small ones."""
_PAUSES = (0.2, 1.0, 5.0)
"""Seconds before a retriable request is sent again for the first, second, and each further time."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on the request that was the `index`-th (from 0) of those handed in."""

    index: int
    result: ProofResult


class Unanswered(StreamVerifyError):
    """Time was up before every request had its verdict. Those that were sent may still get one, on the topic.

    `custom_ids` names those without a verdict, in the order of the requests. Of a list or tuple it also names those
    that were not sent yet.
    """

    exit_code = 3

    def __init__(self, custom_ids: Sequence[str], total: int, timeout: float) -> None:
        """Make the sentence: some of the ids of so many requests, and the seconds that they had."""
        named = ", ".join(_short(custom_id) for custom_id in custom_ids[:_SHOWN])
        more = f" and {len(custom_ids) - _SHOWN} more" if len(custom_ids) > _SHOWN else ""
        super().__init__(
            f"{len(custom_ids)} of {total} proofs had no verdict within {timeout:g} s ({named}{more}); is a worker "
            "running? They stay on the topic: a worker that comes later answers them."
        )
        self.custom_ids = tuple(custom_ids)


def _short(custom_id: str) -> str:
    return repr(custom_id if len(custom_id) <= 40 else custom_id[:39] + "…")  # noqa: PLR2004 - fits a line


class Verification:
    """The requests of one call, and the answers to them that the caller has not taken yet.

    A request moves on from left to right. What is not taken when time is up is missing, or has its inconclusive result:

        in the caller's iterator --> open: sent --> ready: its result is final --> taken by the caller
                                      ^    |
                                      +----+ sent again: its result was retriable
    """

    def __init__(  # noqa: PLR0913 - each has its default
        self,
        exchange: Callable[[ProofRequest], Awaitable[ProofResult]],
        requests: AsyncIterator[ProofRequest],
        *,
        timeout: float | None,
        retries: int,
        max_in_flight: int = MAX_IN_FLIGHT,
        unsent: Callable[[int], Sequence[str]] = lambda _sent: (),
    ) -> None:
        """Nothing is sent yet.

        Args:
            exchange: Sends one request, and returns its result.
            requests: They are taken from it as there is room for them.
            timeout: Seconds for everything; None: as long as it takes.
            retries: How often a request is sent again whose result is retriable.
            max_in_flight: Requests that are on their way, or answered and not yet taken, at once.
            unsent: The custom_ids of all requests but the first so many, where they are known.
        """
        self._exchange = exchange
        self._requests = requests
        self._timeout = timeout
        self._retries = retries
        self._max_in_flight = max_in_flight
        self._unsent = unsent
        self._open: dict[int, ProofRequest] = {}
        """Requests that were begun and have no answer that the caller has taken."""
        self._bytes = 0
        self._begun = 0
        self._ready: list[Answer] = []
        self._inconclusive: dict[int, ProofResult] = {}
        """Results of requests that are being sent again: what they get if time is up before."""
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def answers(self) -> AsyncGenerator[list[Answer], None]:
        """Send everything; yields all answers that are there, as soon as there is one.

        Raises:
            Unanswered: Time was up. What had come by then was yielded before.
            StreamVerifyError: A request cannot be sent, or a result not be read; the rest is given up.
        """
        loop = asyncio.get_running_loop()
        give_up = float("inf") if self._timeout is None else loop.time() + self._timeout
        # Nothing else may happen by then: the loop below would wait for ever.
        alarm = None if self._timeout is None else loop.call_at(give_up, self._changed.set)
        feeder = asyncio.create_task(self._feed())
        feeder.add_done_callback(self._ended)
        try:
            while self._open or not feeder.done():
                self._changed.clear()
                if self._failure is not None:
                    raise self._failure
                if loop.time() >= give_up:
                    break
                if self._ready:
                    yield self._take()
                else:
                    await self._changed.wait()
        finally:
            if alarm is not None:
                alarm.cancel()
            feeder.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(feeder, *self._tasks, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        # The last answers may have come while the tasks were ended.
        self._ready += [Answer(index, result) for index, result in self._inconclusive.items()]
        if self._ready:
            yield self._take()
        missing = [self._open[index].custom_id for index in sorted(self._open)]
        missing += self._unsent(self._begun)
        if missing:
            raise Unanswered(missing, self._begun + len(self._unsent(self._begun)), self._timeout or 0.0)

    async def _feed(self) -> None:
        """Begin one request after the other, as long as there is room for it."""
        async for request in self._requests:
            size = size_of(request)
            # One is always begun, however large.
            while self._open and (len(self._open) >= self._max_in_flight or self._bytes + size > MAX_BYTES_IN_FLIGHT):
                self._room.clear()
                await self._room.wait()
            self._open[self._begun] = request
            self._bytes += size
            task = asyncio.create_task(self._answer(self._begun, request))
            self._begun += 1
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _answer(self, index: int, request: ProofRequest) -> None:
        """Send a request until its result is final, or it was sent often enough."""
        result = await self._exchange(request)
        for attempt in range(self._retries):
            if not result.retriable:
                break
            # No verdict, and perhaps the fault of one worker: the next to get it may do better.
            self._inconclusive[index] = result
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            result = await self._exchange(request)
        # From here on it has an answer of its own, which is not given a second time when time is up.
        self._inconclusive.pop(index, None)
        self._ready.append(Answer(index, result))
        self._changed.set()

    def _take(self) -> list[Answer]:
        """Give what is ready to the caller, which makes room for as many requests."""
        taken, self._ready = self._ready, []
        for answer in taken:
            self._bytes -= size_of(self._open.pop(answer.index))
        self._room.set()
        return taken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
        self._changed.set()
