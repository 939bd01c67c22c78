"""One slot of the pool: it runs one proof at a time in its process, and tries again where `retry` says so."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from streamverify.core.audit.checked import verdict_on_response
from streamverify.core.audit.policy import runs_code
from streamverify.core.job import Verdict
from streamverify.core.log.about import about_job
from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Status, Timings
from streamverify.core.metrics.labels import ReplReplaced
from streamverify.lean.repl.commands import ImportRejected, check_channel, encode_body, run_body, run_checked_body
from streamverify.lean.repl.errors import ReplFailure
from streamverify.lean.repl.start_advice import start_advice
from streamverify.lean.retry import Attempts
from streamverify.lean.slot_process import AttemptTimes, SlotProcess

if TYPE_CHECKING:
    from streamverify.core.job import Job
    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.session import ReplSession
    from streamverify.lean.slot_process import OnImport, Shared

_log = structlog.get_logger(__name__)


def known_failure(job: Job, shared: Shared) -> Verdict | None:
    """Return the verdict on a proof whose header is known not to be importable: no process is needed for it."""
    now = time.monotonic()
    known = shared.failed.get(job.header.fingerprint, now)
    if known is None:
        return None
    queued = max(0.0, now - job.record.received)
    return replace(known.verdict(job.header), timings=Timings(queued=queued, total=queued))


class Slot:
    """Runs proofs one after the other.

    IDLE --run--> RUNNING --verdict--> IDLE
                     | end
                     +--> ENDING: no new attempt; the verdict of `end` counts unless the proof has its own --> IDLE
    """

    def __init__(self, shared: Shared, on_import: OnImport | None = None) -> None:
        """`on_import` is told each header that was imported, and in how many seconds."""
        self._shared = shared
        self.process = SlotProcess(shared, on_import)
        self._instead: Verdict | None = None
        """The verdict that ends the proof which runs: nobody needs its own any more."""

    async def run(self, job: Job) -> Verdict:
        """Return the verdict on one proof. Raises nothing but CancelledError, and leaves no process behind then."""
        begun = time.monotonic()
        self._instead = None
        attempts = Attempts(job.request)
        times = AttemptTimes()
        try:
            # Looked at again: the deadline may have passed, and the header have failed, while it was queued.
            verdict = known_failure(job, self._shared)
            deadline = job.request.deadline
            if deadline is not None and datetime.now(UTC) > deadline:
                verdict = Verdict(Reason.EXPIRED, f"The deadline {deadline.isoformat()} had passed.", attempts=0)
            if verdict is None and job.request.disable_cache:
                await self.process.replace(ReplReplaced.FRESH)
            while verdict is None:
                attempts.count += 1
                # The verdict has the times of the attempt that it is about.
                times = AttemptTimes()
                try:
                    verdict = await self._attempt(job, attempts, times)
                except ReplFailure as failure:
                    if self._instead is not None:
                        # We have killed the process ourselves.
                        await self.process.replace(ReplReplaced.SUPERSEDED)
                        verdict = replace(self._instead, attempts=attempts.count)
                        break
                    await self.process.after_failure(failure, job)
                    verdict = attempts.after(failure, importing=self.process.importing)
                finally:
                    times.count(self._shared.counts)
        except asyncio.CancelledError:
            # Before the wait for it to be reaped, which may be cancelled too.
            self.process.kill()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the worker's, and the pool goes on
            _log.exception(
                "verification_failed",
                **about_job(job),
                hint="an error of streamverify's own: please report it with the traceback; the proof gets worker_error",
            )
            await self.process.replace(ReplReplaced.ERROR)
            verdict = Verdict(Reason.WORKER_ERROR, f"The worker failed: {type(error).__name__}: {error}")
        if OUTCOMES[verdict.reason].status is not Status.INCONCLUSIVE:
            self._shared.counts.useful_seconds += times.run + times.audit
        await self.process.replace_worn()
        received = job.record.received
        timings = Timings(
            queued=max(0.0, begun - received),
            import_=times.import_,
            run=times.run,
            audit=times.audit,
            total=time.monotonic() - received,
        )
        return replace(verdict, timings=timings, findings=verdict.findings or job.findings)

    def end(self, instead: Verdict) -> None:
        """End the proof that runs, with this verdict unless it has its own by now.

        Lean cannot be interrupted, so its process is killed; not while it imports the header for the proof, which the
        next one needs as well.
        """
        self._instead = instead
        if not self.process.importing:
            self.process.kill()

    async def prewarm(self, header: Header) -> str | None:
        """Import a header before anybody asks for it. Returns the reason why that failed, None where it did not."""
        times = AttemptTimes()
        try:
            await self.process.ensure_session(header, times)
        except ImportRejected as rejected:
            await self.process.replace(ReplReplaced.IMPORT)
            return str(rejected)
        except ReplFailure as failure:
            await self.process.after_failure(failure)
            return f"{failure}{start_advice(failure, self._shared.command, self._shared.limits.import_timeout)}"
        except asyncio.CancelledError:
            self.process.kill()
            raise
        finally:
            times.count(self._shared.counts)
        return None

    async def close(self, why: ReplReplaced = ReplReplaced.END) -> None:
        """Kill the process and wait until it is gone."""
        await self.process.replace(why)

    async def _attempt(self, job: Job, attempts: Attempts, times: AttemptTimes) -> Verdict:
        """Import the header if it is cold, and run the proof once.

        Raises:
            ReplFailure: There is no answer, or none that can be believed.
        """
        try:
            session, env = await self.process.ensure_session(job.header, times)
        except ImportRejected as rejected:
            return await self._import_rejected(job, rejected, attempts.count, times)
        if self._instead is not None:
            # It was to end while its header was imported: the proof itself is not run.
            return replace(self._instead, attempts=attempts.count - 1)
        session.stderr.forget()
        try:
            if job.assurance >= Assurance.AUDITED:
                return await self._audited(session, env, job, attempts, times)
            # No question between body and check: one exchange. `run` has the check's time too, under a millisecond.
            with times.measure("run"):
                command = encode_body(job.request, job.header, env, extras=attempts.extras)
                response = await run_checked_body(session, env, command, self._timeout(job))
        finally:
            self.process.busy_seconds += times.run + times.audit
        if runs_code(job.findings):
            # The proof may have left code running in this process: it is not reused.
            await self.process.replace(ReplReplaced.CODE)
        return replace(
            verdict_on_response(response, job.findings), truncated=attempts.truncated, attempts=attempts.count
        )

    def _timeout(self, job: Job) -> float:
        """Return the seconds that Lean has for one command of this proof."""
        return min(job.request.timeout or self._shared.limits.default_timeout, self._shared.limits.max_timeout)

    async def _audited(
        self, session: ReplSession, env: int, job: Job, attempts: Attempts, times: AttemptTimes
    ) -> Verdict:
        """Run the body only where the policy has no objection, and audit what Lean accepted."""
        auditor, timeout = self._shared.auditor, self._timeout(job)
        with times.measure("audit"):
            ready = await auditor.before(session, env, job, timeout)
        if isinstance(ready, Verdict):
            # The body was not run, so no process was used up for this proof: it counts as no attempt.
            return replace(ready, truncated=attempts.truncated, attempts=0, assurance=Assurance.AUDITED)
        with times.measure("run"):
            command = encode_body(job.request, job.header, env, extras=attempts.extras)
            response = await run_body(session, command, timeout)
        verdict = verdict_on_response(response)
        if verdict.reason is Reason.OK:
            with times.measure("audit"):
                verdict = await auditor.after(session, response.env or 0, job, ready, timeout)
        # Not before: a proof could read a nonce that waits for Lean.
        if verdict.reason is Reason.OK:
            with times.measure("audit"):
                verdict = await auditor.confirm(session, env, verdict)
        else:
            await check_channel(session, env)
        return replace(
            verdict,
            response=response,
            truncated=attempts.truncated,
            attempts=attempts.count,
            assurance=Assurance.AUDITED,
        )

    async def _import_rejected(self, job: Job, rejected: ImportRejected, attempt: int, times: AttemptTimes) -> Verdict:
        """Return the verdict on a proof whose header Lean rejected, and remember the header where it is to blame."""
        header = job.header
        await self.process.after_rejected_import()
        failed = self._shared.classifier.classify(header, rejected.texts)
        # An installation may be mended at any time, so its failures are not remembered.
        if failed.reason is Reason.HEADER_ERROR:
            self._shared.failed.add(header.fingerprint, failed, time.monotonic())
        verdict = failed.verdict(header, times.import_, attempt)
        _log.warning(
            "import_failed",
            **about_job(job),
            reason=verdict.reason,
            header=header.canonical[:200],
            error=verdict.summary,
            hint="header_error: the proof names a module that is not there; import_failed: build the project, or "
            "run `lean` on a file with this header",
        )
        return verdict
