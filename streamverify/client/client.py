"""The client: a program, and our own command line, hands in proofs and reads verdicts with it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import structlog
from aiokafka import TopicPartition

from streamverify.bus.admin import open_admin
from streamverify.bus.reader import ResultReader
from streamverify.bus.topics import topic_partitions
from streamverify.client.correlator import Correlator, Unanswered
from streamverify.client.requests import prepare
from streamverify.client.sender import Sender
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.codec import decode_result
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
    from types import TracebackType
    from typing import Any, Self

    from streamverify.client.correlator import Answer
    from streamverify.client.requests import EncodedRequest, Ticket
    from streamverify.core.messages.models import ProofRequest, ProofResult
    from streamverify.settings import Settings

_T = TypeVar("_T")

_POLL = 0.5
"""Seconds that one wait for records lasts at most: other things may have happened meanwhile."""

_log = structlog.get_logger(__name__)


class AsyncClient:
    """Hands in proofs and reads verdicts. An asynchronous context manager; use it in one event loop.

    Example:
        >>> async with AsyncClient(bootstrap_servers="localhost:9092") as client:
        ...     request = ProofRequest(custom_id="1", proof="theorem t : 1 = 1 := rfl")
        ...     [result] = await client.verify([request], timeout=60)
        ...     print(result.status)
    """

    def __init__(self, settings: Settings | None = None, *, bootstrap_servers: str | None = None) -> None:
        """Connect nowhere yet.

        Args:
            settings: Default: those of the environment and `streamverify.toml`.
            bootstrap_servers: Kafka brokers, host:port, separated by commas, over what the settings say.

        Raises:
            SettingsError: The environment or the file is wrong.
        """
        if settings is None:
            settings = load_settings(bootstrap_servers=bootstrap_servers)
        elif bootstrap_servers is not None:
            settings = settings.model_copy(update={"bootstrap_servers": bootstrap_servers})
        self._settings = settings
        self._sender = Sender(settings)
        self._name = secrets.token_hex(8)
        self._sent = 0

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers within about ten seconds.
        """
        # Not the producer yet: who only reads results needs no right to write.
        await (await open_admin(self._settings)).close()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect. What was submitted stays submitted."""
        await self._sender.stop()

    async def submit(self, request: ProofRequest) -> Ticket:
        """Put one proof on the topic; returns when the broker has it.

        Raises:
            InvalidRequest: It cannot be encoded.
            RequestTooLarge: The broker does not take records of that size.
            BrokerUnavailable: It was not acknowledged, or there is no topic.
        """
        return await self._sender.send(self._prepare(request))

    async def submit_all(
        self, requests: Iterable[ProofRequest] | AsyncIterable[ProofRequest]
    ) -> AsyncGenerator[Ticket, None]:
        """Put many proofs on the topic without waiting for each; yields their tickets, in their order.

        It takes `requests` as it goes, so they may be more than fit into memory. Raises what `submit` does; what
        was sent before stays sent.
        """
        async for ticket in self._sender.send_all(self._prepare_all(requests)):
            yield ticket

    async def verify(
        self,
        requests: Iterable[ProofRequest],
        timeout: float | None = None,
    ) -> list[ProofResult]:
        """Send proofs and wait for all verdicts; they come in the order of `requests`.

        Args:
            requests: Their custom_ids need not differ: each gets its own answer.
            timeout: Seconds for everything; None waits for as long as it takes.

        Raises:
            Unanswered: Time was up; `.results` has what came, None where nothing did. No verdict is made up.
            InvalidRequest, RequestTooLarge: One cannot be sent; none was (RequestTooLarge of a topic with an own
                limit: some may have been).
            BrokerUnavailable: No broker, or no topic.
        """
        batch = list(requests)
        results: list[ProofResult | None] = [None] * len(batch)
        try:
            async for answer in self.verify_each(batch, timeout):
                results[answer.index] = answer.result
        except Unanswered as error:
            error.results = results
            raise
        return [result for result in results if result is not None]

    async def verify_each(
        self,
        requests: Iterable[ProofRequest],
        timeout: float | None = None,
    ) -> AsyncGenerator[Answer, None]:
        """Like `verify`, but yields each answer as soon as it is there, with the index of its request.

        Leaving the loop early? Wrap it in `contextlib.aclosing`, so that its connection is closed at once.
        """
        batch = [self._prepare(request) for request in requests]
        if not batch:
            return
        give_up = float("inf") if timeout is None else time.monotonic() + timeout
        partitions = await self._sender.partitions(self._settings.result_topic)
        open_requests = Correlator(batch)
        early: deque[Answer] = deque()
        async with ResultReader(self._settings, partitions) as reader:
            # Before the first request is sent: an answer cannot come before its request.
            await reader.start_at_end()
            async with _background(self._send(batch, open_requests, early)) as sending:
                while early or not open_requests.done:
                    if sending.done():
                        sending.result()  # raises what ended it, if it did not send everything
                    for record in await reader.read(min(_POLL, max(0.0, give_up - time.monotonic()))):
                        answer = open_requests.match(record)
                        if answer is not None:
                            self._sender.took(batch[answer.index].key, answer.result.timings.run)
                            yield answer
                    while early:
                        yield early.popleft()
                    if time.monotonic() >= give_up and not open_requests.done:
                        raise Unanswered(open_requests.open, len(batch), timeout or 0.0)

    async def results(
        self, since: datetime | timedelta | None = None, *, follow: bool = False
    ) -> AsyncGenerator[ProofResult, None]:
        """The topic of verdicts, each partition in its order. Records that are no ProofResult are skipped and logged.

        Args:
            since: Only results produced then or later; a timedelta counts back from now; None: all that is kept.
            follow: Go on with what is produced next, for ever. Otherwise it ends with what was there at its start.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        first = _milliseconds(since)
        partitions = await topic_partitions(self._settings, self._settings.result_topic)
        async with ResultReader(self._settings, partitions) as reader:
            ends = await reader.ends()
            await reader.start_at(first)
            while follow or not await reader.reached(ends):
                for record in await reader.read(_POLL):
                    beyond = record.offset >= ends[TopicPartition(record.topic, record.partition)]
                    if record.timestamp < first or (beyond and not follow):
                        continue
                    result = _decode(record)
                    if result is not None:
                        yield result

    async def _send(self, batch: list[EncodedRequest], open_requests: Correlator, early: deque[Answer]) -> None:
        """Send the batch. `early` gets the answers that were read before the broker said where their request lies."""
        async for ticket in self._sender.send_all(_each(batch)):
            if answer := open_requests.acknowledged(ticket):
                early.append(answer)

    def _prepare(self, request: ProofRequest) -> EncodedRequest:
        self._sent += 1
        return prepare(request, f"{self._name}-{self._sent}")

    async def _prepare_all(
        self, requests: Iterable[ProofRequest] | AsyncIterable[ProofRequest]
    ) -> AsyncIterator[EncodedRequest]:
        async for request in _each(requests):
            yield self._prepare(request)


async def _each(items: Iterable[_T] | AsyncIterable[_T]) -> AsyncIterator[_T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for item in items:
        yield item


@asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncGenerator[asyncio.Task[None], None]:
    """Run `work` beside the block; what is not done at its end is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _milliseconds(since: datetime | timedelta | None) -> int:
    """A time, or a length of time before now, in milliseconds since the epoch; never below 0."""
    if since is None:
        return 0
    moment = datetime.now(UTC) - since if isinstance(since, timedelta) else since
    return max(0, int(moment.timestamp() * 1000))


def _decode(record: Any) -> ProofResult | None:
    try:
        return decode_result(record.value)
    except StreamVerifyError as error:
        _log.warning(
            "undecodable_result",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=str(error),
            hint="skipped: no worker of ours wrote this record, or a newer one did",
        )
        return None
