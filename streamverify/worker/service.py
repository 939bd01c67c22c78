"""Takes each record through its steps, from its delivery to its verdict; `answers` publishes that.

The decisions are made elsewhere and carried out here: `intake` decides what becomes of a record, `core.delivery` which
quarantined record may run, the pool in which slot it runs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.delivery.quarantine import Quarantine, is_poison
from streamverify.core.job import Job
from streamverify.core.log.about import about_job, about_record
from streamverify.core.messages.models import Assurance
from streamverify.worker.answers import Answers
from streamverify.worker.intake import ImmediateVerdict, IntakeRules, take_in

if TYPE_CHECKING:
    from streamverify.bus.ports import CommitPort
    from streamverify.bus.publisher import Publisher
    from streamverify.core.delivery.delivered_records import DeliveredRecords
    from streamverify.core.groups.cancellation import Cancellation
    from streamverify.core.job import Record, RecordId, Verdict
    from streamverify.core.messages.codec import RequestLimits
    from streamverify.core.messages.models import ProofRequest
    from streamverify.lean.kernel.reachable_tiers import ReachableTiers
    from streamverify.lean.pool import Pool
    from streamverify.settings import Settings
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.results import ResultBuilder
    from streamverify.worker.superseding import Superseding
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)


class Service:
    """Answers every record that it is given. The consumer's `RecordHandler` (`bus.ports`).

    receive ── needs no Lean ──────────────────────────────────────────────────> ANSWERED ── the broker has it ──> ended
            ── job ──> QUEUED ──> RUNNING ── verdict, of the next tier too ──> ANSWERED
            ── quarantined ──> WAITING ── its attempt is committed ──> QUEUED;  is cancelled ──> ANSWERED
    RUNNING ── verdict, but who owns the partition is not known ──> UNDECIDED ── owned ──> ANSWERED;  lost ──> ended
    QUEUED or WAITING ── drop ──> forgotten; what runs goes on
    """

    def __init__(  # noqa: PLR0913 - the parts that a record meets
        self,
        settings: Settings,
        limits: RequestLimits,
        *,
        pool: Pool,
        runner: JobRunner,
        publisher: Publisher,
        results: ResultBuilder,
        records: DeliveredRecords,
        commits: CommitPort,
        superseding: Superseding,
        tiers: Tiers,
        reachable: ReachableTiers,
        slots: int,
    ) -> None:
        """`runner` is the pool, or the cache before it; `slots` the proofs that run at once."""
        self._settings = settings
        self._rules = IntakeRules(
            limits,
            Assurance(settings.require),
            Assurance(settings.require_min),
            highest_tier=reachable.tier,
            beyond=reachable.lacks,
            vocabulary=replace(SHIPPED, trusted=pool.trusted),
            consumer_group=settings.group_id,
            result_topic=settings.result_topic,
            ignore_deadlines=settings.deadlines == "ignore",
        )
        self._pool = pool
        self._runner = runner
        self._records = records
        self._commits = commits
        self._superseding = superseding
        self._tiers = tiers
        self.quarantine = Quarantine(slots)
        self.answers = Answers(
            settings,
            publisher=publisher,
            results=results,
            runner=runner,
            records=records,
            commits=commits,
            superseding=superseding,
            tiers=tiers,
            ended=self._ended,
        )
        self._waiting: dict[RecordId, Job] = {}
        """The jobs of the records that wait in the quarantine."""
        self._open: dict[RecordId, Job] = {}
        """The jobs of the records that are not finished, in the order in which they came."""
        self.received = 0
        """Records that were taken in, whatever became of them."""

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
            self.answers.refuse(record, error)
            return
        if isinstance(taken, Job):
            self._open[record.id] = taken
        match taken:
            case Job() as job if is_poison(record.worker_deaths, self._settings.max_deliveries):
                self.answers.give_up(job)
            case Job() as job if record.quarantined:
                # It is run when a commit has its attempt, and alone where it has one already.
                self._waiting[record.id] = job
                self.quarantine.add(record.id, worker_deaths=record.worker_deaths)
                self._carry_out()
            case Job() as job if superseded := self._superseding.enter(job):
                self.answers.answer(job, superseded)
            case Job() as job:
                self._runner.submit(job, self._done)
            case ImmediateVerdict(requester, verdict):
                self.answers.answer_at_once(requester, verdict)
            case _:
                self.answers.refuse(record, taken.error)

    def _cancelled(self, record: Record, request: ProofRequest) -> Verdict | None:
        """The verdict on a request that was cancelled. Of one that has killed its workers we say that instead."""
        if is_poison(record.worker_deaths, self._settings.max_deliveries):
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
            record_id: verdict
            for record_id, job in self._waiting.items()
            if (verdict := self._superseding.cancelled(job.record, job.request)) is not None
        }
        for record_id in self.quarantine.discard(ended.__contains__):
            self._records.withdraw_attempt(record_id)
            self.answers.answer(self._waiting.pop(record_id), ended[record_id])
        self._carry_out()

    def drop(self, partitions: frozenset[int]) -> None:
        """Drop the queued jobs of these partitions: the next owner, or the next delivery, will see to their records."""
        # They wait in the pool or in the quarantine. Of running jobs the verdict may still be of use.
        jobs = [
            job
            for waiting in (self._runner, self._tiers)
            for job in waiting.discard(lambda job: job.record.id.partition in partitions)
        ]
        quarantined = self.quarantine.discard(lambda record_id: record_id.partition in partitions)
        dropped = [*(job.record.id for job in jobs), *quarantined]
        for record_id in dropped:
            self._waiting.pop(record_id, None)
            self._open.pop(record_id, None)
            self._records.forget(record_id)
            self._superseding.dropped(record_id)
            self.quarantine.ended(record_id)
        self._carry_out()
        if dropped:
            _log.info("queued_jobs_dropped", partitions=sorted(partitions), jobs=len(dropped))

    def attempts_committed(self, records: frozenset[RecordId]) -> None:
        """The broker has the attempts of these records: those that still wait for it may be run."""
        for record_id, alone in self.quarantine.attempts_committed(records):
            job = self._waiting.pop(record_id)
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
        for record_id in self.quarantine.pause():
            self._records.withdraw_attempt(record_id)
        self._carry_out()

    def resume(self) -> None:
        """Start quarantined records again."""
        self.quarantine.resume()
        self._carry_out()

    def assignment_known(self) -> None:
        """Decide about the verdicts, and the successes of groups, that waited for this."""
        self.answers.assignment_known()
        self._superseding.assignment_known()

    # --- the quarantine -------------------------------------------------------------------------------------------

    def _carry_out(self) -> None:
        """Carry out what the quarantine decides now; called whenever something about it may have changed."""
        decision = self.quarantine.decide(self._pool.running + self._tiers.running)
        if decision.pause_pool:
            self._pool.pause()
        # Only then, as it decides anew about its queue each time. Nobody else pauses it.
        elif self._pool.paused:
            self._pool.resume()
        if decision.commit:
            for record_id in decision.commit:
                self._records.record_attempt(record_id)
            self._commits.commit_now()

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
        self.answers.answer(job, verdict)
        self._carry_out()

    def _ended(self, record_id: RecordId) -> None:
        """The record is finished for good.

        The quarantine hears of it only now, not when the verdict was there: until the broker has the result, the next
        commit still has the record's attempt, and the death of another proof would be counted as its own.
        """
        self._open.pop(record_id, None)
        self.quarantine.ended(record_id)
        self._carry_out()
