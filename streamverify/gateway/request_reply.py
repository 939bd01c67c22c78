"""Request and reply over Kafka: a batch of proofs goes to the request topic, its verdicts come from the result topic.

One long-lived reader of the result topic serves all batches. It is in no consumer group, so several gateways side by
side each read every result, and know their own by a Kafka header that they set. The `custom_id` on Kafka is the
gateway's own, too: the callers' may be the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiokafka import TopicPartition
from pydantic import ValidationError

from streamverify.bus.topic_reader import TopicReader
from streamverify.client.requests import REQUEST_ID, prepare
from streamverify.client.sender import Sender
from streamverify.core.errors import BrokerUnavailable, RequestTooLarge, UndecodableResult
from streamverify.core.groups.scope import caller_headers
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import Assurance, ProofRequest, Reason, Status
from streamverify.gateway.outcome import Outcome, no_verdict, outcome_of, refused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from streamverify.core.messages.models import InfotreeType, ProofResult, Require, Verifier
    from streamverify.core.turns import Claim
    from streamverify.gateway.observer import Observer
    from streamverify.gateway.queue import Queue
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

_POLL = 0.5
_RETRY = 1.0
_PING = 2.0
_PING_TIMEOUT = 5.0
_AHEAD = 64
"""Proofs of a batch that ask for a place at once."""
_MAX_WINNERS = 10_000
"""Verified proofs of groups whose callers' ids are kept; the oldest makes room."""
_MAX_WINNERS_ID = 128
_UNREAD_BYTES = 32 * 1024**2
"""Bytes of results that a batch may have waiting for its reader; beyond that none of its proofs asks for a place."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of a batch; what it has in common with the others is in `Asked`."""

    code: str
    statement: str | None = None
    theorem: str | None = None
    callers_id: str | None = None
    group: str | None = None

    @property
    def size(self) -> int:
        """About how many bytes its record has."""
        return len(self.code) + len(self.statement or "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a batch asks for, for each of its proofs."""

    require: Assurance
    timeout: float
    infotree_type: InfotreeType | None = None
    disable_cache: bool = False
    run: str | None = None
    first_success: bool = False
    trace: tuple[tuple[str, bytes], ...] = ()
    """The trace context of the HTTP request, as Kafka headers."""


@dataclass(slots=True, eq=False)
class _Batch:
    """A batch on its way. `event` says that it has a new place or a new outcome, or that its time is up."""

    asked: Asked
    key: str
    deadline: datetime
    event: asyncio.Event = field(default_factory=asyncio.Event)
    outcomes: deque[tuple[int, Outcome, int]] = field(default_factory=deque)
    """Index, outcome, and the bytes of its record."""
    open: dict[bytes, int] = field(default_factory=dict)
    """The request ids that are on Kafka, and the indexes of their proofs."""
    unread: int = 0
    claim: Claim = field(init=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A proof that is on Kafka."""

    batch: _Batch
    index: int
    callers_id: str
    sha256: str
    key: bytes
    sending: asyncio.Task[None]


class RequestReply:
    """The way over one pair of topics. `available` is False while no broker answers."""

    def __init__(self, settings: Settings, queue: Queue, observer: Observer) -> None:
        self._settings = settings
        self._queue = queue
        self._observer = observer
        self._sender = Sender(settings)
        self._name = f"gw-{secrets.token_hex(8)}"
        self._sent = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._winners: dict[str, str] = {}  # ids on Kafka of verified proofs of groups, and their callers' ids
        self._positions: dict[TopicPartition, int] = {}
        self._warned_of: set[str] = set()
        self.answered: Counter[tuple[str, str]] = Counter()
        """Outcomes that were given to a caller, by status and reason."""
        self.trouble = ""
        """What is wrong with the broker, for people; "" while it answers."""
        self.verifier: Verifier | None = None
        """What the newest result says of the worker that made it."""

    async def start(self) -> None:
        """Connect, and read from the end of the result topic on.

        Raises:
            BrokerUnavailable: No broker answers, or there are no topics.
        """
        topic = self._settings.result_topic
        partitions = (await self._sender.look_up(topic))[topic]
        async with TopicReader(self._settings, partitions) as reader:
            self._positions = await reader.ends()

    async def run(self) -> None:
        """Read results until cancelled; while no broker answers, try again."""
        while True:
            try:
                async with TopicReader(self._settings, list(self._positions)) as reader:
                    reader.start_from(self._positions)
                    async with asyncio.TaskGroup() as tasks:
                        watching = tasks.create_task(self._watch(reader))
                        await self._read(reader, watching)
            except* BrokerUnavailable as errors:
                self._lost(str(errors.exceptions[0]))
            await asyncio.sleep(_RETRY)

    async def close(self) -> None:
        """Disconnect."""
        await self._sender.stop()

    async def answers(
        self, proofs: Sequence[Proof | Outcome], asked: Asked, key: str, wait: float, *, ordered: bool
    ) -> AsyncGenerator[tuple[int, Outcome], None]:
        """Send a batch; yields each outcome with the index of its proof.

        Leave the loop within `contextlib.aclosing`: what the batch holds is freed when the generator is closed.

        Args:
            proofs: An Outcome stands for a proof that is known not to be sent.
            asked: What all of them have in common.
            key: Whose batch it is: keys have turns.
            wait: Seconds after which what has no verdict gets an outcome that says so.
            ordered: Yield them in the order of the proofs; else as they come.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait
        batch = _Batch(asked, key, datetime.now(UTC) + timedelta(seconds=wait))
        batch.claim = self._queue.join(key, batch.event)
        alarm = loop.call_at(give_up, batch.event.set)
        begun = wanted = answered = 0
        early: dict[int, tuple[Outcome, int]] = {}
        try:
            while answered < len(proofs):
                ahead = min(len(proofs), begun + _AHEAD)
                if wanted < ahead and batch.unread < _UNREAD_BYTES:
                    more = proofs[wanted:ahead]
                    wanted = ahead
                    self._queue.want(batch.claim, [getattr(proof, "size", 0) for proof in more])
                while begun < batch.claim.granted:
                    self._begin(batch, begun, proofs[begun])
                    begun += 1
                if loop.time() >= give_up:
                    late = no_verdict(Reason.EXPIRED, f"no verdict within {wait:g} s: {self._why_none()}")
                    left = [*batch.open.values(), *range(begun, len(proofs))]
                    batch.outcomes.extend((index, late, 0) for index in left)
                while batch.outcomes:
                    index, outcome, size = batch.outcomes.popleft()
                    early[index] = outcome, size
                    while (next_one := answered if ordered else index) in early:
                        outcome, size = early.pop(next_one)
                        self.answered[outcome.status, outcome.reason] += 1
                        yield next_one, outcome
                        answered += 1
                        batch.unread -= size
                if wanted == begun < len(proofs) and batch.unread < _UNREAD_BYTES:
                    await asyncio.sleep(0)  # all have a place: the next may ask, but not before others had a chance to
                elif begun == batch.claim.granted and not batch.outcomes and answered < len(proofs):
                    await batch.event.wait()
                    batch.event.clear()
        finally:
            alarm.cancel()
            for request_id in batch.open:
                self._waiting.pop(request_id).sending.cancel()
            self._queue.leave(batch.claim)

    def _begin(self, batch: _Batch, index: int, proof: Proof | Outcome) -> None:
        """Send a proof whose turn has come."""
        if isinstance(proof, Outcome):
            self._settle(batch, index, proof, 0)
            return
        self._sent += 1
        request_id = f"{self._name}-{self._sent}"
        asked = batch.asked
        try:
            request = ProofRequest(
                custom_id=request_id,
                proof=proof.code,
                statement=proof.statement,
                theorem=proof.theorem,
                timeout=asked.timeout,
                infotree_type=asked.infotree_type,
                disable_cache=asked.disable_cache,
                require=cast("Require", asked.require.value),
                deadline=batch.deadline,
                run=asked.run,
                group=proof.group,
                first_success=asked.first_success,
            )
        except ValidationError as error:
            [first, *_] = error.errors(include_url=False)
            sentence = f"`{first['loc'][0]}`: {first['msg']}"
            self._settle(batch, index, refused(Reason.INVALID_REQUEST, sentence), 0)
            return
        encoded = prepare(request, request_id, (*caller_headers(batch.key, proof.callers_id), *asked.trace))
        known_as = request_id.encode("ascii")
        sending = asyncio.create_task(self._send(known_as, encoded))
        sha256 = hashlib.sha256(proof.code.encode()).hexdigest()
        batch.open[known_as] = index
        self._waiting[known_as] = _Waiting(batch, index, proof.callers_id or "", sha256, encoded.key, sending)
        self._observer.sent(encoded.key, proof.code)

    async def _send(self, known_as: bytes, encoded: Any) -> None:
        """Send a record until the broker has it, it is known not to take it, or its batch is over."""
        while True:
            try:
                await self._sender.send(encoded)
            except BrokerUnavailable as error:
                # A second copy of a record whose acknowledgement was lost costs a run of Lean; the verdict is the same.
                self._lost(str(error))
                await asyncio.sleep(_RETRY)
            except RequestTooLarge as error:
                return self._unsent(known_as, no_verdict(Reason.TOO_LARGE, str(error)))
            except Exception as error:  # noqa: BLE001 - see below
                # Whoever waits for it would never know: it is a bug, or an error of aiokafka that nobody has met.
                _log.exception(
                    "send_failed",
                    custom_id=encoded.custom_id,
                    topic=self._settings.request_topic,
                    hint="this proof is answered with `worker_error`, the others go on; please report it",
                )
                return self._unsent(known_as, no_verdict(Reason.WORKER_ERROR, f"it could not be sent: {error!r}"))
            else:
                return None

    def _unsent(self, known_as: bytes, outcome: Outcome) -> None:
        waiting = self._waiting.pop(known_as, None)
        if waiting is not None:
            del waiting.batch.open[known_as]
            self._settle(waiting.batch, waiting.index, outcome, 0)

    async def _read(self, reader: TopicReader, watching: asyncio.Task[None]) -> None:
        while not watching.done():
            for record in await reader.read(_POLL):
                self._positions[TopicPartition(record.topic, record.partition)] = record.offset + 1
                self._answer(record)

    async def _watch(self, reader: TopicReader) -> None:
        """Ask the broker for the ends of the partitions again and again; ends where there are more partitions."""
        while True:
            await asyncio.sleep(_PING)
            try:
                async with asyncio.timeout(_PING_TIMEOUT):
                    await reader.ends()
            except (BrokerUnavailable, TimeoutError) as error:
                self._lost(str(error) or f"no broker answers at {self._settings.bootstrap_servers}")
                continue
            if self.trouble:
                _log.info("broker_answers", topic=self._settings.result_topic)
                self.trouble = ""
            more = [partition for partition in reader.partitions_of_topics() if partition not in self._positions]
            if more:
                # Nothing was read of them yet, so from their beginning on.
                self._positions |= dict.fromkeys(more, 0)
                return

    def _answer(self, record: Any) -> None:
        """Give a result to the batch that it belongs to, if it is one of ours."""
        known_as = next((value for name, value in record.headers if name == REQUEST_ID), record.key)
        waiting = self._waiting.pop(known_as, None)
        if waiting is None:
            self._observer.passed(record.value)
            return
        # The result may be faster than the acknowledgement of its request.
        waiting.sending.cancel()
        batch = waiting.batch
        del batch.open[known_as]
        try:
            result = decode_result(record.value)
        except UndecodableResult as error:
            outcome = no_verdict(Reason.WORKER_ERROR, str(error))
        else:
            result = self._in_callers_words(result, batch.asked, waiting.callers_id)
            outcome = outcome_of(result, batch.asked.require, waiting.sha256)
            if result.cached is None:
                self._sender.took(waiting.key, result.timings.run)
            self._note(result.verifier)
            self._observer.answered(
                result, outcome.sentence, owner=batch.key, custom_id=waiting.callers_id, key=waiting.key
            )
        self._settle(batch, waiting.index, outcome, len(record.value or b""))

    def _in_callers_words(self, result: ProofResult, asked: Asked, callers_id: str) -> ProofResult:
        """Name the winner of a group by the id that its caller gave it, where it came through this gateway.

        The winner's own id on Kafka is the gateway's, of which the caller knows nothing. Both have the same API key.
        """
        if result.status is Status.VERIFIED and asked.first_success and callers_id:
            if len(self._winners) >= _MAX_WINNERS:
                del self._winners[next(iter(self._winners))]
            self._winners[result.custom_id] = callers_id[:_MAX_WINNERS_ID]
        known_as = result.superseded_by or ""
        if (winner := self._winners.get(known_as)) is None:
            return result
        return result.model_copy(
            update={"superseded_by": winner, "summary": result.summary.replace(known_as, winner, 1)}
        )

    def _settle(self, batch: _Batch, index: int, outcome: Outcome, size: int) -> None:
        batch.outcomes.append((index, outcome, size))
        batch.unread += size
        batch.event.set()
        self._queue.release(batch.claim)

    def _note(self, verifier: Verifier) -> None:
        self.verifier = verifier
        kind = str(verifier.kind)
        if kind != "lean" and kind not in self._warned_of:
            self._warned_of.add(kind)
            _log.warning(
                "stand_in_answers",
                verifier=kind,
                topic=self._settings.result_topic,
                hint="a worker on this topic has a stand-in for Lean: what it calls verified was not checked by Lean",
            )

    def _lost(self, trouble: str) -> None:
        if not self.trouble:
            _log.warning(
                "broker_away",
                error=trouble,
                waiting=len(self._waiting),
                hint="new requests are answered 503 until a broker answers; those that are held wait for it",
            )
        self.trouble = trouble

    def _why_none(self) -> str:
        if self.trouble:
            return self.trouble
        return (
            f"is a worker of the group {self._settings.group_id} running on the topic {self._settings.request_topic}, "
            "and are there enough of them?"
        )
