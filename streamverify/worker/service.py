"""The worker's records on their way: delivered, run, published, completed.

Order for each: run it, publish the result, wait for the broker's acknowledgement, mark the offset complete, commit.
Wiring only: what becomes of a record is decided in `intake`, offsets in `core.ledger`, slots in the pool.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.consumer import plain_headers
from streamverify.bus.publisher import Outgoing
from streamverify.core.deadletter import DeadLetter, Stage
from streamverify.core.jobs import Job
from streamverify.core.models import OUTCOMES, Reason, Source, Status
from streamverify.core.verdict import Verdict
from streamverify.worker.intake import Answer, Asker, Delivery, take_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.bus.consumer import Record, RequestConsumer
    from streamverify.bus.publisher import Publisher
    from streamverify.core.codec import RequestLimits
    from streamverify.lean.pool import Pool
    from streamverify.settings import Settings
    from streamverify.worker.answers import Answerer

_log = structlog.get_logger(__name__)


class Service:
    """Answers every record that it is given."""

    def __init__(
        self, settings: Settings, limits: RequestLimits, pool: Pool, publisher: Publisher, answerer: Answerer
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._pool = pool
        self._publisher = publisher
        self._answerer = answerer
        self.consumer: RequestConsumer

    def receive(self, record: Record, assignment: int) -> None:
        """Take a delivered record in. Whatever is wrong with it, it is answered and blocks nothing."""
        delivery = _delivery(record, assignment)
        try:
            taken = take_in(delivery, self._limits, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - one record must not take the worker down
            _log.exception("intake_failed", partition=record.partition, offset=record.offset)
            self._bury(delivery, error)
            return
        match taken:
            case Job() as job:
                self._pool.submit(job, self._finish)
            case Answer(asker, verdict):
                self._publish(asker, verdict, delivery.assignment)
            case _:
                self._bury(delivery, taken.error)

    def end_assignment(self, assignment: int) -> None:
        """What is queued for an assignment that has ended is the next owner's to run."""
        dropped = self._pool.discard(lambda job: job.assignment <= assignment)
        if dropped:
            _log.info("queued_jobs_dropped", jobs=len(dropped), assignment=assignment)

    def _finish(self, job: Job, verdict: Verdict) -> None:
        """A job has its verdict. Where its record is no longer ours, only a definite one is of use to anybody."""
        ours = self.consumer.owns(job.source.partition, job.assignment)
        if ours or OUTCOMES[verdict.reason].status is not Status.INCONCLUSIVE:
            self._publish(Asker.of(job), verdict, job.assignment)

    def _publish(self, asker: Asker, verdict: Verdict, assignment: int) -> None:
        on_ack = partial(self.consumer.complete, asker.source.partition, asker.source.offset, assignment)
        try:
            record = self._answerer.record(asker, verdict, on_ack)
        except Exception as error:  # noqa: BLE001 - an answer that cannot be written is answered, too
            _log.exception("answer_failed", custom_id=asker.custom_id)
            failure = Verdict(Reason.WORKER_ERROR, f"the result could not be written: {error!r}")
            record = self._answerer.record(asker, failure, on_ack)
        self._publisher.publish(record)

    def _bury(self, delivery: Delivery, error: Exception) -> None:
        source = delivery.source
        letter = DeadLetter.of(
            error,
            key=delivery.key,
            value=delivery.value,
            headers=delivery.headers,
            source=source,
            group=self._settings.group_id,
            stage=Stage.DECODE,
        )
        _log.warning("dead_letter", partition=source.partition, offset=source.offset, error=str(error))
        on_ack = partial(self.consumer.complete, source.partition, source.offset, delivery.assignment)
        self._publisher.publish(_dead_letter_record(self._settings.dlq_topic, letter, on_ack))


def _delivery(record: Record, assignment: int) -> Delivery:
    source = Source(
        topic=record.topic, partition=record.partition, offset=record.offset, timestamp=record.timestamp
    )
    return Delivery(source, record.key, record.value, plain_headers(record), assignment, time.monotonic())


def _dead_letter_record(topic: str, letter: DeadLetter, on_ack: Callable[[], None]) -> Outgoing:
    """The original and what was wrong with it; where the topic does not take that, only where the original lies."""

    def record(letter: DeadLetter, smaller: Callable[[], Outgoing] | None = None) -> Outgoing:
        return Outgoing(
            topic, letter.key, letter.value, letter.kafka_headers(), on_ack, smaller, timestamp_ms=letter.timestamp
        )

    return record(letter, lambda: record(letter.emptied()))
