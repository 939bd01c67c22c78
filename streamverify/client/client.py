"""The asynchronous client: a program, and our own command line, hands in proofs and reads verdicts with it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from streamverify.bus.admin import open_admin
from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.client.cancellation import cancel
from streamverify.client.client_connection import ClientConnection
from streamverify.client.progress import progress_of
from streamverify.client.requests import as_request
from streamverify.client.result_topic import decode
from streamverify.client.results import Results
from streamverify.client.verification import MAX_IN_FLIGHT, Unanswered, Verification
from streamverify.core.errors import ClientMisused
from streamverify.core.groups.cancellation import Names
from streamverify.core.messages.models import ProofRequest
from streamverify.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
    from types import TracebackType
    from typing import Any, Self

    from streamverify.client.cancellation import Cancelled
    from streamverify.client.progress import Progress
    from streamverify.client.requests import Proof, Ticket
    from streamverify.client.verification import Answer
    from streamverify.core.errors import RequestTooLarge
    from streamverify.core.messages.models import ProofResult

    Proofs = Iterable[Proof] | AsyncIterable[Proof]


class _Open(NamedTuple):
    """A connection, and the event loop in which it is open until its keeper is closed."""

    loop: asyncio.AbstractEventLoop
    connection: ClientConnection
    keeper: AsyncGenerator[None, None]


class AsyncClient:
    """Hands in proofs and reads verdicts. Use it in one event loop; many tasks may use it at once.

    It connects when it is first used. `async with` looks at once whether a broker answers, and closes it at the end;
    without, it is closed with the event loop.

        closed --- the first call that sends ---> open in the event loop of that call
           ^                                                    |
           +------------- close(), or that loop ends -----------+

    Example:
        >>> async with AsyncClient("localhost:9092") as client:
        ...     results = await client.verify([{"custom_id": "1", "proof": "theorem t : 1 = 1 := rfl"}], timeout=60)
        ...     print(results)
    """

    def __init__(
        self,
        servers: str | Settings | None = None,
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
        **settings: Any,
    ) -> None:
        """Connect nowhere yet.

        Args:
            servers: Kafka brokers, host:port, separated by commas; or all settings. Default: those of the environment
                and `streamverify.toml`.
            max_in_flight: Requests of one call of `verify` that are on their way at once.
            settings: Other settings by their names (docs/settings.md), over those of the environment:
                `result_topic="mine"`.

        Raises:
            SettingsError: The environment, the file or an argument is wrong.
        """
        if isinstance(servers, Settings):
            self._settings = servers.model_copy(update=settings)
        else:
            given = settings if servers is None else {"bootstrap_servers": servers, **settings}
            self._settings = load_settings(**given)
        self._max_in_flight = max_in_flight
        # A fork has copies of our sockets, and no thread and no loop to use them with.
        self._pid = os.getpid()
        self._open: _Open | None = None

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
        await self.close()

    async def close(self) -> None:
        """Disconnect. What was submitted stays submitted. A client that is used again connects again."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.keeper.aclose()

    async def submit(self, proof: Proof) -> Ticket:
        """Put one proof on the topic; returns when the broker has it.

        Args:
            proof: A ProofRequest, a dictionary of its fields, or the text of a Lean file, which gets an id.

        Returns:
            Where its record is: topic, partition, offset, and its timestamp in milliseconds since the epoch.

        Raises:
            InvalidRequest: It is no request, or cannot be encoded.
            RequestTooLarge: The broker does not take records of that size.
            BrokerUnavailable: It was not acknowledged, or there is no topic.
        """
        connection = await self._connection()
        return await connection.sender.send(connection.encode(as_request(proof, connection.new_id)))

    async def submit_all(self, proofs: Proofs) -> AsyncGenerator[Ticket, None]:
        """Put many proofs on the topic without waiting for each.

        It takes `proofs` as it goes, so they may be more than fit into memory.

        Yields:
            Their tickets, in their order, as the broker acknowledges them.

        Raises:
            InvalidRequest, RequestTooLarge, BrokerUnavailable: As `submit` does. What was sent before stays sent.
        """
        connection = await self._connection()
        encoded = (connection.encode(request) async for request in _requests(connection, proofs))
        async for ticket in connection.sender.send_all(encoded):
            yield ticket

    async def refusal(self, request: ProofRequest) -> RequestTooLarge | None:
        """Return the reason why a request is too large for the topic, None where it is not. Nothing is sent.

        Raises:
            InvalidRequest: It cannot be encoded.
            BrokerUnavailable: No broker, or no topic.
        """
        connection = await self._connection()
        if connection.sender.limit.surely_takes(request):
            return None
        return await connection.sender.refusal(connection.encode(request))

    async def verify(
        self, proofs: Proofs, timeout: float | None = None, *, retries: int = 2, progress: Progress = False
    ) -> Results:
        """Send proofs and wait for their verdicts.

        Args:
            proofs: Each a ProofRequest, a dictionary of its fields, or the text of a Lean file, which gets an id. Their
                custom_ids need not differ: each gets its own answer.
            timeout: Seconds for everything; None waits for as long as it takes.
            retries: How often a request is sent again if its result is `retriable`. The last result counts; all of
                them are on the topic.
            progress: True: show a bar on stderr; or a function, called with how many are done and how many there are
                (None where that is not known).

        Returns:
            The results, in the order sent. If time was up before all were there, what is there; its `missing` names
            the others, which stay on the topic. No verdict is made up.

        Raises:
            InvalidRequest: One is no request, or cannot be encoded; of a list none was sent.
            RequestTooLarge: One is larger than the topic takes; others may have been sent.
            BrokerUnavailable: No broker, or no topic.
        """
        found: dict[int, ProofResult] = {}
        missing: Sequence[str] = ()
        # Before anything is sent, and before a bar is drawn: of a list a wrong request is found at once.
        proofs = _whole(await self._connection(), proofs)
        with progress_of(progress, len(proofs) if isinstance(proofs, Sequence) else None) as done:
            try:
                async for answers in self.answers(proofs, timeout, retries=retries):
                    found |= {answer.index: answer.result for answer in answers}
                    done(len(found))
            except Unanswered as error:
                missing = error.custom_ids
        return Results(found, missing, timeout)

    async def verify_each(
        self, proofs: Proofs, timeout: float | None = None, *, retries: int = 2
    ) -> AsyncGenerator[Answer, None]:
        """Send proofs as `verify` does, and yield each answer as soon as it is there.

        It takes `proofs` as it goes, with at most `max_in_flight` on their way, so they may be more than fit into
        memory. Leaving the loop early? Wrap it in `contextlib.aclosing`, so that the rest is given up at once.

        Args:
            proofs: As of `verify`.
            timeout: Seconds for everything; None waits for as long as it takes.
            retries: How often a request is sent again if its result is `retriable`.

        Yields:
            Each answer with the index of its request, from 0.

        Raises:
            Unanswered: Time was up; it names what has no verdict.
            InvalidRequest, RequestTooLarge, BrokerUnavailable: As `verify` does.
        """
        async with aclosing(self.answers(proofs, timeout, retries=retries)) as chunks:
            async for answers in chunks:
                for answer in answers:
                    yield answer

    async def answers(
        self, proofs: Proofs, timeout: float | None = None, *, retries: int = 2
    ) -> AsyncGenerator[list[Answer], None]:
        """Do what `verify_each` does, and yield all the answers that are there at once, in a list.

        Args:
            proofs: As of `verify`.
            timeout: Seconds for everything; None waits for as long as it takes.
            retries: How often a request is sent again if its result is `retriable`.

        Raises:
            Unanswered, InvalidRequest, RequestTooLarge, BrokerUnavailable: As `verify_each` does.
        """
        connection = await self._connection()
        proofs = _whole(connection, proofs)
        async with connection.inbox.reading():
            verification = Verification(
                connection.exchange,
                _requests(connection, proofs),
                timeout=timeout,
                retries=retries,
                max_in_flight=self._max_in_flight,
                unsent=_unsent(proofs),
            )
            async with aclosing(verification.answers()) as chunks:
                async for answers in chunks:
                    yield answers

    async def results(
        self, since: datetime | timedelta | None = None, *, follow: bool = False
    ) -> AsyncGenerator[ProofResult, None]:
        """Read the topic of verdicts, each partition in its order. What is no ProofResult is skipped and logged.

        Args:
            since: Only results produced then or later; a timedelta counts back from now; None: all that is kept.
            follow: Go on with what is produced next, for ever. Otherwise it ends with what was there at its start.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        async with aclosing(self.result_chunks(since, follow=follow)) as chunks:
            async for chunk in chunks:
                for result in chunk:
                    yield result

    async def result_chunks(
        self, since: datetime | timedelta | None = None, *, follow: bool = False
    ) -> AsyncGenerator[list[ProofResult], None]:
        """Do what `results` does, and yield as many as were read at once, in a list."""
        self.refuse_a_fork()
        first = _milliseconds(since)
        partitions = await topic_partitions(self._settings, self._settings.result_topic)
        async with TopicReader(self._settings, partitions) as reader:
            # The ends first: what is produced while the positions are looked up is no part of this reading.
            ends = await reader.ends()
            await reader.start_at(first)
            async for records in reader.chunks(None if follow else ends):
                # The broker finds the first offset of that time; after it there may be records of an earlier one.
                found = [decode(record) for record in records if record.timestamp >= first]
                if chunk := [result for result in found if result is not None]:
                    yield chunk

    async def cancel(
        self,
        *,
        run: str | None = None,
        group: str | None = None,
        ids: Iterable[str] = (),
        api_key: str | None = None,
        dry_run: bool = False,
    ) -> Cancelled:
        """Have the workers answer what waits of some requests as `superseded`, without running it.

        Meant are requests that are on the topic now, and meet every condition that is given; of `ids` any one. Those
        that are sent later are run.

        Args:
            run: Of this run.
            group: Of this group of attempts.
            ids: With one of these custom_ids.
            api_key: Sent to a gateway with the API key of this name.
            dry_run: Cancel nothing, and count what would be.

        Returns:
            When it was, and how many requests may be concerned. It waits for no worker.

        Raises:
            ClientMisused: There is no condition, or one that no request can meet.
            BrokerUnavailable: No broker, or no topic.
        """
        self.refuse_a_fork()
        # One id is a text, which is a list of its letters otherwise.
        names = Names(run, group, frozenset([ids] if isinstance(ids, str) else ids), api_key)
        return await cancel(self._settings, names, dry_run=dry_run)

    def refuse_a_fork(self) -> None:
        """Raise ClientMisused in a process that was forked from the one that made the client."""
        if os.getpid() != self._pid:
            raise ClientMisused(
                f"this client was made in the process {self._pid}, and this is a fork of it ({os.getpid()}), where its "
                "connections cannot be used: make a client after the fork, in each worker process"
            )

    async def _connection(self) -> ClientConnection:
        """Return what is open in this event loop, opened if it is not."""
        self.refuse_a_fork()
        loop = asyncio.get_running_loop()
        # A loop that has ended has closed what was open in it: the next one begins anew.
        if self._open is None or self._open.loop.is_closed():
            connection = ClientConnection(self._settings, secrets.token_hex(8))
            keeper = connection.keep_open()
            self._open = _Open(loop, connection, keeper)
            # A generator that has begun is closed by the event loop.
            await anext(keeper)
        if self._open.loop is not loop:
            raise ClientMisused(
                "this AsyncClient is in use in another event loop: make one for each, or use Client, which is for "
                "threads"
            )
        return self._open.connection


def _whole(connection: ClientConnection, proofs: Proofs) -> Proofs:
    """Make the requests of a list, so that a wrong one is found before anything is sent."""
    if isinstance(proofs, str | Mapping | ProofRequest):
        proofs = [proofs]
    if not isinstance(proofs, Sequence):
        return proofs
    return [as_request(proof, connection.new_id, f"proof {n}: ") for n, proof in enumerate(proofs)]


def _unsent(proofs: Proofs) -> Callable[[int], Sequence[str]]:
    """Return how to name the proofs that were not begun, which is known of a list alone."""
    if isinstance(proofs, Sequence):
        return lambda begun: [getattr(proof, "custom_id", "") for proof in proofs[begun:]]
    return lambda _begun: ()


async def _requests(connection: ClientConnection, proofs: Proofs) -> AsyncIterator[ProofRequest]:
    """Make the requests one after the other, as there is room for them."""
    if isinstance(proofs, AsyncIterable):
        position = 0
        async for proof in proofs:
            yield as_request(proof, connection.new_id, f"proof {position}: ")
            position += 1
        return
    for position, proof in enumerate(proofs):
        yield as_request(proof, connection.new_id, f"proof {position}: ")


def _milliseconds(since: datetime | timedelta | None) -> int:
    """Return a time, or a length of time before now, in milliseconds since the epoch; never below 0."""
    if since is None:
        return 0
    moment = datetime.now(UTC) - since if isinstance(since, timedelta) else since
    return max(0, int(moment.timestamp() * 1000))
