"""The slots for proofs that are taken above `audited`, apart from the pool's: however long they take, it goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from streamverify.core.errors import StreamVerifyError
from streamverify.core.log.about import about_job
from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.tiers.proof import proof_of
from streamverify.core.tiers.replay_queue import ReplayQueue
from streamverify.core.tiers.tier_steps import Conclusion, verdict_after
from streamverify.lean.callbacks import call_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job, Verdict
    from streamverify.lean.callbacks import OnDone
    from streamverify.lean.kernel.tier_runner import TierRunner

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _TierJob:
    """One proof on its way to a higher tier.

    WAITING --a slot is free--> RUNNING --its conclusion--> TOLD
       | supersede                 | supersede: its steps are ended
       +-----------> TOLD <--------+
    """

    job: Job
    audited: Verdict
    target: Assurance
    on_done: OnDone
    required: bool
    begun: float
    instead: Verdict | None = None
    """The verdict that ends it before its time."""
    task: asyncio.Task[None] | None = None
    told: bool = False


_EXTRAS_BYTES = 1 << 20
"""Bytes that an infotree or a list of tactics in Lean's answer may take."""


def _size(job: Job) -> int:
    """Estimate the bytes that a job takes while it waits with its verdict, which has Lean's answer."""
    extras = job.request.infotree_type is not None or job.request.all_tactics
    return 2 * len(job.record.value or b"") + (_EXTRAS_BYTES if extras else 0)


class Replays:
    """Takes proofs that were audited to a higher tier, so many at once. To be used in one event loop.

    OPEN ── stop ──> STOPPED: what has a slot goes on, and nothing else gets one (`ReplayQueue`)
    OPEN or STOPPED ── close: the steps of what has a slot are ended ──> CLOSED, when their processes are dead
    `_Ascent` has the states of one proof.
    """

    def __init__(self, tier_runner: TierRunner, *, slots: int, vocabulary: Vocabulary) -> None:
        self._tier_runner = tier_runner
        self._vocabulary = vocabulary
        self._queue: ReplayQueue[_TierJob] = ReplayQueue(slots)
        self._tier_jobs: set[_TierJob] = set()
        self._nothing_runs = asyncio.Event()
        self._nothing_runs.set()

    @property
    def queued(self) -> int:
        """Proofs that wait for a slot."""
        return self._queue.queued

    @property
    def running(self) -> int:
        """Proofs that have a slot."""
        return self._queue.running

    def require(self, job: Job, audited: Verdict, on_done: OnDone) -> None:
        """Take a proof as high as its request asks. `on_done` is called once, with what becomes of it.

        It is not called for a job that is discarded, nor for one that `close` interrupts: of that nothing is known.
        """
        self._queue.require(_TierJob(job, audited, job.assurance, on_done, required=True, begun=time.monotonic()))
        self._start()

    def upgrade(self, job: Job, audited: Verdict, target: Assurance, on_done: OnDone) -> bool:
        """Take a proof that was answered to `target`. `on_done` hears of a higher tier or a refusal, and of no more.

        Returns:
            Whether there was room in the queue.
        """
        tier_job = _TierJob(job, audited, target, on_done, required=False, begun=time.monotonic())
        taken = self._queue.upgrade(tier_job, _size(job))
        self._start()
        return taken

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop proofs that wait for their answer and have no slot yet, and return them."""
        return [each.job for each in self._queue.withdraw(lambda each: doomed(each.job))]

    def supersede(self, job: Job, verdict: Verdict) -> bool:
        """End a proof with this verdict, as nobody needs its own. Returns whether it was here."""
        if waiting := self._queue.withdraw(lambda each: each.job is job):
            self._tell(waiting[0], verdict)
            return True
        running = next((each for each in self._tier_jobs if each.job is job and each.required), None)
        if running is None or running.task is None:
            return False
        running.instead = verdict
        running.task.cancel()
        return True

    def drain(self) -> None:
        """Start nothing more: what runs goes on, and what waits for its answer is delivered again elsewhere."""
        if dropped := self._queue.drain():
            _log.warning(
                "upgrades_dropped",
                proofs=dropped,
                hint="they have their audited verdict, and no worker takes them higher; send them again with "
                "require=replayed to have that",
            )

    async def wait_running(self) -> None:
        """Wait until no proof has a slot."""
        await self._nothing_runs.wait()

    async def close(self) -> None:
        """End every step, and wait until its processes are dead."""
        self.drain()
        tasks = [each.task for each in self._tier_jobs if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self) -> None:
        while (tier_job := self._queue.start()) is not None:
            self._tier_jobs.add(tier_job)
            self._nothing_runs.clear()
            tier_job.task = asyncio.create_task(self._go(tier_job), name="replay")
            tier_job.task.add_done_callback(partial(self._ended, tier_job))

    async def _go(self, tier_job: _TierJob) -> None:
        conclusion = await self._conclusion_of(tier_job)
        verdict = verdict_after(tier_job.audited, conclusion, time.monotonic() - tier_job.begun)
        if tier_job.required or conclusion.reason is Reason.OK or conclusion.is_refusal:
            self._tell(tier_job, verdict)
            return
        _log.warning(
            "upgrade_not_reached",
            **about_job(tier_job.job),
            reason=conclusion.reason,
            why=conclusion.words,
            hint="the audited verdict stands; docs/tiers.md says what each step needs",
        )

    async def _conclusion_of(self, tier_job: _TierJob) -> Conclusion:
        deadline = tier_job.job.request.deadline
        if tier_job.required and deadline is not None and datetime.now(UTC) > deadline:
            return Conclusion(Reason.EXPIRED, f"the deadline {deadline.isoformat()} has passed", Assurance.AUDITED)
        try:
            proof = proof_of(tier_job.job, tier_job.audited, self._vocabulary)
            return await self._tier_runner.run(proof, tier_job.target)
        except (OSError, StreamVerifyError) as error:
            _log.warning(
                "replay_failed",
                **about_job(tier_job.job),
                error=str(error),
                hint="a step could not be carried out; look at the disk of TMPDIR and at the sandbox",
            )
            return Conclusion(Reason.WORKER_ERROR, f"a step could not be carried out: {error}", Assurance.AUDITED)
        except Exception as error:  # noqa: BLE001 - one proof must not take the worker down
            _log.exception(
                "replay_failed",
                **about_job(tier_job.job),
                hint="a bug of streamverify: the request is answered `worker_error`; please report the traceback",
            )
            return Conclusion(Reason.WORKER_ERROR, f"a bug of streamverify: {error!r}", Assurance.AUDITED)

    def _ended(self, tier_job: _TierJob, _task: asyncio.Task[None]) -> None:
        """A task is over, its processes are dead: its slot is free, and who ended it has the word."""
        self._tier_jobs.discard(tier_job)
        self._queue.end(tier_job)
        if tier_job.instead is not None:
            self._tell(tier_job, tier_job.instead)
        self._start()
        if not self._queue.running:
            self._nothing_runs.set()

    def _tell(self, tier_job: _TierJob, verdict: Verdict) -> None:
        if tier_job.told:
            # It came to its own end in the moment in which it was to be ended.
            return
        tier_job.told = True
        call_back(tier_job.on_done, tier_job.job, verdict)
