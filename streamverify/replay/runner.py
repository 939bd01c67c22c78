"""Sends the attempts of a data set and collects their verdicts; goes on where an earlier process was ended.

What is unanswered, where to read and when to send is decided in `core/datasets/`. Here that is carried out. Memory is
flat: of an unanswered request its number, id and key are kept, and no proof.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from streamverify.client.correlator import Correlator
from streamverify.client.requests import EncodedRequest, prepare
from streamverify.core.datasets.resume import OpenRequest, OpenRequests, number_of, request_id, where_to_read
from streamverify.core.datasets.verdict_row import unsent_row, verdict_row
from streamverify.core.errors import InvalidRequest, RequestTooLarge, UndecodableResult
from streamverify.replay.counts import ReplayCounts
from streamverify.replay.earlier import find_unanswered
from streamverify.replay.journal import JournalWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from streamverify.client.correlator import Match
    from streamverify.core.datasets.attempts import Attempt
    from streamverify.core.datasets.pace import Pace
    from streamverify.replay.journal import Journal
    from streamverify.replay.wire import Wire

_SENDING = 1000
"""Requests that the broker has not acknowledged, at most."""
_SILENCE = 60.0
"""Seconds without a verdict before a person is told what may be missing."""


class RunnerPhase(Enum):
    """The two phases of a runner."""

    READING = auto()
    """It reads attempts and sends their requests, while answers come."""
    WAITING = auto()
    """All attempts were read. It waits for the answers that are missing, and ends with the last of them."""


class Runner:
    """One process's part of a replay.

    An attempt moves on from left to right, and has one row at the end; its answer may come before the acknowledgement:

        read --> sent --> acknowledged by the broker --> answered --> row
         |        +-----> too large for the topic -----------------> row
         +--> it is no request, or answered before: row, or nothing to do
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        wire: Wire,
        pace: Pace,
        replay: str,
        *,
        journal: Journal | None = None,
        counts: ReplayCounts | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Nothing is sent yet.

        Args:
            wire: To Kafka.
            pace: When the next request is sent.
            replay: What all request ids of this replay begin with.
            journal: Where verdicts are kept; None: they are only counted.
            counts: How far the replay is; they go on from what they have.
            say: Tells a person what is worth knowing.
        """
        self._wire = wire
        self._pace = pace
        self._replay = replay
        self._journal = journal
        self.counts = counts or ReplayCounts()
        self._say = say
        self._phase = RunnerPhase.READING
        self._open = OpenRequests()
        self._correlator = Correlator()
        self._positions: dict[int, int] = {}
        self._writer = JournalWriter(journal, self._safe_positions, self._facts)
        self._sent_before: frozenset[int] = frozenset()
        """Attempts that an earlier process had sent and that were unanswered at the start of this one."""
        self._before = -1
        """The highest number that an earlier process may have sent."""
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._heard = 0.0
        self._started = time.monotonic()
        self._earlier = self.counts.seconds

    async def run(self, attempts: AsyncIterator[Sequence[Attempt]]) -> None:
        """Send what is unsent, and wait for every answer.

        Args:
            attempts: All attempts of the replay, also those that were sent before, in the order of their numbers.

        Raises:
            StreamVerifyError: The broker, the source or the state fails. What is answered by then is kept.
        """
        await self._take_up()
        tasks = [asyncio.create_task(work) for work in (self._feed(attempts), self._collect(), self._writer.run())]
        for task in tasks:
            task.add_done_callback(self._ended)
        try:
            while self._phase is RunnerPhase.READING or self._open or self._sending:
                self._changed.clear()
                if self._failure is not None:
                    raise self._failure
                await self._changed.wait()
        finally:
            for task in (*tasks, *self._sending):
                task.cancel()
            await asyncio.gather(*tasks, *self._sending, return_exceptions=True)
            await self._writer.close()

    async def _take_up(self) -> None:
        """Find out where to read from, and what an earlier process has sent that is not answered."""
        there = await self._wire.range()
        self._positions = dict(there.ends)
        if self._journal is not None:
            if stored := self._journal.positions():
                self._positions, lost = where_to_read(stored, *there)
                self._before = self._journal.last()
                # Where answers may be lost nothing is waited for: what has no row is sent again.
                if not lost:
                    unanswered, highest = await find_unanswered(self._wire, self._journal, self._replay)
                    self._before = max(self._before, highest)
                    for number, (ticket, key) in unanswered.items():
                        self._correlator.expect(EncodedRequest(ticket.custom_id, ticket.request_id, key, b""))
                        self._correlator.acknowledged(ticket)
                        self._open.sent(number, OpenRequest(None, ticket.timestamp, key))
                    self._sent_before = frozenset(unanswered)
                    self.counts.unanswered = len(self._open)
            # Before anything is sent: from these positions on every answer to it will be.
            self._journal.commit((), self._positions, self._facts())
        self._wire.read_from(self._positions)

    async def _feed(self, attempts: AsyncIterator[Sequence[Attempt]]) -> None:
        """Send the attempts that no earlier process has sent, each when it is its turn."""
        async for chunk in attempts:
            known: set[int] = set()
            # The journal is asked only about numbers that it may have: of most chunks it has none.
            if self._journal is not None and chunk and chunk[0].number <= self._before:
                known = self._journal.answered([attempt.number for attempt in chunk])
            for attempt in chunk:
                self.counts.read += 1
                if attempt.number in known or attempt.number in self._sent_before:
                    continue
                if attempt.request is None:
                    self._keep(attempt.number, _unsent(attempt, attempt.error or "it is no request"))
                    await self._writer.room()
                    continue
                try:
                    encoded = prepare(attempt.request, request_id(self._replay, attempt.number))
                except InvalidRequest as error:
                    self._keep(attempt.number, _unsent(attempt, str(error)))
                    continue
                await self._turn()
                self._send(attempt, encoded)
        self._phase = RunnerPhase.WAITING
        self._changed.set()

    async def _turn(self) -> None:
        """Wait until the next request may be sent."""
        loop = asyncio.get_running_loop()
        await self._writer.room()
        # What was sent before gets its turn: a loop that is behind would come to nothing else.
        await asyncio.sleep(0)
        while True:
            # Proofs that no broker has are held here: not many of them.
            full = len(self._sending) >= _SENDING
            wait = None if full else self._pace.wait(loop.time(), len(self._open))
            if wait is None:
                self._room.clear()
                await self._room.wait()
            elif wait:
                await asyncio.sleep(wait)
            else:
                break
        if complaint := self._pace.complaint():
            self._say(complaint)

    def _send(self, attempt: Attempt, encoded: EncodedRequest) -> None:
        loop = asyncio.get_running_loop()
        if not self._open:
            # Nobody owed an answer before: the silence begins now.
            self._heard = loop.time()
        due = self._pace.sent(loop.time())
        self._open.sent(attempt.number, OpenRequest(due, int(time.time() * 1000), encoded.key))
        self.counts.sent += 1
        self.counts.unanswered = len(self._open)
        # Not its value: there may be very many of them.
        self._correlator.expect(replace(encoded, value=b""))
        task = asyncio.create_task(self._deliver(attempt, encoded))
        self._sending.add(task)
        task.add_done_callback(self._ended)

    async def _deliver(self, attempt: Attempt, encoded: EncodedRequest) -> None:
        try:
            ticket = await self._wire.send(encoded)
        except RequestTooLarge as error:
            self._correlator.forget(encoded.request_id)
            self._open.answered(attempt.number)
            self._keep(attempt.number, _unsent(attempt, str(error)))
            return
        # The result may be faster than the acknowledgement.
        if match := self._correlator.acknowledged(ticket):
            self._answered(match)

    async def _collect(self) -> None:
        """Read the result topic, and say so where nothing comes for long."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            records = await self._wire.read()
            for record in records:
                if match := self._correlator.match(record):
                    self._answered(match)
                self._positions[record.partition] = record.offset + 1
            if self._open and loop.time() - self._heard > _SILENCE:
                self._heard = loop.time()
                self._say(
                    f"no verdict for {_SILENCE:g} s, and {len(self._open):,} proofs are unanswered: is a worker "
                    "running? `streamverify offsets` says what waits"
                )

    def _answered(self, match: Match) -> None:
        loop = asyncio.get_running_loop()
        number = number_of(self._replay, match.request_id)
        request = None if number is None else self._open.answered(number)
        if number is None or request is None:
            # A second answer: workers deliver at least once, and the first one counts.
            return
        self._heard = loop.time()
        if isinstance(match.result, UndecodableResult):
            self._keep(number, unsent_row(f"its result cannot be read: {match.result}", custom_id=None))
        else:
            latency = None if request.due is None else loop.time() - request.due
            self._keep(number, verdict_row(match.result, latency_seconds=latency))
            self._wire.took(request.key, match.result.timings.run)

    def _keep(self, number: int, row: dict[str, Any]) -> None:
        """Count and keep the row of an attempt, which is no longer open."""
        self.counts.add(row)
        self.counts.unanswered = len(self._open)
        self._writer.keep(number, row)
        self._changed.set()
        self._room.set()

    def _safe_positions(self) -> dict[int, int]:
        # A result that waits for an acknowledgement is in memory alone: it has to be read again.
        return {} if self._correlator.holds_early else dict(self._positions)

    def _facts(self) -> dict[str, Any]:
        # With each commit: a process that is killed has run, too.
        self.counts.seconds = self._earlier + time.monotonic() - self._started
        return {**self.counts.facts(), "look_from": self._open.look_from(int(time.time() * 1000))}

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Note that a task of ours is done; the first failure ends the run."""
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._failure is None:
            self._failure = error
        self._room.set()
        self._changed.set()


def _unsent(attempt: Attempt, error: str) -> dict[str, Any]:
    run = None if attempt.request is None else attempt.request.run
    return unsent_row(error, custom_id=attempt.custom_id, run=run, group=attempt.group)
