"""The worker's records on their way: delivered, run, published, completed.

Order for each: run it, publish the result, wait for the broker's acknowledgement, mark the offset complete, commit.
Wiring only: what becomes of a record is decided in `intake`, offsets in `core.ledger`, slots in the pool.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.consumer import plain_headers
from streamverify.bus.publisher import Outgoing
from streamverify.core.deadletter import DeadLetter, Stage
from streamverify.core.errors import WorkersDied
from streamverify.core.gate import is_poison
from streamverify.core.jobs import Job
from streamverify.core.ledger import Standing
from streamverify.core.models import OUTCOMES, Assurance, Reason, Source, Status
from streamverify.core.policy import SHIPPED
from streamverify.core.verdict import Verdict
from streamverify.worker.dispatch import Dispatcher
from streamverify.worker.intake import Answer, Asker, Delivery, Terms, take_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.bus.consumer import Record, RequestConsumer
    from streamverify.bus.publisher import Publisher
    from streamverify.core.codec import RequestLimits
    from streamverify.core.ledger import Admission, Place
    from streamverify.lean.pool import Pool
    from streamverify.settings import Settings
    from streamverify.worker.answers import Answerer

_log = structlog.get_logger(__name__)


class Service:
    """Answers every record that it is given."""

    def __init__(  # noqa: PLR0913 - the parts that it wires
        self,
        settings: Settings,
        limits: RequestLimits,
        pool: Pool,
        publisher: Publisher,
        answerer: Answerer,
        *,
        slots: int,
    ) -> None:
        self._settings = settings
        self._terms = Terms(
            limits,
            Assurance(settings.require),
            Assurance(settings.require_min),
            audits=answerer.verifier.kind == "lean",
            vocabulary=replace(SHIPPED, trusted=pool.trusted),
        )
        self._publisher = publisher
        self._answerer = answerer
        self._held: list[tuple[Job, Verdict]] = []
        """Inconclusive results that wait for the word whose their records are."""
        self._dispatcher = Dispatcher(pool, slots=slots, on_done=self._finish, mark=self._mark)
        self.consumer: RequestConsumer

    @property
    def waiting(self) -> int:
        """Careful jobs that wait for their turn."""
        return self._dispatcher.waiting

    # --- what the consumer asks (bus.consumer.Worker) -------------------------------------------------------------

    def receive(self, record: Record, admission: Admission) -> None:
        """Take a delivered record in. Whatever is wrong with it, it is answered and blocks nothing."""
        delivery = _delivery(record, admission.place)
        try:
            taken = take_in(delivery, self._terms, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - one record must not take the worker down
            _log.exception("intake_failed", partition=record.partition, offset=record.offset)
            self._bury(delivery, error, Stage.DECODE)
            return
        match taken:
            case Job() as job:
                self._run(job, delivery, admission)
            case Answer(asker, verdict):
                self._publish(asker, verdict, partial(self.consumer.complete, delivery.place))
            case _:
                self._bury(delivery, taken.error, Stage.DECODE)

    def drop(self, partitions: frozenset[int]) -> list[Place]:
        """Forget what is queued of these partitions: the next owner, or the next delivery, will see to it."""
        return self._dispatcher.drop(partitions)

    def written(self, places: Iterable[Place]) -> None:
        """The broker has the attempts of these records: they may be run."""
        self._dispatcher.written(places)

    def suspend(self) -> Iterable[Place]:
        """Dispatch no careful record until `resume`."""
        return self._dispatcher.suspend()

    def resume(self) -> None:
        """Dispatch careful records again."""
        self._dispatcher.resume()

    def settle(self) -> None:
        """Decide what was held."""
        held, self._held = self._held, []
        for job, verdict in held:
            self._finish(job, verdict)

    # --- the ways of a record -------------------------------------------------------------------------------------

    def _run(self, job: Job, delivery: Delivery, admission: Admission) -> None:
        attempts = admission.attempts
        if is_poison(attempts, self._settings.max_deliveries):
            self._give_up(job, delivery, attempts)
        else:
            self._dispatcher.submit(job, careful=admission.careful, attempts=attempts)

    def _mark(self, places: Iterable[Place]) -> None:
        self.consumer.mark(places)

    def _give_up(self, job: Job, delivery: Delivery, attempts: int) -> None:
        """The proof has killed its worker too often: a result and a dead letter, and then it is complete."""
        error = WorkersDied(f"{attempts} workers died while this proof was running, {attempts - 1} of them of it alone")
        complete = _both(partial(self.consumer.complete, delivery.place))
        verdict = Verdict(Reason.REPL_CRASH, f"{error}; it is not run again", attempts=attempts, final=True)
        self._publish(Asker.of(job), verdict, complete)
        self._bury(delivery, error, Stage.VERIFY, attempts=attempts, on_ack=complete)

    def _finish(self, job: Job, verdict: Verdict) -> None:
        """A job has its verdict. Where its record is no longer ours, only a definite one is of use to anybody."""
        standing = self.consumer.standing(job.place)
        if standing is Standing.OURS or OUTCOMES[verdict.reason].status is not Status.INCONCLUSIVE:
            self._publish(Asker.of(job), verdict, partial(self._complete, job.place))
        elif standing is Standing.UNDECIDED:
            self._held.append((job, verdict))
        else:
            self.consumer.forget(job.place)
            self._dispatcher.ended(job.place)

    def _complete(self, place: Place) -> None:
        """The broker has the result of a job."""
        self.consumer.complete(place)
        self._dispatcher.ended(place)

    def _publish(self, asker: Asker, verdict: Verdict, on_ack: Callable[[], None]) -> None:
        try:
            record = self._answerer.record(asker, verdict, on_ack)
        except Exception as error:  # noqa: BLE001 - an answer that cannot be written is answered, too
            _log.exception("answer_failed", custom_id=asker.custom_id)
            failure = Verdict(Reason.WORKER_ERROR, f"the result could not be written: {error!r}")
            record = self._answerer.record(asker, failure, on_ack)
        self._publisher.publish(record)

    def _bury(
        self,
        delivery: Delivery,
        error: Exception,
        stage: Stage,
        *,
        attempts: int = 1,
        on_ack: Callable[[], None] | None = None,
    ) -> None:
        source = delivery.source
        letter = DeadLetter.of(
            error,
            key=delivery.key,
            value=delivery.value,
            headers=delivery.headers,
            source=source,
            group=self._settings.group_id,
            stage=stage,
            attempts=attempts,
        )
        _log.warning("dead_letter", partition=source.partition, offset=source.offset, stage=stage, error=str(error))
        on_ack = on_ack or partial(self.consumer.complete, delivery.place)
        self._publisher.publish(_dead_letter_record(self._settings.dlq_topic, letter, on_ack))


def _both(done: Callable[[], None]) -> Callable[[], None]:
    """Calls `done` the second time that it is called."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # noqa: PLR2004 - both
            done()

    return count


def _delivery(record: Record, place: Place) -> Delivery:
    source = Source(topic=record.topic, partition=record.partition, offset=record.offset, timestamp=record.timestamp)
    return Delivery(source, record.key, record.value, plain_headers(record), place, time.monotonic())


def _dead_letter_record(topic: str, letter: DeadLetter, on_ack: Callable[[], None]) -> Outgoing:
    """The original and what was wrong with it; where the topic does not take that, only where the original lies."""

    def record(letter: DeadLetter, smaller: Callable[[], Outgoing] | None = None) -> Outgoing:
        return Outgoing(
            topic, letter.key, letter.value, letter.kafka_headers(), on_ack, smaller, timestamp_ms=letter.timestamp
        )

    return record(letter, lambda: record(letter.emptied()))
