"""Request and reply over Kafka: a batch of proofs goes to the request topic, its verdicts come from the result topic.

One long-lived reader of the result topic serves all batches. A gateway knows its own results by a Kafka header that it
sets. The `custom_id` on Kafka is the gateway's own, too: the callers' may be the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from pydantic import ValidationError

from streamverify.client.requests import REQUEST_ID, prepare
from streamverify.client.sender import Sender
from streamverify.core.errors import BrokerUnavailable, RequestTooLarge, UndecodableResult
from streamverify.core.groups.scope import caller_headers
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.gateway.batch import ProofBatch
from streamverify.gateway.outcome import ProofOutcome, no_verdict, outcome_of, refused
from streamverify.gateway.result_follower import ResultFollower
from streamverify.gateway.winners import Winners

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from streamverify.core.messages.models import Require, Verifier
    from streamverify.gateway.batch import BatchOptions, BatchProof
    from streamverify.gateway.fair_queue import FairQueue
    from streamverify.gateway.observer import Observer
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

_RETRY = 1.0
"""Seconds after which a record is sent again that no broker took."""
_AHEAD = 64
"""Proofs of a batch that ask for a place at once."""
_UNREAD_BYTES = 32 * 1024**2
"""Bytes of results that a batch may have waiting for its reader; beyond that none of its proofs asks for a place."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A proof that is on Kafka."""

    batch: ProofBatch
    index: int
    callers_id: str
    sha256: str
    key: bytes
    sending: asyncio.Task[None]


