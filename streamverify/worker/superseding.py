"""Carries out what `core.groups` decides: which attempts of a group are ended because another one has succeeded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from streamverify.core.about import cut_id
from streamverify.core.groups.groups import Attempt, Groups
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.delivery.partitions import Partitions
    from streamverify.core.groups.groups import Winner
    from streamverify.core.job import Job, RecordId
    from streamverify.worker.ports import Runner
    from streamverify.worker.tiers import Tiers

_log = structlog.get_logger(__name__)

_SHOWN = 80
"""Characters of a winner's id in the sentence of a verdict; `superseded_by` has the whole."""


class Superseding:
    """The groups of one worker, between its service, its pool and the announcements of other workers."""

    def __init__(
        self, groups: Groups, pool: Runner, tiers: Tiers, partitions: Partitions, announce: Callable[[Winner], None]
    ) -> None:
        """`announce` tells the other workers of a winner."""
        self._groups = groups
        self._pool = pool
        self._tiers = tiers
        self._partitions = partitions
        self._announce = announce
        self._jobs: dict[RecordId, Job] = {}
        """The jobs that may be superseded."""

    def enter(self, job: Job) -> Verdict | None:
        """Take in a job that was just delivered; the verdict if it is superseded already."""
        if job.scope is None:
            return None
        if winner := self._groups.enter(_attempt(job, job.scope), time.time()):
            return _superseded(winner)
        self._jobs[job.record.id] = job
        return None

    def ended(self, job: Job, verdict: Verdict) -> None:
        """A job has its verdict: it is not superseded any more."""
        self.dropped(job.record.id)
        if job.scope is not None and verdict.reason is Reason.OK:
            # Nobody is told before the broker has the result; meanwhile other work is better started.
            self._pool.hold_group(job.scope)

    def dropped(self, record: RecordId) -> None:
        """A job was dropped."""
        self._groups.finished(record)
        self._jobs.pop(record, None)

    def acknowledged(self, job: Job, verdict: Verdict) -> None:
        """The broker has the result of a job."""
        if job.scope is None or verdict.reason is not Reason.OK:
            return
        ours = self._partitions.is_ours(job.record.id)
        winner = self._groups.acknowledged(_attempt(job, job.scope), verdict.assurance, time.time(), ours=ours)
        if winner is not None:
            self._win(winner)
        self._pool.release_group(job.scope)

    def assignment_known(self) -> None:
        """Announce the successes of which it was open whose their records are."""
        for winner in self._groups.assignment_known(self._partitions.is_ours, time.time()):
            self._win(winner)

    def hear(self, winner: Winner) -> None:
        """End the attempts that a winner supersedes, be it ours or another worker's."""
        for attempt in self._groups.won(winner, time.time()):
            job, verdict = self._jobs.pop(attempt.record), _superseded(winner)
            if not self._tiers.supersede(job, verdict):
                self._pool.supersede(job, verdict)

    def _win(self, winner: Winner) -> None:
        _log.debug("group_won", custom_id=cut_id(winner.custom_id), scope=winner.scope, assurance=winner.assurance)
        # Our own at once: we read our announcement back only later.
        self.hear(winner)
        self._announce(winner)


def _attempt(job: Job, scope: str) -> Attempt:
    return Attempt(job.record.id, scope, job.request.custom_id, job.assurance, job.record.quarantined)


def _superseded(winner: Winner) -> Verdict:
    name = winner.custom_id if len(winner.custom_id) <= _SHOWN else f"{winner.custom_id[:_SHOWN]}…"
    return Verdict(
        Reason.SUPERSEDED,
        f"no verdict of its own: {name} of the same group is verified",
        attempts=0,
        superseded_by=winner.custom_id,
    )
