"""The synchronous client: for scripts, notebooks, threads and worker processes."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from streamverify.client.client import AsyncClient
from streamverify.client.loop_thread import LoopThread
from streamverify.client.verification import MAX_IN_FLIGHT
from streamverify.core.errors import ClientMisused
from streamverify.core.messages.models import ProofRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterable, Iterator
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Any, Self

    from streamverify.client.cancellation import Cancelled
    from streamverify.client.progress import Progress
    from streamverify.client.requests import Proof, Ticket
    from streamverify.client.results import Results
    from streamverify.client.verification import Answer
    from streamverify.core.messages.models import ProofResult
    from streamverify.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_END = object()


class Client:
    """Hands in proofs and reads verdicts; its methods block. Any number of threads may use one client at once.

    It works inside a running event loop, too, as in a notebook: it has a loop of its own, in a daemon thread. In a
    process that was forked, make a client after the fork.

    Example:
        >>> from streamverify import Client
        >>> with Client("localhost:9092") as client:
        ...     results = client.verify([{"custom_id": "1", "proof": "theorem t : 1 = 1 := rfl"}], timeout=60)
        ...     print(results)
    """

    def __init__(
        self, servers: str | Settings | None = None, *, max_in_flight: int = MAX_IN_FLIGHT, **settings: Any
    ) -> None:
        """Connect nowhere yet, and start no thread.

        Args:
            servers: Kafka brokers, host:port, separated by commas; or all settings. Default: those of the environment
                and `streamverify.toml`.
            max_in_flight: Requests of one call of `verify` that are on their way at once.
            settings: Other settings by their names (docs/settings.md), over those of the environment:
                `result_topic="mine"`.

        Raises:
            SettingsError: The environment, the file or an argument is wrong.
        """
        self._client = AsyncClient(servers, max_in_flight=max_in_flight, **settings)
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._finalizer: weakref.finalize[[LoopThread, int], Client] | None = None

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answers within about ten seconds.
        """
        self._run(self._client.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect. What was submitted stays submitted."""
        self.close()

    def close(self) -> None:
        """Disconnect, and end the thread. What was submitted stays submitted.

        It need not be called: a client that is no longer referred to, or whose process ends, is closed as well.
        """
        # A finalizer runs once: whoever comes first, this, the garbage collector or the end of the process.
        with self._lock:
            finalizer, self._finalizer, self._thread = self._finalizer, None, None
        if finalizer is not None:
            finalizer()

    def submit(self, proof: Proof) -> Ticket:
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
        return self._run(self._client.submit, proof)

    def submit_all(self, proofs: Iterable[Proof]) -> Iterator[Ticket]:
        """Put many proofs on the topic without waiting for each, and yield their tickets, in their order.

        It takes `proofs` as it goes. Raises what `submit` does; what was sent before stays sent.
        """

        async def tickets() -> AsyncGenerator[list[Ticket], None]:
            async for ticket in self._client.submit_all(_source(proofs)):
                yield [ticket]

        return self._iterate(tickets())

    def verify(
        self, proofs: Iterable[Proof], timeout: float | None = None, *, retries: int = 2, progress: Progress = False
    ) -> Results:
        """Send proofs and wait for their verdicts. `AsyncClient.verify` says more of the arguments.

        Args:
            proofs: Each a ProofRequest, a dictionary of its fields, or the text of a Lean file, which gets an id.
            timeout: Seconds for everything; None waits for as long as it takes.
            retries: How often a request is sent again if its result is `retriable`.
            progress: True: show a bar on stderr; or a function of how many are done and how many there are.

        Returns:
            The results, in the order sent; if time was up before, those that are there, and `missing` names the others.

        Raises:
            InvalidRequest: One is no request, or cannot be encoded; of a list none was sent.
            RequestTooLarge: One is larger than the topic takes; others may have been sent.
            BrokerUnavailable: No broker, or no topic.
        """
        return self._run(self._client.verify, _source(proofs), timeout, retries=retries, progress=progress)

    def verify_each(
        self, proofs: Iterable[Proof], timeout: float | None = None, *, retries: int = 2
    ) -> Iterator[Answer]:
        """Send proofs and yield each answer as soon as it is there, with the index of its request, from 0.

        Args:
            proofs: As of `verify`; they are taken as there is room, so they may be more than fit into memory.
            timeout: Seconds for everything; None waits for as long as it takes.
            retries: How often a request is sent again if its result is `retriable`.

        Raises:
            Unanswered: Time was up; it names what has no verdict.
            InvalidRequest, RequestTooLarge, BrokerUnavailable: As `verify` does.
        """
        return self._iterate(self._client.answers(_source(proofs), timeout, retries=retries))

    def results(self, since: datetime | timedelta | None = None, *, follow: bool = False) -> Iterator[ProofResult]:
        """Read the topic of verdicts, each partition in its order. What is no ProofResult is skipped and logged.

        Args:
            since: Only results produced then or later; a timedelta counts back from now; None: all that is kept.
            follow: Go on with what is produced next, for ever. Otherwise it ends with what was there at its start.

        Raises:
            BrokerUnavailable: No broker, or no topic.
        """
        return self._iterate(self._client.result_chunks(since, follow=follow))

    def cancel(
        self,
        *,
        run: str | None = None,
        group: str | None = None,
        ids: Iterable[str] = (),
        api_key: str | None = None,
        dry_run: bool = False,
    ) -> Cancelled:
        """Have what waits of some requests answered as `superseded`, without running it.

        `AsyncClient.cancel` says what the names mean.

        Returns:
            When it was, and how many requests may be concerned. It waits for no worker.

        Raises:
            ClientMisused: There is no condition, or one that no request can meet.
            BrokerUnavailable: No broker, or no topic.
        """
        return self._run(self._client.cancel, run=run, group=group, ids=ids, api_key=api_key, dry_run=dry_run)

    def _run(self, method: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **named: P.kwargs) -> T:
        return self._started().run(method(*args, **named))

    def _iterate(self, chunks: AsyncGenerator[list[T], None]) -> Iterator[T]:
        """Yield what is in the chunks; leaving the loop early closes them."""
        thread = self._started()

        async def next_chunk() -> list[T] | None:
            return await anext(chunks, None)

        # Chunks, not items: each turn costs a switch of threads.
        try:
            while (chunk := thread.run(next_chunk())) is not None:
                yield from chunk
        finally:
            # A client that was closed has closed them, too.
            with suppress(ClientMisused):
                thread.run(_close(chunks))

    def _started(self) -> LoopThread:
        """Return the thread, started if there is none.

        Raises:
            ClientMisused: This process is a fork of the one that made the client.
        """
        # Before the lock, which another thread may have held when the process was forked.
        self._client.refuse_a_fork()
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread("streamverify-client")
                # Also when the process ends: then the producer sends what it has, and says goodbye.
                self._finalizer = weakref.finalize(self, _end, self._thread, os.getpid())
            return self._thread


def _end(thread: LoopThread, pid: int) -> None:
    """End a client's thread, but not in a fork, where there is none."""
    if os.getpid() == pid:
        thread.end()


async def _close(chunks: AsyncGenerator[Any, None]) -> None:
    await chunks.aclose()


def _source(proofs: Iterable[Proof]) -> Iterable[Proof] | AsyncIterable[Proof]:
    """Take from an iterator in a thread, as its next item may take time and the event loop must go on."""
    # A list is there already; its length is known, and a wrong request in it is found before anything is sent.
    if isinstance(proofs, str | Mapping | ProofRequest | Sequence):
        return proofs
    iterator = iter(proofs)

    async def taken() -> AsyncIterator[Proof]:
        while (proof := await asyncio.to_thread(next, iterator, _END)) is not _END:
            yield cast("Proof", proof)

    return taken()
