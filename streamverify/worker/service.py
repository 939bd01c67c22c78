"""Takes each record through its steps: run the job, publish the result, wait for the acknowledgement, commit.

The decisions are made elsewhere and carried out here: `intake` decides what becomes of a record, `core.delivery` who
owns it and which quarantined record may run, the pool in which slot it runs.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.bus.publisher import countdown, dead_letter_record
from streamverify.core.about import about_job, about_record
from streamverify.core.activity import Activity
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.delivery.quarantine import Quarantine, is_poison
from streamverify.core.errors import WorkersDied
from streamverify.core.job import Job, Verdict
from streamverify.core.messages.dead_letter import DeadLetter, Stage
from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Status
from streamverify.worker.intake import ImmediateVerdict, IntakeRules, Requester, take_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.bus.ports import CommitPort
    from streamverify.bus.publisher import Publisher
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.core.groups.cancellation import Cancellation
    from streamverify.core.job import Record, RecordId
    from streamverify.core.messages.codec import RequestLimits
    from streamverify.core.messages.models import ProofRequest
    from streamverify.lean.kernel.reach import Reach
    from streamverify.lean.pool import Pool
    from streamverify.settings import Settings
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.results import ResultBuilder
    from streamverify.worker.superseding import Superseding
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)


class Service:
    """Answers every record that it is given. The consumer's `RecordHandler` (`bus.ports`)."""

    def __init__(  # noqa: PLR0913 - the parts that a record meets
        self,
        settings: Settings,
        limits: RequestLimits,
        *,
        pool: Pool,
        runner: JobRunner,
        publisher: Publisher,
        results: ResultBuilder,
        partitions: Partitions,
        commits: CommitPort,
        superseding: Superseding,
        tiers: Tiers,
        reach: Reach,
        slots: int,
    ) -> None:
        """`runner` is the pool, or the cache before it; `slots` the proofs that run at once."""
        self._settings = settings
        self._rules = IntakeRules(
            limits,
            Assurance(settings.require),
            Assurance(settings.require_min),
            reach=reach.tier,
            beyond=reach.lacks,
            vocabulary=replace(SHIPPED, trusted=pool.trusted),
            consumer_group=settings.group_id,
            result_topic=settings.result_topic,
            ignore_deadlines=settings.deadlines == "ignore",
        )
        self._pool = pool
        self._runner = runner
        self._publisher = publisher
        self._results = results
        self._partitions = partitions
        self._commits = commits
        self._superseding = superseding
        self._tiers = tiers
        self._quarantine = Quarantine(slots)
        self._waiting: dict[RecordId, Job] = {}
        """The jobs of the records that wait in the quarantine."""
        self._open: dict[RecordId, Job] = {}
        """The jobs of the records that are not finished, in the order in which they came."""
        self._pool_is_paused = False
        self._undecided: list[tuple[Job, Verdict]] = []
        """Inconclusive verdicts that wait until it is known whose their records are."""
        self.activity = Activity(time.monotonic())
        """Whose answer the broker has."""
        self.received = 0
        """Records that were taken in, whatever became of them."""
        self.dead_letters: Counter[Stage] = Counter()
        """Dead letters that the broker has."""

    @property
    def waiting(self) -> int:
        """Quarantined jobs that wait for their turn."""
        return self._quarantine.waiting

    @property
    def oldest(self) -> Job | None:
        """The job that came first of those whose records are not finished."""
        return next(iter(self._open.values()), None)

    # --- what the consumer asks -----------------------------------------------------------------------------------

    def receive(self, record: Record) -> None:
        """Take a delivered record in. Whatever is wrong with it, it is answered and blocks nothing."""
        self.received += 1
        try:
            taken = take_in(record, self._rules, datetime.now(UTC), self._cancelled)
        except Exception as error:  # noqa: BLE001 - one record must not take the worker down
            _log.exception(
                "intake_failed",
                **about_record(record),
                hint="a bug of streamverify: the record goes to the dead letters; please report the traceback",
            )
            self._publish_dead_letter(record, error, Stage.DECODE, on_ack=partial(self._complete, record.id))
            return
        if isinstance(taken, Job):
            self._open[record.id] = taken
        match taken:
            case Job() as job if is_poison(record.attempts, self._settings.max_deliveries):
                self._give_up(job)
            case Job() as job if record.quarantined:
                # It is run when a commit has its attempt, and alone where it has one already.
                self._waiting[record.id] = job
                self._quarantine.add(record.id, attempts=record.attempts)
                self._carry_out()
            case Job() as job if superseded := self._superseding.enter(job):
                self._answer(job, superseded)
            case Job() as job:
                self._runner.submit(job, self._done)
            case ImmediateVerdict(requester, verdict):
                self._publish_result(requester, verdict, partial(self._complete, record.id))
            case _:
                self._publish_dead_letter(record, taken.error, Stage.DECODE, on_ack=partial(self._complete, record.id))

    def _cancelled(self, record: Record, request: ProofRequest) -> Verdict | None:
        """The verdict on a request that was cancelled. Of one that has killed its workers we say that instead."""
        if is_poison(record.attempts, self._settings.max_deliveries):
            return None
        return self._superseding.cancelled(record, request)

    def cancel(self, cancellation: Cancellation) -> None:
        """End what was cancelled: what waits in the quarantine here, all else there where groups are ended, too.

        What waits in the quarantine has not been run here. If the worker that died had an answer published, that one is
        definite or counts as little as ours, and readers keep it.
        """
        if not self._superseding.cancel(cancellation):
            return
        ended = {
            record: verdict
            for record, job in self._waiting.items()
            if (verdict := self._superseding.cancelled(job.record, job.request)) is not None
        }
        for record in self._quarantine.discard(ended.__contains__):
            self._partitions.withdraw_attempt(record)
            self._answer(self._waiting.pop(record), ended[record])
        self._carry_out()

    def drop(self, partitions: frozenset[int]) -> None:
        """Drop the queued jobs of these partitions: the next owner, or the next delivery, will see to their records."""
        # They wait in the pool or in the quarantine. Of running jobs the verdict may still be of use.
        jobs = [
            job
            for waiting in (self._runner, self._tiers)
            for job in waiting.discard(lambda job: job.record.id.partition in partitions)
        ]
        quarantined = self._quarantine.discard(lambda record: record.partition in partitions)
        dropped = [*(job.record.id for job in jobs), *quarantined]
        for record in dropped:
            self._waiting.pop(record, None)
            self._open.pop(record, None)
            self._partitions.forget(record)
            self._superseding.dropped(record)
            self._quarantine.ended(record)
        self._carry_out()
        if dropped:
            _log.info("queued_jobs_dropped", partitions=sorted(partitions), jobs=len(dropped))

    def attempts_committed(self, records: frozenset[RecordId]) -> None:
        """The broker has the attempts of these records: those that still wait for it may be run."""
        for record, alone in self._quarantine.attempts_committed(records):
            job = self._waiting.pop(record)
            if alone:
                _log.warning(
                    "suspect_isolated",
                    **about_job(job),
                    hint="it was running when a worker died: nothing else is started until it has its result",
                )
            self._runner.submit(job, self._done, alone=alone)
        self._carry_out()

    def pause(self) -> None:
        """Start no quarantined record until `resume`; the attempts of those that were about to be are withdrawn."""
        for record in self._quarantine.pause():
            self._partitions.withdraw_attempt(record)
        self._carry_out()

    def resume(self) -> None:
        """Start quarantined records again."""
        self._quarantine.resume()
        self._carry_out()

    def assignment_known(self) -> None:
        """Decide about the verdicts that waited until it was known whose their records are."""
        undecided, self._undecided = self._undecided, []
        for job, verdict in undecided:
            self._answer(job, verdict)
        self._superseding.assignment_known()

    # --- the quarantine -------------------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        """Carry out what the quarantine decides now; called whenever something about it may have changed."""
        decision = self._quarantine.decide(self._pool.running + self._tiers.running)
        if decision.pause_pool != self._pool_is_paused:
            self._pool_is_paused = decision.pause_pool
            if decision.pause_pool:
                self._pool.pause()
            else:
                self._pool.resume()
        if decision.commit:
            for record in decision.commit:
                self._partitions.record_attempt(record)
            self._commits.commit_now()

    def _give_up(self, job: Job) -> None:
        """The proof has killed its worker too often: it gets a result and a dead letter, and is complete after both."""
        record, attempts = job.record, job.record.attempts
        error = WorkersDied(f"{attempts} workers died while this proof was running, {attempts - 1} of them of it alone")
        verdict = Verdict(Reason.REPL_CRASH, f"{error}; it is not run again", attempts=attempts, final=True)
        # If only one of both reached the broker before a crash, the next worker sends both again.
        on_ack = countdown(2, partial(self._complete, record.id))
        self._publish_result(Requester.of_job(job), verdict, on_ack)
        custom_id = job.request.custom_id
        self._publish_dead_letter(record, error, Stage.VERIFY, attempts=attempts, on_ack=on_ack, of=custom_id)

    # --- results --------------------------------------------------------------------------------------------------

    def _done(self, job: Job, verdict: Verdict) -> None:
        """The pool has the verdict: the job is answered, or goes on to the tier that it asks for."""
        if self._tiers.take(job, verdict, self._decided):
            self._carry_out()
        else:
            self._decided(job, verdict)

    def _decided(self, job: Job, verdict: Verdict) -> None:
        """The job has the verdict that is its answer."""
        self._superseding.ended(job, verdict)
        self._answer(job, verdict)
        self._carry_out()

    def _answer(self, job: Job, verdict: Verdict) -> None:
        """Publish the verdict, unless it is of no use: inconclusive, and the record another worker's."""
        record = job.record.id
        ownership = self._partitions.ownership(record)
        definite = OUTCOMES[verdict.reason].status is not Status.INCONCLUSIVE
        if definite or ownership is Ownership.OWNED:
            # A definite verdict does not depend on who found it: it is published whoever owns the partition by now.
            # A success of a group ends work of others as soon as the broker has it: it is not gathered with more.
            success = job.scope is not None and verdict.reason is Reason.OK
            self._publish_result(
                Requester.of_job(job), verdict, partial(self._acknowledged, job, verdict), urgent=success
            )
        elif ownership is Ownership.UNKNOWN:
            # If the partition comes back to us the record is not delivered again: the verdict must not be thrown away.
            self._undecided.append((job, verdict))
        else:
            # The new owner runs it again, and may find a verdict where we found a time-out.
            self._partitions.forget(record)
            self._ended(record)

    def _acknowledged(self, job: Job, verdict: Verdict) -> None:
        """The broker has the verdict on a job."""
        self._complete(job.record.id)
        self._superseding.acknowledged(job, verdict)
        self._tiers.answered(job, verdict)

    def _complete(self, record: RecordId) -> None:
        """The broker has the answer to the record: commit its offset soon."""
        self._partitions.complete(record)
        self._commits.commit_soon()
        self._ended(record)

    def _ended(self, record: RecordId) -> None:
        """The record is finished for good.

        The quarantine hears of it only now, not when the verdict was there: until the broker has the result, the next
        commit still has the record's attempt, and the death of another proof would be counted as its own.
        """
        self._open.pop(record, None)
        self._quarantine.ended(record)
        self._carry_out()

    def _publish_result(
        self, requester: Requester, verdict: Verdict, on_ack: Callable[[], None], *, urgent: bool = False
    ) -> None:
        def acknowledged() -> None:
            cached, times = verdict.cached_age is not None, verdict.timings
            busy = 0.0 if cached else times.run + times.audit
            self.activity.answered(verdict.reason, cached=cached, busy_seconds=busy)
            on_ack()

        try:
            record = self._results.record(requester, verdict, acknowledged)
        except Exception as error:  # noqa: BLE001 - a result that cannot be written is answered, too
            _log.exception(
                "result_not_written",
                **about_record(requester.record, requester.custom_id),
                hint="a bug of streamverify: the request is answered `worker_error`; please report the traceback",
            )
            verdict = Verdict(Reason.WORKER_ERROR, f"the result could not be written: {error!r}")
            record = self._results.record(requester, verdict, acknowledged)
        # While jobs wait for a slot nobody waits for one result more than for the next: the publisher may gather them.
        self._publisher.publish(record, urgent=urgent or not self._runner.queued)

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
        # A letter has the headers of its request untouched: the trace goes on without ours in it.
        self._publisher.publish(
            dead_letter_record(topic, letter, trace.ended_after(acknowledged) if trace else acknowledged)
        )
