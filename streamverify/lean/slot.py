"""One slot of the pool: at most one REPL process, the header it holds, and the tries of one proof at a time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from streamverify.core.header import body_of, place
from streamverify.core.judge import first_error, judge
from streamverify.core.models import Reason, Response, Timings
from streamverify.core.scheduler import NOTHING, Holding
from streamverify.core.verdict import Verdict
from streamverify.lean.failures import Died, NoRecording, ReplFailure, StartFailed
from streamverify.lean.session import ReplSession
from streamverify.lean.tries import Tries
from streamverify.lean.verify import (
    ImportRejected,
    Wanted,
    check_channel,
    import_header,
    run_body,
)

if TYPE_CHECKING:
    from streamverify.core.header import Header
    from streamverify.core.jobs import Job
    from streamverify.lean.command import ReplCommand
    from streamverify.lean.failed_headers import FailedHeaders
    from streamverify.lean.modules import FailedImport, Modules

_log = structlog.get_logger(__name__)


class PoolLimits(NamedTuple):
    """Seconds and bytes that one proof may use."""

    import_timeout: float = 300.0
    default_timeout: float = 60.0
    max_timeout: float = 600.0
    max_answer_bytes: int = 64 * 1024 * 1024


class Shared(NamedTuple):
    """What the slots of a pool have in common."""

    command: ReplCommand
    limits: PoolLimits
    modules: Modules
    failed: FailedHeaders


class Slot:
    """Runs proofs one after the other. Its process is kept for the next proof with the same header."""

    def __init__(self, shared: Shared) -> None:
        self.failed_starts = 0
        """Processes in a row that did not start, or died before they had imported anything."""
        self._shared = shared
        self._session: ReplSession | None = None
        # What the process has imported, and in which of its environments.
        self._holding = NOTHING
        self._env = 0
        self._importing = False

    @property
    def holding(self) -> Holding:
        """What its process has imported, if it lives, and the work done since."""
        usable = self._session is not None and self._session.failure is None
        return self._holding if usable else NOTHING

    async def run(self, job: Job) -> Verdict:
        """The verdict on one proof. Raises nothing but CancelledError, and leaves no process behind then."""
        begun = time.monotonic()
        try:
            verdict = await self._verdict(job)
        except asyncio.CancelledError:
            # Before the wait for it to be reaped, which may be cancelled too.
            self.kill()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the worker's, and the pool goes on
            _log.exception("verification_failed", custom_id=job.request.custom_id)
            await self._replace()
            verdict = Verdict(Reason.WORKER_ERROR, f"The worker failed: {type(error).__name__}: {error}")
        verdict.timings.queued = max(0.0, begun - job.received)
        verdict.timings.total = time.monotonic() - job.received
        return verdict

    def kill(self) -> None:
        """Kill the process at once; `close` waits until it is gone."""
        if self._session is not None:
            self._session.kill()

    async def close(self) -> None:
        """Kill the process and wait until it is gone."""
        self.kill()
        await self._replace()

    async def _verdict(self, job: Job) -> Verdict:
        deadline = job.request.deadline
        if deadline is not None and datetime.now(UTC) > deadline:
            return Verdict(Reason.EXPIRED, f"The deadline {deadline.isoformat()} had passed.", attempts=0)
        if known := self._shared.failed.get(job.header.fingerprint, time.monotonic()):
            return _failed_import(job.header, known, Timings())
        if job.request.disable_cache:
            await self._replace()
        tries = Tries(job.request)
        while True:
            tries.count += 1
            timings = Timings()
            try:
                return await self._try(job, tries, timings)
            except ReplFailure as failure:
                await self._failed(failure)
                verdict = tries.after(failure, importing=self._importing)
                if verdict is not None:
                    verdict.timings.import_, verdict.timings.run = timings.import_, timings.run
                    return verdict

    async def _try(self, job: Job, tries: Tries, timings: Timings) -> Verdict:
        """One try. The body's own time is counted also where it fails."""
        try:
            session = await self._warm(job.header, timings)
        except ImportRejected as rejected:
            return await self._import_rejected(job.header, rejected, timings, tries.count)
        session.forget_stderr()
        limits, request = self._shared.limits, job.request
        wanted = Wanted(
            body=body_of(request.proof, job.header),
            timeout=min(request.timeout or limits.default_timeout, limits.max_timeout),
            request=request,
            extras=tries.extras,
        )
        begun = time.monotonic()
        try:
            response = await run_body(session, self._env, wanted)
        finally:
            timings.run = time.monotonic() - begun
            useful = self._holding.useful_seconds + timings.run
            self._holding = self._holding._replace(useful_seconds=useful)
        await check_channel(session, self._env)
        reason, sentence = judge(response)
        return Verdict(reason, sentence, response, tries.truncated, timings, tries.count)

    async def _warm(self, header: Header, timings: Timings) -> ReplSession:
        """A process that holds the header: the one that is there, or a fresh one."""
        self._importing = False
        session = self._session
        if session is not None and self.holding.header == header.fingerprint:
            return session
        await self._replace()
        self._importing = True
        session = self._session = ReplSession(
            self._shared.command, max_answer_bytes=self._shared.limits.max_answer_bytes
        )
        begun = time.monotonic()
        try:
            self._env = await import_header(
                session,
                header,
                timeout=self._shared.limits.import_timeout,
                ask_lean=self._shared.command.kind == "lean",
            )
        finally:
            timings.import_ = time.monotonic() - begun
        self._importing = False
        self._holding = Holding(header.fingerprint, timings.import_)
        self.failed_starts = 0
        self._shared.modules.note_imported(header)
        _log.info("header_imported", pid=session.pid, header=header.canonical[:200], seconds=round(timings.import_, 3))
        return session

    async def _import_rejected(
        self, header: Header, rejected: ImportRejected, timings: Timings, attempts: int
    ) -> Verdict:
        # What a failed import loaded is never given back.
        await self._replace()
        self.failed_starts = 0
        failed = self._shared.modules.failed(header, rejected.texts)
        if failed.reason is Reason.HEADER_ERROR:
            self._shared.failed.add(header.fingerprint, failed, time.monotonic())
        verdict = _failed_import(header, failed, timings, attempts)
        _log.warning("import_failed", reason=verdict.reason, header=header.canonical[:200], error=verdict.error)
        return verdict

    async def _failed(self, failure: ReplFailure) -> None:
        """Replace the process; the next use starts one."""
        if isinstance(failure, NoRecording):
            return
        if isinstance(failure, StartFailed) or (self._importing and isinstance(failure, Died)):
            self.failed_starts += 1
        pid = self._session and self._session.pid
        _log.warning("repl_replaced", pid=pid, cause=type(failure).__name__, error=str(failure)[:200])
        await self._replace()

    async def _replace(self) -> None:
        """Kill the process, if any, and wait until it is gone, so that there never are two."""
        session, self._holding = self._session, NOTHING
        if session is not None:
            session.kill()
            await session.closed()
            self._session = None


def _failed_import(header: Header, failed: FailedImport, timings: Timings, attempts: int = 1) -> Verdict:
    messages = [
        {"severity": "error", "pos": place(header, text), "endPos": None, "data": text} for text in failed.texts
    ]
    response = Response.model_validate({"messages": messages, "time": timings.import_})
    return Verdict(failed.reason, first_error(response.messages), response, (), timings, attempts)
