"""Publishes results and dead letters: every record is acknowledged by the broker, or the worker ends.

An idempotent producer that one record was refused is of no more use: each later record to that partition fails with
OutOfOrderSequenceNumber. So a refusal replaces the producer, what was not acknowledged is sent again, and the
refused record in its smaller form.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import (
    InvalidMessageError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import DefaultPartitioner

from streamverify.bus.connection import connect, make_producer
from streamverify.core.errors import BrokerUnavailable, ResultRefused
from streamverify.core.log.about import cut_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka import AIOKafkaProducer

    from streamverify.core.messages.dead_letter import DeadLetter
    from streamverify.settings import Settings

    Partitioner = Callable[[bytes | None, Sequence[int], Sequence[int]], int]

_log = structlog.get_logger(__name__)

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
_BATCH_BYTES = 128 * 1024
_ROOM = 64 * 1024
"""Bytes by which the producer's own limit is above the topic's, so that the topic's decides."""
_RETRY = 1.0
GATHER = 0.025
"""Seconds that records without urgency are gathered, to be sent as one batch: a request to the broker costs the
worker and the broker as much CPU time as a trivial proof."""
GATHERED = 200
"""Records that are gathered at most."""
_DISPOSE_TIMEOUT = 5.0
_MAX_REPLACEMENTS = 5
"""Number of producers in a row that may fail without one acknowledged record before the worker exits."""


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """A record to publish.

    `on_ack` is called once, when the broker has the record. `smaller` makes the record that is sent instead if the
    broker refuses this one for its size; it is None where nothing can be left out.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    kafka_headers: list[tuple[str, bytes | None]]
    on_ack: Callable[[], None]
    smaller: Callable[[], Outgoing] | None = None
    timestamp_ms: int | None = None


def dead_letter_record(topic: str, letter: DeadLetter, on_ack: Callable[[], None]) -> Outgoing:
    """Make the record of a dead letter. If the topic refuses it for its size, one without the original is sent."""

    def record(letter: DeadLetter, smaller: Callable[[], Outgoing] | None = None) -> Outgoing:
        return Outgoing(
            topic, letter.key, letter.value, letter.all_kafka_headers(), on_ack, smaller, timestamp_ms=letter.timestamp
        )

    return record(letter, lambda: record(letter.emptied()))


def countdown(count: int, done: Callable[[], None]) -> Callable[[], None]:
    """Make one acknowledgement for several records: it calls `done` when it is called for the `count`-th time."""
    left = count

    def acknowledged() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    return acknowledged


class Publisher:
    """Sends each record until the broker has acknowledged it; replaces a producer that cannot go on.

    SENDING ── the broker refuses a record, or the producer gives one up ──> FAILED: nothing more is handed over
    FAILED ── another producer, which first has all that was not acknowledged ──> SENDING
    FAILED too often without an acknowledgement, or a record refused at its smallest ──> `run` raises
    """

    def __init__(
        self,
        settings: Settings,
        *,
        max_record_bytes: int,
        max_batch_bytes: int | None = None,
        partitioner: Partitioner | None = None,
    ) -> None:
        """Connect nowhere yet.

        Args:
            settings: How to connect.
            max_record_bytes: The largest `max.message.bytes` of the topics that are written to.
            max_batch_bytes: How large a batch may become. A topic takes or refuses a batch as a whole: let it be
                below each topic's `max.message.bytes`, or small records are refused with a large one.
            partitioner: Chooses each record's partition; default: by a hash of its key.
        """
        self._batch_bytes = min(_BATCH_BYTES, max_batch_bytes or max_record_bytes // 2)
        self._partitioner: Partitioner = partitioner or DefaultPartitioner()
        self._settings = settings
        self._max_record_bytes = max_record_bytes
        self._unsent: deque[Outgoing] = deque()
        self._unacknowledged: dict[int, Outgoing] = {}
        self._sent = 0
        self._failure: KafkaError | None = None
        self._refused: set[int] = set()
        self._replacements = 0
        self._last_cause = ""
        """The error by which the last record could not be handed over, "" if it could; each is logged once in a row."""
        self._wake = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None
        self._open = 0
        self.failures = 0
        """Number of times that a record could not be handed over, or was not taken by the broker; it is sent again."""
        self._all_acknowledged = asyncio.Event()
        self._all_acknowledged.set()

    async def start(self, broker_timeout: float) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: No broker answered within `broker_timeout` seconds.
        """
        self._producer = await connect(self._make, self._settings.bootstrap_servers, broker_timeout=broker_timeout)

    def _make(self) -> AIOKafkaProducer:
        return make_producer(
            self._settings,
            max_batch_size=self._batch_bytes,
            max_request_size=self._max_record_bytes + _ROOM,
            partitioner=self._partitioner,
        )

    def publish(self, outgoing: Outgoing, *, urgent: bool = True) -> None:
        """Send `outgoing`, and again until the broker has it; one that is not urgent within `GATHER` seconds."""
        # Nothing is awaited here, so callers need no task for it, and records keep the order of the calls.
        self._unsent.append(outgoing)
        self._open += 1
        self._all_acknowledged.clear()
        if urgent or len(self._unsent) >= GATHERED:
            self._wake.set()
        elif self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER, self._wake.set)

    @property
    def unacknowledged(self) -> int:
        """Records that the broker has not acknowledged, sent or not."""
        return self._open

    async def flush(self) -> None:
        """Send what is gathered, and wait until the broker has everything."""
        self._wake.set()
        await self._all_acknowledged.wait()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            ResultRefused: The broker refused a record in its smallest form.
            BrokerUnavailable: Nothing can be published at all.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._gathering is not None:
                self._gathering.cancel()
                self._gathering = None
            if self._failure:
                # Each later record to the partition would fail too (OutOfOrderSequenceNumber).
                await self._replace_producer()
            while self._unsent and not self._failure:
                await self._send(self._unsent.popleft())

    async def _send(self, outgoing: Outgoing) -> None:
        try:
            future = await _hand_over(self._producer, outgoing)
        except MessageSizeTooLargeError:  # the producer's own check: nothing was sent, nothing is broken
            self._unsent.appendleft(_smaller(outgoing))
        except KafkaError as error:
            self._unsent.appendleft(outgoing)
            self.failures += 1
            # aiokafka calls its own "no room within request_timeout" final: a broker that is gone looks like that.
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                self._fail(error)
                return
            cause = type(error).__name__
            if self._last_cause != cause:
                self._last_cause = cause
                gone = isinstance(error, UnknownTopicOrPartitionError)
                _log.warning(
                    "publish_failed",
                    topic=outgoing.topic,
                    error=repr(error),
                    retry_seconds=_RETRY,
                    hint=f"no topic {outgoing.topic} on {self._settings.bootstrap_servers}: streamverify topics create"
                    if gone
                    else "tried again until a broker answers; nothing is lost; logged once until then",
                )
            await asyncio.sleep(_RETRY)
        else:
            self._last_cause = ""
            self._sent += 1
            self._unacknowledged[self._sent] = outgoing
            future.add_done_callback(partial(self._answered, self._sent))

    def _answered(self, number: int, future: asyncio.Future[object]) -> None:
        """The broker has answered. A producer that is being replaced counts until it has stopped."""
        if number not in self._unacknowledged:
            # An answer to the replaced producer: the new one has the record, under another number.
            return
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            # The broker takes records again: only failures in a row are counted.
            self._replacements = 0
            self._unacknowledged.pop(number).on_ack()
            self._open -= 1
            if not self._open:
                self._all_acknowledged.set()
            return
        self.failures += 1
        if isinstance(error, _TOO_LARGE):
            # To be sent in its smaller form; every other record as it is.
            self._refused.add(number)
        self._fail(error if isinstance(error, KafkaError) else KafkaError(repr(error)))

    def _fail(self, error: KafkaError) -> None:
        self._failure = self._failure or error
        self._wake.set()

    async def _replace_producer(self) -> None:
        """Make a new producer, which first sends all records of the old one that were not acknowledged."""
        _log.warning(
            "producer_replaced",
            error=repr(self._failure),
            resent=len(self._unacknowledged),
            refused=len(self._refused),
            hint="an idempotent producer cannot go on after a failure: a new one sends again what was not "
            "acknowledged; there is nothing to do unless this goes on",
        )
        self._replacements += 1
        if self._replacements > _MAX_REPLACEMENTS:
            raise BrokerUnavailable(f"nothing can be published: {self._failure!r}")
        await self._dispose()
        # The old producer has stopped, so every answer it got is in: what is left is not with the broker.
        again = [
            _smaller(outgoing) if number in self._refused else outgoing
            for number, outgoing in self._unacknowledged.items()
        ]
        # Cleared before the new producer begins: late answers to the old one find no number of theirs.
        self._unacknowledged.clear()
        self._refused.clear()
        # In their old order, and before what was not sent yet.
        self._unsent.extendleft(reversed(again))
        self._failure = None
        self._producer = await connect(self._make, self._settings.bootstrap_servers, broker_timeout=float("inf"))
        self._wake.set()

    async def _dispose(self) -> None:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(_DISPOSE_TIMEOUT):
                await self._producer.stop()

    async def close(self) -> None:
        """Disconnect. The offsets of what is not acknowledged by now are not committed: it is done again."""
        await self._dispose()


