"""The client itself: what a program, and our own command line, talks to."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import structlog
from aiokafka import TopicPartition

from streamverify.bus.topics import open_admin, topic_partitions
from streamverify.client.answers import Correlator, Unanswered
from streamverify.client.outgoing import prepare
from streamverify.client.reader import ResultReader
from streamverify.client.sender import Sender
from streamverify.core.codec import decode_result
from streamverify.core.errors import StreamVerifyError
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable
    from types import TracebackType
    from typing import Any, Self

    from streamverify.client.answers import Answer
    from streamverify.client.outgoing import Outgoing, Ticket
    from streamverify.core.models import ProofRequest, ProofResult
    from streamverify.settings import Settings

_T = TypeVar("_T")

_POLL = 0.5
"""Seconds after which a wait for records looks whether something else has happened."""

_log = structlog.get_logger(__name__)


class Client:
    """Hands in proofs and reads verdicts. An asynchronous context manager; use it in one event loop.

    Example:
        >>> async with Client(bootstrap_servers="localhost:9092") as client:
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
        give_up = None if timeout is None else time.monotonic() + timeout
        partitions = await self._sender.partitions(self._settings.result_topic)
        open_requests = Correlator(batch)
        async with ResultReader(self._settings, partitions) as reader:
            # Before the first request is sent: an answer cannot come before its request.
            await reader.start_at_end()
            early: asyncio.Queue[Answer] = asyncio.Queue()
            sending = asyncio.create_task(self._send(batch, open_requests, early))
            try:
                while not (open_requests.done and early.empty()):
                    if sending.done():
                        sending.result()
                    for record in await reader.read(_wait_until(give_up)):
                        answer = open_requests.match(record)
                        if answer is not None:
                            self._sender.took(batch[answer.index].key, answer.result.timings.run)
                            yield answer
                    while not early.empty():
                        yield early.get_nowait()
                    if give_up is not None and time.monotonic() >= give_up and not open_requests.done:
                        raise Unanswered(open_requests.open, len(batch), timeout or 0.0)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

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

    async def _send(self, batch: list[Outgoing], open_requests: Correlator, early: asyncio.Queue[Answer]) -> None:
        async for ticket in self._sender.send_all(_each(batch)):
            answer = open_requests.acknowledged(ticket)
            if answer is not None:
                early.put_nowait(answer)

    def _prepare(self, request: ProofRequest) -> Outgoing:
        self._sent += 1
        return prepare(request, f"{self._name}-{self._sent}")

    async def _prepare_all(
        self, requests: Iterable[ProofRequest] | AsyncIterable[ProofRequest]
    ) -> AsyncIterator[Outgoing]:
        async for request in _each(requests):
            yield self._prepare(request)


async def _each(items: Iterable[_T] | AsyncIterable[_T]) -> AsyncIterator[_T]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for item in items:
        yield item


def _wait_until(give_up: float | None) -> float:
    """Seconds to wait for records now."""
    return _POLL if give_up is None else min(_POLL, max(0.0, give_up - time.monotonic()))


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
            "no_result", topic=record.topic, partition=record.partition, offset=record.offset, error=str(error)
        )
        return None