class RequestReply:
    """The way over one pair of topics.

    MADE ── start: the result topic's end is known ──> READY ── run ──> READING (`ResultFollower` has its outages)
    READY or READING ── close ──> CLOSED
    A proof, of which `ProofBatch` has the states, is in `_waiting` while it is open on Kafka:
    in `_waiting` ── its result comes, or it is refused ──> settled;  ── its batch ends before ──> forgotten
    """

    def __init__(self, settings: Settings, queue: FairQueue, observer: Observer) -> None:
        self._settings = settings
        self._queue = queue
        self._observer = observer
        self._sender = Sender(settings)
        self._name = f"gw-{secrets.token_hex(8)}"
        self._sent = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._winners = Winners()
        self._stand_ins: set[str] = set()
        """The stand-ins that were warned of."""
        self.follower = ResultFollower(settings, waiting=lambda: len(self._waiting))
        self.answered: Counter[tuple[str, str]] = Counter()
        """Outcomes that were given to a caller, by status and reason."""
        self.verifier: Verifier | None = None
        """The verifier that the newest result names: its worker's Lean or stand-in."""

    async def start(self) -> None:
        """Connect, and read from the end of the result topic on.

        Raises:
            BrokerUnavailable: No broker answers, or there are no topics.
        """
        topic = self._settings.result_topic
        await self.follower.start((await self._sender.look_up(topic))[topic])

    async def run(self) -> None:
        """Read results until cancelled; while no broker answers, try again."""
        await self.follower.run(self._answer)

    async def close(self) -> None:
        """Disconnect."""
        await self._sender.stop()

    async def answers(
        self,
        proofs: Sequence[BatchProof | ProofOutcome],
        options: BatchOptions,
        key: str,
        wait: float,
        *,
        ordered: bool,
    ) -> AsyncGenerator[tuple[int, ProofOutcome], None]:
        """Send a batch; yields each outcome with the index of its proof.

        Leave the loop within `contextlib.aclosing`: what the batch holds is freed when the generator is closed.

        Args:
            proofs: A `ProofOutcome` stands for a proof that is known not to be sent.
            options: What all of them have in common.
            key: Whose batch it is: keys have turns.
            wait: Seconds after which what has no verdict gets an outcome that says so.
            ordered: Yield them in the order of the proofs; else as they come.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + wait
        event = asyncio.Event()
        claim = self._queue.join(key, event)
        batch = ProofBatch(options, key, datetime.now(UTC) + timedelta(seconds=wait), claim, event)
        alarm = loop.call_at(give_up, event.set)
        begun = wanted = answered = 0
        early: dict[int, tuple[ProofOutcome, int]] = {}
        try:
            while answered < len(proofs):
                # Some at a time: a batch whose caller reads slowly asks for no more, and no results pile up here.
                ahead = min(len(proofs), begun + _AHEAD)
                if wanted < ahead and batch.unread < _UNREAD_BYTES:
                    more = proofs[wanted:ahead]
                    wanted = ahead
                    self._queue.want(claim, [getattr(proof, "size", 0) for proof in more])
                while begun < claim.granted:
                    self._begin(batch, begun, proofs[begun])
                    begun += 1
                # Time is up: all that is left has one outcome. Workers begin nothing that is past its deadline.
                if loop.time() >= give_up:
                    why = self.follower.trouble or (
                        f"is a worker of the group {self._settings.group_id} running on the topic "
                        f"{self._settings.request_topic}, and are there enough of them?"
                    )
                    late = no_verdict(Reason.EXPIRED, f"no verdict within {wait:g} s: {why}")
                    left = [*batch.open.values(), *range(begun, len(proofs))]
                    batch.outcomes.extend((index, late, 0) for index in left)
                while batch.outcomes:
                    index, outcome, size = batch.outcomes.popleft()
                    # In order, what comes early is held until those before it are there.
                    early[index] = outcome, size
                    while (next_one := answered if ordered else index) in early:
                        outcome, size = early.pop(next_one)
                        self.answered[outcome.status, outcome.reason] += 1
                        yield next_one, outcome
                        answered += 1
                        batch.unread -= size
                if wanted == begun < len(proofs) and batch.unread < _UNREAD_BYTES:
                    # All have a place: the next may ask, but not before others had a chance to.
                    await asyncio.sleep(0)
                # Nothing to send, nothing to give: until a place, an outcome or the end of the time comes.
                elif begun == claim.granted and not batch.outcomes and answered < len(proofs):
                    await event.wait()
                    event.clear()
        finally:
            alarm.cancel()
            for request_id in batch.open:
                self._waiting.pop(request_id).sending.cancel()
            self._queue.leave(claim)

    def _begin(self, batch: ProofBatch, index: int, proof: BatchProof | ProofOutcome) -> None:
        """Send a proof whose turn has come."""
        if isinstance(proof, ProofOutcome):
            self._settle(batch, index, proof)
            return
        self._sent += 1
        request_id = f"{self._name}-{self._sent}"
        options = batch.options
        try:
            request = ProofRequest(
                custom_id=request_id,
                proof=proof.code,
                statement=proof.statement,
                theorem=proof.theorem,
                timeout=options.timeout,
                infotree_type=options.infotree_type,
                disable_cache=options.disable_cache,
                require=cast("Require", options.require.value),
                deadline=batch.deadline,
                run=options.run,
                group=proof.group,
                first_success=options.first_success,
            )
        except ValidationError as error:
            [first, *_] = error.errors(include_url=False)
            sentence = f"`{first['loc'][0]}`: {first['msg']}"
            self._settle(batch, index, refused(Reason.INVALID_REQUEST, sentence))
            return
        encoded = prepare(request, request_id, (*caller_headers(batch.key, proof.callers_id), *options.trace))
        known_as = request_id.encode("ascii")
        sending = asyncio.create_task(self._send(known_as, encoded))
        # Of the code and not of the record: the worker says which text it has verified.
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
                self.follower.lost(str(error))
                await asyncio.sleep(_RETRY)
                continue
            except RequestTooLarge as error:
                unsent = no_verdict(Reason.TOO_LARGE, str(error))
            except Exception as error:  # noqa: BLE001 - see below
                # Whoever waits for it would never know: it is a bug, or an error of aiokafka that nobody has met.
                _log.exception(
                    "send_failed",
                    custom_id=encoded.custom_id,
                    topic=self._settings.request_topic,
                    hint="this proof is answered with `worker_error`, the others go on; please report it",
                )
                unsent = no_verdict(Reason.WORKER_ERROR, f"it could not be sent: {error!r}")
            else:
                return
            waiting = self._waiting.pop(known_as, None)
            if waiting is not None:
                del waiting.batch.open[known_as]
                self._settle(waiting.batch, waiting.index, unsent)
            return

    def _answer(self, kafka_record: Any) -> None:
        """Give a result to the batch that it belongs to, if it is one of ours."""
        # A worker leaves the Kafka headers out of a result that would be too large for the topic: its key is ours, too.
        known_as = next((value for name, value in kafka_record.headers if name == REQUEST_ID), kafka_record.key)
        waiting = self._waiting.pop(known_as, None)
        if waiting is None:
            self._observer.passed(kafka_record.value)
            return
        # The result may be faster than the acknowledgement of its request.
        waiting.sending.cancel()
        batch = waiting.batch
        del batch.open[known_as]
        try:
            result = decode_result(kafka_record.value)
        except UndecodableResult as error:
            outcome = no_verdict(Reason.WORKER_ERROR, str(error))
        else:
            if batch.options.first_success:
                self._winners.note(result, waiting.callers_id)
            result = self._winners.in_callers_words(result)
            outcome = outcome_of(result, batch.options.require, waiting.sha256)
            if result.cached is None:
                # A hit says nothing of what the next proof with this header will cost.
                self._sender.took(waiting.key, result.timings.run)
            self._note(result.verifier)
            self._observer.answered(
                result, outcome.sentence, owner=batch.key, custom_id=waiting.callers_id, key=waiting.key
            )
        self._settle(batch, waiting.index, outcome, len(kafka_record.value or b""))

    def _settle(self, batch: ProofBatch, index: int, outcome: ProofOutcome, size: int = 0) -> None:
        """Note the outcome of a proof, whose place is free for another one."""
        batch.settle(index, outcome, size)
        self._queue.release(batch.claim)

    def _note(self, verifier: Verifier) -> None:
        """Note who answers; a stand-in is warned of, once."""
        self.verifier = verifier
        kind = str(verifier.kind)
        if kind != "lean" and kind not in self._stand_ins:
            self._stand_ins.add(kind)
            _log.warning(
                "stand_in_answers",
                verifier=kind,
                topic=self._settings.result_topic,
                hint="a worker on this topic has a stand-in for Lean, and what it calls verified was not checked by "
                "Lean: stop it, or give it topics of its own",
            )