async def _hand_over(producer: AIOKafkaProducer, outgoing: Outgoing) -> asyncio.Future[object]:
    """Give the record to the producer. The future is done when the broker has answered."""
    if outgoing.key is None and outgoing.value is None:
        # A dead letter can be without both, as the original was; Kafka takes that, aiokafka's send() does not.
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=outgoing.timestamp_ms, headers=outgoing.kafka_headers)
        # send_batch() chooses no partition; without a key any will do.
        partition = min(await producer.partitions_for(outgoing.topic))
        future: asyncio.Future[object] = await producer.send_batch(batch, outgoing.topic, partition=partition)
    else:
        future = await producer.send(
            outgoing.topic,
            outgoing.value,
            outgoing.key,
            timestamp_ms=outgoing.timestamp_ms,
            headers=outgoing.kafka_headers,
        )
    return future


def _smaller(outgoing: Outgoing) -> Outgoing:
    if outgoing.smaller is None:
        key = (outgoing.key or b"").decode(errors="replace")
        raise ResultRefused(f"the broker refuses a record of {outgoing.topic} at its smallest (key {key[:80]!r})")
    _log.warning(
        "record_refused",
        key=cut_id((outgoing.key or b"").decode(errors="replace")),
        topic=outgoing.topic,
        bytes=len(outgoing.value or b""),
        hint="the topic's max.message.bytes is lower than when this process started, so a smaller form is sent: "
        "`streamverify topics create --alter` raises it again",
    )
    return outgoing.smaller()
