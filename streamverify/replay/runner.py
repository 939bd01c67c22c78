"""Sends the attempts of a data set and collects their verdicts; goes on where an earlier process was ended.

What is unanswered, where to read and when to send is decided in `core/datasets/`. Here that is carried out. Memory is
flat: of an unanswered request its number, id and key are kept, and no proof.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson

from streamverify.client.correlator import Correlator
from streamverify.client.requests import REQUEST_ID, EncodedRequest, Ticket, prepare
from streamverify.core.datasets.resume import Ledger, Unanswered, number_of, request_id, where_to_read
from streamverify.core.datasets.verdict_row import unsent_row, verdict_row
from streamverify.core.errors import InvalidRequest, RequestTooLarge, UndecodableResult
from streamverify.replay.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from streamverify.client.correlator import Match
    from streamverify.core.datasets.attempts import Attempt
    from streamverify.core.datasets.pace import Pace
    from streamverify.replay.wire import Wire

_T = TypeVar("_T")

_COMMIT = 0.5
"""Seconds between two commits to the state."""
_FULL = 2_000
"""Rows that are worth a commit at once."""
_TOO_MANY = 20_000
"""Rows that wait for a commit before nothing more is sent."""
_SENDING = 1000
"""Requests that the broker has not acknowledged, at most."""
_SILENCE = 60.0
"""Seconds without a verdict before a person is told what may be missing."""


class Journal(Protocol):
    """Where the verdicts of a replay are kept (`replay/state.py`)."""

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted of the replay."""

    def positions(self) -> dict[int, int]:
        """How far the result topic was read."""

    def answered(self, numbers: Collection[int]) -> set[int]:
        """Which of these attempts have their row."""

    def last(self) -> int:
        """The highest number of an attempt with a row."""

    def commit(
        self, rows: Collection[tuple[int, Mapping[str, Any]]], positions: Mapping[int, int], facts: Mapping[str, Any]
    ) -> None:
        """Write rows, positions and facts, all or nothing."""


