"""Takes audited proofs of a worker on to a higher tier: before the answer where that was asked for, or after it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.core.log.about import about_job
from streamverify.core.log.once import Once
from streamverify.core.messages.models import Assurance, Reason
from streamverify.worker.intake import Requester

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.bus.publisher import Publisher
    from streamverify.core.job import Job, Verdict
    from streamverify.lean.kernel.replays import Replays
    from streamverify.worker.results import ResultBuilder

_log = structlog.get_logger(__name__)

_QUIET = 600.0
"""Seconds after which it is said again that upgrades are turned away."""


class Tiers:
    """The tiers above `audited`, between a service, its publisher and the slots for replays.

    A record is complete when the broker has the result that its request asked for. An upgrade comes after that: a
    worker that dies before it is published leaves the audited verdict, and nobody takes the proof higher again.
    """

    def __init__(
        self,
        replays: Replays | None,
        upgrade: Assurance,
        *,
        publisher: Publisher,
        results: ResultBuilder,
        keep: Callable[[Job, Verdict], None] | None = None,
    ) -> None:
        """Stand between them.

        Args:
            replays: The slots; None where no higher tier can be reached.
            upgrade: The setting, `none` for none.
            publisher: It gets the second results.
            results: Makes them.
            keep: Told each second verdict, for the result cache.
        """
        self._keep = keep
        self._replays = replays
        self._upgrade = upgrade
        self._publisher = publisher
        self._results = results
        self._complaints = Once(_QUIET)
        self.upgraded = 0
        """Second results that the broker has."""

    @property
    def running(self) -> int:
        """Proofs that are being taken higher."""
        return 0 if self._replays is None else self._replays.running

    @property
    def queued(self) -> int:
        """Proofs that wait for that."""
        return 0 if self._replays is None else self._replays.queued

    def take(self, job: Job, verdict: Verdict, on_done: Callable[[Job, Verdict], None]) -> bool:
        """Take a proof higher before it is answered, if its request asks for more than its verdict is worth.

        Returns:
            Whether it is taken: `on_done` gets the verdict then.
        """
        enough = verdict.reason is not Reason.OK or job.assurance <= max(verdict.assurance, Assurance.AUDITED)
        # Only what is audited goes on. The intake lets nothing through that asks for more than can be reached here.
        if enough or self._replays is None or verdict.assurance < Assurance.AUDITED:
            return False
        self._replays.require(job, verdict, on_done)
        return True

    def answered(self, job: Job, verdict: Verdict) -> None:
        """The broker has the answer to a job: take it higher if UPGRADE says so, for a second result."""
        audited = verdict.reason is Reason.OK and verdict.assurance >= Assurance.AUDITED
        if self._replays is None or not audited or verdict.assurance >= self._upgrade:
            return
        taken = self._replays.upgrade(job, verdict, self._upgrade, self._publish)
        if not taken and self._complaints.is_new("full", time.monotonic()):
            _log.warning(
                "upgrades_turned_away",
                queued=self._replays.queued,
                hint="proofs are audited faster than they are taken higher: raise REPLAY_SLOTS, add workers, or set "
                "UPGRADE=none and ask for require=replayed where it matters",
            )

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop jobs that wait to be taken higher before their answer, and return them."""
        return [] if self._replays is None else self._replays.discard(doomed)

    def supersede(self, job: Job, verdict: Verdict) -> bool:
        """End a job that is on its way to a higher tier with this verdict. Returns whether it was."""
        return self._replays is not None and self._replays.supersede(job, verdict)

    def drain(self) -> None:
        """Start nothing more; what runs goes on."""
        if self._replays is not None:
            self._replays.drain()

    async def wait_running(self) -> None:
        """Wait until nothing is on its way to a higher tier."""
        if self._replays is not None:
            await self._replays.wait_running()

    def _publish(self, job: Job, verdict: Verdict) -> None:
        """Publish a second result for a record: it has a higher assurance, or a checker has refused the proof."""
        if verdict.reason is not Reason.OK:
            _log.warning(
                "audited_proof_refused",
                **about_job(job),
                reason=verdict.reason,
                why=verdict.summary,
                hint="the audit had verified it: keep the file, and report it (docs/audit.md); readers keep the "
                "refusal",
            )
        # The first verdict may have come from the cache; this one did not.
        verdict = replace(verdict, cached_age=None)
        if self._keep is not None:
            self._keep(job, verdict)
        # Whoever owns the partition by now: what was found does not depend on it.
        outgoing = self._results.record(
            Requester(job.record, job.request), verdict, partial(self._acknowledged, 1), second=True
        )
        self._publisher.publish(outgoing, urgent=False)

    def _acknowledged(self, count: int) -> None:
        self.upgraded += count
