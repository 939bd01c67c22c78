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
from streamverify.core.tiers.climb import Conclusion, verdict_after
from streamverify.core.tiers.proof import proof_of
from streamverify.core.tiers.replay_queue import ReplayQueue
from streamverify.lean.callbacks import call_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.job import Job, Verdict
    from streamverify.lean.callbacks import OnDone
    from streamverify.lean.kernel.climber import Climber

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Ascent:
    """One proof on its way up.

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

    def __init__(self, climber: Climber, *, slots: int, vocabulary: Vocabulary) -> None:
        self._climber = climber
        self._vocabulary = vocabulary
        self._queue: ReplayQueue[_Ascent] = ReplayQueue(slots)
        self._ascents: set[_Ascent] = set()
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
        self._queue.require(_Ascent(job, audited, job.assurance, on_done, required=True, begun=time.monotonic()))
        self._start()

    def upgrade(self, job: Job, audited: Verdict, target: Assurance, on_done: OnDone) -> bool:
        """Take a proof that was answered to `target`. `on_done` hears of a higher tier or a refusal, and of no more.

        Returns:
            Whether there was room in the queue.
        """
        ascent = _Ascent(job, audited, target, on_done, required=False, begun=time.monotonic())
        taken = self._queue.upgrade(ascent, _size(job))
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
        running = next((each for each in self._ascents if each.job is job and each.required), None)
        if running is None or running.task is None:
            return False
        running.instead = verdict
        running.task.cancel()
        return True

    def stop(self) -> None:
        """Start nothing more: what runs goes on, and what waits for its answer is delivered again elsewhere."""
        if dropped := self._queue.stop():
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
        self.stop()
        tasks = [each.task for each in self._ascents if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self) -> None:
        while (ascent := self._queue.start()) is not None:
            self._ascents.add(ascent)
            self._nothing_runs.clear()
            ascent.task = asyncio.create_task(self._go(ascent), name="replay")
            ascent.task.add_done_callback(partial(self._ended, ascent))

    async def _go(self, ascent: _Ascent) -> None:
        conclusion = await self._climb(ascent)
        verdict = verdict_after(ascent.audited, conclusion, time.monotonic() - ascent.begun)
        if ascent.required or conclusion.reason is Reason.OK or conclusion.is_refusal:
            self._tell(ascent, verdict)
            return
        _log.warning(
            "upgrade_not_reached",
            **about_job(ascent.job),
            reason=conclusion.reason,
            why=conclusion.words,
            hint="the audited verdict stands; docs/tiers.md says what each step needs",
        )

    async def _climb(self, ascent: _Ascent) -> Conclusion:
        deadline = ascent.job.request.deadline
        if ascent.required and deadline is not None and datetime.now(UTC) > deadline:
            return Conclusion(Reason.EXPIRED, f"the deadline {deadline.isoformat()} has passed", Assurance.AUDITED)
        try:
            proof = proof_of(ascent.job, ascent.audited, self._vocabulary)
            return await self._climber.climb(proof, ascent.target)
        except (OSError, StreamVerifyError) as error:
            _log.warning(
                "replay_failed",
                **about_job(ascent.job),
                error=str(error),
                hint="a step could not be carried out; look at the disk of TMPDIR and at the sandbox",
            )
            return Conclusion(Reason.WORKER_ERROR, f"a step could not be carried out: {error}", Assurance.AUDITED)
        except Exception as error:  # noqa: BLE001 - one proof must not take the worker down
            _log.exception(
                "replay_failed",
                **about_job(ascent.job),
                hint="a bug of streamverify: the request is answered `worker_error`; please report the traceback",
            )
            return Conclusion(Reason.WORKER_ERROR, f"a bug of streamverify: {error!r}", Assurance.AUDITED)

    def _ended(self, ascent: _Ascent, _task: asyncio.Task[None]) -> None:
        """A task is over, its processes are dead: its slot is free, and who ended it has the word."""
        self._ascents.discard(ascent)
        self._queue.end(ascent)
        if ascent.instead is not None:
            self._tell(ascent, ascent.instead)
        self._start()
        if not self._queue.running:
            self._nothing_runs.set()

    def _tell(self, ascent: _Ascent, verdict: Verdict) -> None:
        if ascent.told:
            # It came to its own end in the moment in which it was to be ended.
            return
        ascent.told = True
        call_back(ascent.on_done, ascent.job, verdict)
