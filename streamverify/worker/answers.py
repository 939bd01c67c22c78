"""Publishes the answers to records: results and dead letters. A record is complete when the broker has its answer."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.publisher import countdown, dead_letter_record
from streamverify.core.activity import Activity
from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.errors import WorkersDied
from streamverify.core.job import Verdict
from streamverify.core.log.about import about_record
from streamverify.core.messages.dead_letter import DeadLetter, Stage
from streamverify.core.messages.models import OUTCOMES, Reason, Status
from streamverify.worker.intake import Requester

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.bus.ports import CommitPort
    from streamverify.bus.publisher import Publisher
    from streamverify.core.delivery.delivered_records import DeliveredRecords
    from streamverify.core.job import Job, Record, RecordId
    from streamverify.settings import Settings
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.results import ResultBuilder
    from streamverify.worker.superseding import Superseding
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)


class Answers:
    """The answers of one worker, from a verdict or an error to the completion of its record."""

    def __init__(  # noqa: PLR0913 - the parts that an answer meets
        self,
        settings: Settings,
        *,
        publisher: Publisher,
        results: ResultBuilder,
        runner: JobRunner,
        records: DeliveredRecords,
        commits: CommitPort,
        superseding: Superseding,
        tiers: Tiers,
        ended: Callable[[RecordId], None],
    ) -> None:
        """`ended` hears of each record that is finished for good: answered, or another worker's."""
        self._settings = settings
        self._publisher = publisher
        self._results = results
        self._runner = runner
        self._records = records
        self._commits = commits
        self._superseding = superseding
        self._tiers = tiers
        self._ended = ended
        self._undecided: list[tuple[Job, Verdict]] = []
        """Inconclusive verdicts that wait until it is known whose their records are."""
        self.activity = Activity(time.monotonic())
        """Counts the answers that the broker has."""
        self.dead_letters: Counter[Stage] = Counter()
        """Dead letters that the broker has."""

    def answer(self, job: Job, verdict: Verdict) -> None:
        """Publish the verdict, unless it is of no use: inconclusive, and the record another worker's."""
        record_id = job.record.id
        ownership = self._records.ownership(record_id)
        definite = OUTCOMES[verdict.reason].status is not Status.INCONCLUSIVE
        if definite or ownership is Ownership.OWNED:
            # A definite verdict does not depend on who found it: it is published whoever owns the partition by now.
            # A success of a group ends work of others as soon as the broker has it: it is not gathered with more.
            success = job.scope is not None and verdict.reason is Reason.OK
            self._publish_result(
                Requester(job.record, job.request), verdict, partial(self._acknowledged, job, verdict), urgent=success
            )
        elif ownership is Ownership.UNKNOWN:
            # If the partition comes back to us the record is not delivered again: the verdict must not be thrown away.
            self._undecided.append((job, verdict))
        else:
            # The new owner runs it again, and may find a verdict where we found a time-out.
            self._records.forget(record_id)
            self._ended(record_id)

    def assignment_known(self) -> None:
        """Decide about the verdicts that waited until it was known whose their records are."""
        undecided, self._undecided = self._undecided, []
        for job, verdict in undecided:
            self.answer(job, verdict)

    def answer_at_once(self, requester: Requester, verdict: Verdict) -> None:
        """Publish a verdict for which Lean was not asked."""
        self._publish_result(requester, verdict, partial(self._complete, requester.record.id))

    def refuse(self, record: Record, error: Exception) -> None:
        """Publish a dead letter for a record that cannot be answered, as it could not be read."""
        self._publish_dead_letter(record, error, Stage.DECODE, on_ack=partial(self._complete, record.id))

    def give_up(self, job: Job) -> None:
        """The proof has killed its worker too often: it gets a result and a dead letter, and is complete after both."""
        record, deaths = job.record, job.record.worker_deaths
        error = WorkersDied(f"{deaths} workers died while this proof was running, {deaths - 1} of them of it alone")
        verdict = Verdict(Reason.REPL_CRASH, f"{error}; it is not run again", attempts=deaths, final=True)
        # If only one of both reached the broker before a crash, the next worker sends both again.
        on_ack = countdown(2, partial(self._complete, record.id))
        self._publish_result(Requester(job.record, job.request), verdict, on_ack)
        custom_id = job.request.custom_id
        self._publish_dead_letter(record, error, Stage.VERIFY, attempts=deaths, on_ack=on_ack, of=custom_id)

    def _acknowledged(self, job: Job, verdict: Verdict) -> None:
        """The broker has the verdict on a job."""
        self._complete(job.record.id)
        self._superseding.acknowledged(job, verdict)
        self._tiers.answered(job, verdict)

    def _complete(self, record_id: RecordId) -> None:
        """The broker has the answer to the record: commit its offset soon."""
        self._records.complete(record_id)
        self._commits.commit_soon()
        self._ended(record_id)

    def _publish_result(
        self, requester: Requester, verdict: Verdict, on_ack: Callable[[], None], *, urgent: bool = False
    ) -> None:
        def acknowledged() -> None:
            cached, times = verdict.cached_age is not None, verdict.timings
            busy = 0.0 if cached else times.run + times.audit
            self.activity.answered(verdict.reason, cached=cached, busy_seconds=busy)
            on_ack()

        try:
            outgoing = self._results.record(requester, verdict, acknowledged)
        except Exception as error:  # noqa: BLE001 - a result that cannot be written is answered, too
            _log.exception(
                "result_not_written",
                **about_record(requester.record, requester.request.custom_id),
                hint="a bug of streamverify: the request is answered `worker_error`; please report the traceback",
            )
            verdict = Verdict(Reason.WORKER_ERROR, f"the result could not be written: {error!r}")
            outgoing = self._results.record(requester, verdict, acknowledged)
        # While jobs wait for a slot nobody waits for one result more than for the next: the publisher may gather them.
        self._publisher.publish(outgoing, urgent=urgent or not self._runner.queued)

    def _publish_dead_letter(  # noqa: PLR0913 - what a letter says
        self,
        record: Record,
        error: Exception,
        stage: Stage,
        *,
        on_ack: Callable[[], None],
        attempts: int = 1,
        of: str | None = None,
    ) -> None:
        """Publish a dead letter; `of` is the custom_id of its request where that could be read."""

        def acknowledged() -> None:
            self.activity.dead_letter()
            self.dead_letters[stage] += 1
            on_ack()

        letter = DeadLetter.of(
            error,
            key=record.key,
            value=record.value,
            kafka_headers=record.kafka_headers,
            source=record.source,
            group=self._settings.group_id,
            stage=stage,
            attempts=attempts,
        )
        _log.warning(
            "dead_letter",
            **about_record(record, of),
            stage=stage,
            error=str(error),
            hint=f"see it with `streamverify dlq list`; it is on {self._settings.dlq_topic}",
        )
        topic = self._settings.dlq_topic
        tracing = self._results.tracing
        trace = tracing and tracing.dead_letter(record, of, error, topic)
        # A letter has the Kafka headers of its request untouched: the trace goes on without ours in it.
        self._publisher.publish(
            dead_letter_record(topic, letter, trace.ended_after(acknowledged) if trace else acknowledged)
        )