class Runner:
    """One process's part of a replay."""

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        wire: Wire,
        pace: Pace,
        replay: str,
        *,
        journal: Journal | None = None,
        tally: Tally | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            wire: To Kafka.
            pace: When the next request is sent.
            replay: What all request ids of this replay begin with.
            journal: Where verdicts are kept; None: they are only counted.
            tally: Counts; it goes on from what it has.
            say: Tells a person what is worth knowing.
        """
        self._wire = wire
        self._pace = pace
        self._replay = replay
        self._journal = journal
        self.tally = tally or Tally()
        self._say = say
        self._ledger = Ledger()
        self._correlator = Correlator()
        self._positions: dict[int, int] = {}
        self._rows: list[tuple[int, dict[str, Any]]] = []
        """Rows that no commit has."""
        self._batch: list[tuple[int, dict[str, Any]]] = []
        """Rows of the commit that goes on."""
        self._sent_before: set[int] = set()
        """What an earlier process had sent and that was unanswered at the start of this one."""
        self._before = -1
        """The highest number that an earlier process may have sent."""
        self._read_all = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._due = asyncio.Event()
        """A commit is due at once."""
        self._writing: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._heard = 0.0
        self._started = time.monotonic()
        self._earlier = 0.0  # seconds of earlier processes

    async def run(self, attempts: AsyncIterator[Sequence[Attempt]]) -> None:
        """Send what is unsent, and wait for every answer.

        Args:
            attempts: All attempts of the replay, also those that were sent before, in the order of their numbers.

        Raises:
            StreamVerifyError: The broker, the source or the state fails. What is answered by then is kept.
        """
        self._earlier = self.tally.seconds
        await self._take_up()
        tasks = [
            asyncio.create_task(work) for work in (self._feed(attempts), self._collect(), self._commit_now_and_then())
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            while not (self._read_all and not self._ledger and not self._sending):
                self._changed.clear()
                if self._failure is not None:
                    raise self._failure
                await self._changed.wait()
        finally:
            for task in (*tasks, *self._sending):
                task.cancel()
            await asyncio.gather(*tasks, *self._sending, return_exceptions=True)
            if self._writing is not None:
                # It writes in a thread, which goes on though nobody waits for it.
                await asyncio.gather(self._writing, return_exceptions=True)
            facts = self._facts()
            if self._journal is not None:
                # Where the last commit failed, its rows are tried again: the positions are beyond them by now.
                self._journal.commit([*self._batch, *self._rows], self._safe_positions(), facts)

    async def _take_up(self) -> None:
        """Find out where to read from, and what an earlier process has sent that is not answered."""
        there = await self._wire.range()
        stored = self._journal.positions() if self._journal is not None else {}
        self._positions = dict(there.ends)
        if self._journal is not None:
            if stored:
                self._positions, lost = where_to_read(stored, *there)
                self._before = self._journal.last()
                if not lost:
                    await self._find_unanswered(self._journal)
            # Before anything is sent: from these positions on every answer to it will be.
            self._journal.commit((), self._positions, self._facts())
        self._wire.read_from(self._positions)

    async def _find_unanswered(self, journal: Journal) -> None:
        """Wait for the answers to what an earlier process has sent, as far as there are none yet."""
        sent: list[tuple[Ticket, bytes]] = []
        read: dict[int, tuple[Ticket, bytes]] = {}
        async for record in self._wire.sent_since(journal.facts.get("look_from", 0)):
            name = next((value or b"" for name, value in record.headers if name == REQUEST_ID), b"").decode(
                "ascii", "replace"
            )
            number = number_of(self._replay, name)
            if number is not None:
                place = (record.topic, record.partition, record.offset, record.timestamp)
                read[number] = Ticket(_custom_id(record.value), name, *place), record.key or b""
                self._before = max(self._before, number)
            if len(read) >= _FULL:
                sent += _without(read, journal.answered(read))
                read = {}
        sent += _without(read, journal.answered(read))
        for ticket, key in sorted(sent, key=lambda each: each[0].timestamp):
            number = number_of(self._replay, ticket.request_id)
            if number is not None and number not in self._ledger:
                self._correlator.expect(EncodedRequest(ticket.custom_id, ticket.request_id, key, b""))
                self._correlator.acknowledged(ticket)
                self._ledger.sent(number, Unanswered(None, ticket.timestamp, key))
                self._sent_before.add(number)
        self.tally.unanswered = len(self._ledger)

    async def _feed(self, attempts: AsyncIterator[Sequence[Attempt]]) -> None:
        async for chunk in attempts:
            known: set[int] = set()
            if self._journal is not None and chunk and chunk[0].number <= self._before:
                known = self._journal.answered([attempt.number for attempt in chunk])
            for attempt in chunk:
                self.tally.read += 1
                if attempt.number in known or attempt.number in self._sent_before:
                    continue
                if attempt.request is None:
                    self._keep(attempt.number, _unsent(attempt, attempt.error or "it is no request"))
                    await self._until_there_is_room()
                    continue
                try:
                    encoded = prepare(attempt.request, request_id(self._replay, attempt.number))
                except InvalidRequest as error:
                    self._keep(attempt.number, _unsent(attempt, str(error)))
                    continue
                await self._turn()
                self._send(attempt, encoded)
        self._read_all = True
        self._changed.set()

    async def _turn(self) -> None:
        """Wait until the next request may be sent."""
        loop = asyncio.get_running_loop()
        await self._until_there_is_room()
        # What was sent before gets its turn: a loop that is behind would come to nothing else.
        await asyncio.sleep(0)
        while True:
            # Proofs that no broker has are held here: not many of them.
            full = len(self._sending) >= _SENDING
            wait = None if full else self._pace.wait(loop.time(), len(self._ledger))
            if wait is None:
                self._room.clear()
                await self._room.wait()
            elif wait:
                await asyncio.sleep(wait)
            else:
                break
        if complaint := self._pace.complaint():
            self._say(complaint)

    async def _until_there_is_room(self) -> None:
        while self._journal is not None and len(self._rows) >= _TOO_MANY:
            self._due.set()
            await asyncio.sleep(_COMMIT / 10)

    def _send(self, attempt: Attempt, encoded: EncodedRequest) -> None:
        loop = asyncio.get_running_loop()
        if not self._ledger:
            self._heard = loop.time()
        due = self._pace.sent(loop.time())
        self._ledger.sent(attempt.number, Unanswered(due, int(time.time() * 1000), encoded.key))
        self.tally.sent += 1
        self.tally.unanswered = len(self._ledger)
        # Not its value: there may be very many of them.
        self._correlator.expect(replace(encoded, value=b""))
        task = asyncio.create_task(self._deliver(attempt, encoded))
        self._sending.add(task)
        task.add_done_callback(self._delivered)

    async def _deliver(self, attempt: Attempt, encoded: EncodedRequest) -> None:
        try:
            ticket = await self._wire.send(encoded)
        except RequestTooLarge as error:
            self._correlator.forget(encoded.request_id)
            self._ledger.answered(attempt.number)
            self._keep(attempt.number, _unsent(attempt, str(error)))
            self._answer_came()
            return
        if match := self._correlator.acknowledged(ticket):
            self._answered(match)

    async def _collect(self) -> None:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            records = await self._wire.read()
            for record in records:
                if match := self._correlator.match(record):
                    self._answered(match)
                self._positions[record.partition] = record.offset + 1
            if self._ledger and loop.time() - self._heard > _SILENCE:
                self._heard = loop.time()
                self._say(
                    f"no verdict for {_SILENCE:g} s, and {len(self._ledger):,} proofs are unanswered: is a worker "
                    "running? `streamverify offsets` says what waits"
                )

    def _answered(self, match: Match) -> None:
        loop = asyncio.get_running_loop()
        number = number_of(self._replay, match.request_id)
        unanswered = None if number is None else self._ledger.answered(number)
        if number is None or unanswered is None:
            return
        self._heard = loop.time()
        if isinstance(match.result, UndecodableResult):
            self._keep(number, unsent_row(f"its result cannot be read: {match.result}", custom_id=None))
        else:
            latency = None if unanswered.due is None else loop.time() - unanswered.due
            self._keep(number, verdict_row(match.result, latency_seconds=latency))
            self._wire.took(unanswered.key, match.result.timings.run)
        self._answer_came()

    def _keep(self, number: int, row: dict[str, Any]) -> None:
        self.tally.add(row)
        if self._journal is not None:
            self._rows.append((number, row))
            if len(self._rows) >= _FULL:
                self._due.set()

    def _answer_came(self) -> None:
        self.tally.unanswered = len(self._ledger)
        self._changed.set()
        self._room.set()

    async def _commit_now_and_then(self) -> None:
        while self._journal is not None:
            try:
                async with asyncio.timeout(_COMMIT):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            if self._rows:
                self._batch, self._rows = self._rows, []
                written = asyncio.to_thread(self._journal.commit, self._batch, self._safe_positions(), self._facts())
                self._writing = asyncio.create_task(written)
                await asyncio.shield(self._writing)
                self._batch = []

    def _safe_positions(self) -> dict[int, int]:
        # A result that waits for an acknowledgement is in memory alone: it has to be read again.
        return {} if self._correlator.holds_early else dict(self._positions)

    def _facts(self) -> dict[str, Any]:
        # With each commit: a process that is killed has run, too.
        self.tally.seconds = self._earlier + time.monotonic() - self._started
        return {**self.tally.facts(), "look_from": self._ledger.look_from(int(time.time() * 1000))}

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._room.set()
        self._ended(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
        self._changed.set()


def _without(read: Mapping[int, _T], answered: Collection[int]) -> list[_T]:
    return [each for number, each in read.items() if number not in answered]


def _custom_id(value: bytes | None) -> str:
    """The custom_id of a request of ours, by which its result is known where it comes without Kafka headers."""
    try:
        return str(orjson.loads(value or b"{}").get("custom_id", ""))
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def _unsent(attempt: Attempt, error: str) -> dict[str, Any]:
    run = None if attempt.request is None else attempt.request.run
    return unsent_row(error, custom_id=attempt.custom_id, run=run, group=attempt.group)
