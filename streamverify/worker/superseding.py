"""Carries out what `core.groups` decides: which requests end because another one has succeeded, or are cancelled."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from streamverify.core.groups.groups import GroupAttempt, Groups
from streamverify.core.job import Verdict
from streamverify.core.log.about import cut_id
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.delivery.delivered_records import DeliveredRecords
    from streamverify.core.groups.cancellation import Cancellation, Cancellations
    from streamverify.core.groups.groups import Winner
    from streamverify.core.job import Job, Record, RecordId
    from streamverify.core.messages.models import ProofRequest
    from streamverify.lean.pool import Pool
    from streamverify.worker.ports import JobRunner
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)

_SHOWN = 80
"""Characters of a winner's id in the sentence of a verdict; `superseded_by` has the whole."""
_AT_ONCE = 100
"""Cancelled jobs that are ended in one go, some 10 ms: REPLs and the broker must not wait for thousands of results."""


class Superseding:
    """Ends the jobs of one worker that need no verdict, between its service, its pool and what is announced."""

    def __init__(  # noqa: PLR0913 - the parts that it stands between
        self,
        groups: Groups,
        cancellations: Cancellations,
        *,
        pool: Pool,
        runner: JobRunner,
        tiers: Tiers,
        records: DeliveredRecords,
        announce: Callable[[Winner], None],
    ) -> None:
        """`runner` is the pool, or the cache before it; `announce` tells the other workers of a winner."""
        self._groups = groups
        self._cancellations = cancellations
        self._pool = pool
        self._runner = runner
        self._tiers = tiers
        self._records = records
        self._announce = announce
        self._jobs: dict[RecordId, Job] = {}
        """The jobs that may be superseded: all that wait or run here, those in quarantine excepted."""
        self._ending: deque[tuple[RecordId, Verdict]] = deque()
        """The cancelled jobs that are still to be ended, and their verdicts."""

    def enter(self, job: Job) -> Verdict | None:
        """Take in a job that was just delivered; the verdict if it is superseded already."""
        if job.scope is not None and (winner := self._groups.enter(_attempt(job, job.scope), time.time())):
            return _superseded(winner)
        self._jobs[job.record.id] = job
        return None

    # --- cancellations ------------------------------------------------------------------------------------------

    def cancelled(self, record: Record, request: ProofRequest) -> Verdict | None:
        """The verdict on a request if it was cancelled."""
        cancellation = self._cancellations.find(record, request)
        return None if cancellation is None else _cancelled(cancellation)

    def cancel(self, cancellation: Cancellation) -> bool:
        """Remember a cancellation, and end what it concerns here: soon, some at a time.

        Returns:
            Whether it concerns this worker at all.
        """
        if not self._cancellations.add(cancellation):
            return False
        concerned = [each for each, job in self._jobs.items() if cancellation.ends_record(job.record, job.request)]
        _log.info("cancelled", what=str(cancellation.names), jobs_here=len(concerned))
        is_ending, verdict = bool(self._ending), _cancelled(cancellation)
        self._ending.extend((record_id, verdict) for record_id in concerned)
        if not is_ending:
            self._end_some()
        return True

    def _end_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._ending))):
            record_id, verdict = self._ending.popleft()
            # It may have come to its own verdict meanwhile.
            if (job := self._jobs.pop(record_id, None)) is not None:
                self._groups.finished(record_id)
                self._end(job, verdict)
        if self._ending:
            asyncio.get_running_loop().call_soon(self._end_some)

    # --- groups -------------------------------------------------------------------------------------------------

    def ended(self, job: Job, verdict: Verdict) -> None:
        """A job has its verdict: it is not superseded any more."""
        self.dropped(job.record.id)
        if job.scope is not None and verdict.reason is Reason.OK:
            # Nobody is told before the broker has the result; meanwhile other work is better started.
            self._pool.groups.started(job.scope)

    def dropped(self, record_id: RecordId) -> None:
        """A job was dropped."""
        self._groups.finished(record_id)
        self._jobs.pop(record_id, None)

    def acknowledged(self, job: Job, verdict: Verdict) -> None:
        """The broker has the result of a job."""
        if job.scope is None or verdict.reason is not Reason.OK:
            return
        ours = self._records.is_ours(job.record.id)
        winner = self._groups.acknowledged(_attempt(job, job.scope), verdict.assurance, time.time(), ours=ours)
        if winner is not None:
            self._win(winner)
        self._pool.groups.ended(job.scope)

    def assignment_known(self) -> None:
        """Announce the successes of which it was open whose their records are."""
        for winner in self._groups.assignment_known(self._records.is_ours, time.time()):
            self._win(winner)

    def hear(self, winner: Winner) -> None:
        """End the attempts that a winner supersedes, be it ours or another worker's."""
        for attempt in self._groups.won(winner, time.time()):
            self._end(self._jobs.pop(attempt.record_id), _superseded(winner))

    def _end(self, job: Job, verdict: Verdict) -> None:
        if not self._tiers.supersede(job, verdict):
            self._runner.supersede(job, verdict)

    def _win(self, winner: Winner) -> None:
        _log.debug("group_won", custom_id=cut_id(winner.custom_id), scope=winner.scope, assurance=winner.assurance)
        # Our own at once: we read our announcement back only later.
        self.hear(winner)
        self._announce(winner)


def _attempt(job: Job, scope: str) -> GroupAttempt:
    return GroupAttempt(job.record.id, scope, job.request.custom_id, job.assurance, job.record.quarantined)


def _superseded(winner: Winner) -> Verdict:
    name = winner.custom_id if len(winner.custom_id) <= _SHOWN else f"{winner.custom_id[:_SHOWN]}…"
    return Verdict(
        Reason.SUPERSEDED,
        f"no verdict of its own: {name} of the same group is verified",
        attempts=0,
        superseded_by=winner.custom_id,
    )


def _cancelled(cancellation: Cancellation) -> Verdict:
    moment = datetime.fromtimestamp(cancellation.cancelled, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Verdict(
        Reason.SUPERSEDED,
        f"no verdict of its own: cancelled at {moment} ({cancellation.names})",
        attempts=0,
    )
