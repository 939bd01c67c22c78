"""One slot of the pool: at most one REPL process, the headers it holds, and the tries of one proof at a time."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog

from streamverify.core.audit.checked import first_error, judge
from streamverify.core.audit.policy import runs_code
from streamverify.core.import_position import import_position
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Assurance, Reason, Response, Timings
from streamverify.core.scheduling.scheduler import NO_PROCESS, SlotState
from streamverify.core.syntax.header import body_of
from streamverify.lean.auditor import Judgement
from streamverify.lean.repl.commands import (
    ImportRejected,
    Wanted,
    check_channel,
    import_header,
    run_body,
    run_checked_body,
)
from streamverify.lean.repl.errors import Died, NoRecording, ReplFailure, StartFailed
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.start_advice import start_advice
from streamverify.lean.retry import Tries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.job import Job
    from streamverify.core.scheduling.import_sizes import ImportSizes
    from streamverify.core.syntax.header import Header
    from streamverify.lean.auditor import Auditor
    from streamverify.lean.failed_headers import FailedHeaders
    from streamverify.lean.import_errors import FailedImport, Modules
    from streamverify.lean.repl.command import ReplCommand

_log = structlog.get_logger(__name__)


class PoolLimits(NamedTuple):
    """Seconds and bytes that one proof may use."""

    import_timeout: float = 300.0
    default_timeout: float = 60.0
    max_timeout: float = 600.0
    max_answer_bytes: int = 64 * 1024 * 1024
    headers_per_repl: int = 1
    memory_per_repl: int | None = None
    """Bytes of private memory that a process may use, half of them for headers; None: nobody says."""


class Shared(NamedTuple):
    """What the slots of a pool have in common."""

    command: ReplCommand
    limits: PoolLimits
    modules: Modules
    failed: FailedHeaders
    auditor: Auditor
    sizes: ImportSizes


def known_failure(job: Job, shared: Shared) -> Verdict | None:
    """The verdict on a proof whose header is known not to be importable: no process is needed for it."""
    now = time.monotonic()
    known = shared.failed.get(job.header.fingerprint, now)
    if known is None:
        return None
    queued = max(0.0, now - job.record.received)
    return replace(_failed_import(job.header, known), timings=Timings(queued=queued, total=queued))


@dataclass(slots=True)
class _Spent:
    """The seconds that the try in hand has taken so far; the verdict's `Timings` are made of it once, at the end."""

    import_: float = 0.0
    run: float = 0.0
    audit: float = 0.0


class Slot:
    """Runs proofs one after the other. Its process is kept for the next proof with a header that it holds."""

    def __init__(self, shared: Shared, on_import: Callable[[Header, float], None] | None = None) -> None:
        """`on_import` is told each header that was imported, and in how many seconds."""
        self.failed_starts = 0
        """Processes in a row that did not start, or died before they had imported anything."""
        self._shared = shared
        self._session: ReplSession | None = None
        self._on_import = on_import
        # What the process has imported, and in which of its environments.
        self._envs: dict[str, int] = {}
        self._import_seconds = 0.0
        self._useful_seconds = 0.0
        self._importing = False
        self._spent = _Spent()

    @property
    def state(self) -> SlotState:
        """The headers that its process has imported, if it lives, and the work done since."""
        if not self._usable:
            return NO_PROCESS
        return SlotState(tuple(self._envs), self._import_seconds, self._useful_seconds, self._has_room())

    @property
    def _usable(self) -> bool:
        return self._session is not None and self._session.failure is None and bool(self._envs)

    async def run(self, job: Job) -> Verdict:
        """The verdict on one proof. Raises nothing but CancelledError, and leaves no process behind then."""
        begun = time.monotonic()
        self._spent = _Spent()
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
        await self._replace_worn()
        received, spent = job.record.received, self._spent
        timings = Timings(
            queued=max(0.0, begun - received),
            import_=spent.import_,
            run=spent.run,
            audit=spent.audit,
            total=time.monotonic() - received,
        )
        return replace(verdict, timings=timings, findings=verdict.findings or job.findings)

    async def warm(self, header: Header) -> str | None:
        """Import a header before anybody asks for it. Returns why that failed, None where it did not."""
        try:
            await self._warm(header)
        except ImportRejected as rejected:
            await self._replace()
            return "\n".join(rejected.texts) or "Lean did not import it, and this REPL keeps its reason to itself."
        except ReplFailure as failure:
            await self._failed(failure)
            return f"{failure}{start_advice(failure, self._shared.command, self._shared.limits.import_timeout)}"
        except asyncio.CancelledError:
            self.kill()
            raise
        return None

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
            return _failed_import(job.header, known)
        if job.request.disable_cache:
            await self._replace()
        tries = Tries(job.request)
        while True:
            tries.count += 1
            self._spent = _Spent()
            try:
                return await self._try(job, tries)
            except ReplFailure as failure:
                await self._failed(failure)
                if verdict := tries.after(failure, importing=self._importing):
                    return verdict

    async def _try(self, job: Job, tries: Tries) -> Verdict:
        """One try."""
        try:
            session = await self._warm(job.header)
        except ImportRejected as rejected:
            return await self._import_rejected(job.header, rejected, tries.count)
        env = self._envs[job.header.fingerprint]
        session.forget_stderr()
        limits, request = self._shared.limits, job.request
        wanted = Wanted(
            body=body_of(request.proof, job.header),
            timeout=min(request.timeout or limits.default_timeout, limits.max_timeout),
            request=request,
            extras=tries.extras,
        )
        if job.assurance is not Assurance.AUDITED:
            # No question between body and check: one exchange. `run` has the check's time too, under a millisecond.
            with self._timed("run"):
                response = await run_checked_body(session, env, wanted)
            reason, sentence = judge(response)
            if runs_code(job.findings):
                # What it left behind is nobody's to meet.
                await self._replace()
            return Verdict(reason, sentence, response, tries.truncated, attempts=tries.count)
        return await self._audited(session, job, wanted, tries)

    async def _audited(self, session: ReplSession, job: Job, wanted: Wanted, tries: Tries) -> Verdict:
        """Run the body only where the policy has no objection, and audit what Lean accepted."""
        auditor, env, response = self._shared.auditor, self._envs[job.header.fingerprint], None
        with self._timed("audit"):
            ready = await auditor.before(session, env, job, wanted.timeout)
        if isinstance(ready, Judgement):
            outcome = ready
        else:
            with self._timed("run"):
                response = await run_body(session, env, wanted)
            outcome = Judgement(*judge(response))
            if outcome.reason is Reason.OK:
                with self._timed("audit"):
                    outcome = await auditor.after(session, response.env or 0, job, ready, wanted.timeout)
            # Not before: a proof could read a nonce that waits for Lean.
            if outcome.reason is Reason.OK:
                with self._timed("audit"):
                    outcome = await auditor.confirm(session, env, outcome)
            else:
                await check_channel(session, env)
        return Verdict(
            outcome.reason,
            outcome.error,
            response,
            tries.truncated,
            attempts=tries.count if response else 0,
            assurance=Assurance.AUDITED,
            theorems=outcome.theorems,
            findings=outcome.findings,
        )

    @contextmanager
    def _timed(self, what: Literal["run", "audit"]) -> Iterator[None]:
        """Count the time, also of what fails."""
        begun = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - begun
            if what == "run":
                self._spent.run += seconds
            else:
                self._spent.audit += seconds
            self._useful_seconds += seconds

    async def _warm(self, header: Header) -> ReplSession:
        """A process that holds the header: the one that is there, or a fresh one."""
        self._importing = False
        if self._session is not None and self._usable and header.fingerprint in self._envs:
            return self._session
        if not (self._usable and self._has_room()):
            await self._replace()
        self._importing = True
        before = 0
        if self._session is not None:
            before = self._session.read_memory()
        else:
            self._session = ReplSession(self._shared.command, max_answer_bytes=self._shared.limits.max_answer_bytes)
        session = self._session
        begun = time.monotonic()
        try:
            env = await import_header(
                session,
                header,
                timeout=self._shared.limits.import_timeout,
                ask_lean=self._shared.command.kind == "lean",
            )
        finally:
            self._spent.import_ = time.monotonic() - begun
        self._importing = False
        session.imported()
        self._shared.sizes.note(before, session.memory)
        self._note_import(header, env, self._spent.import_)
        return session

    def _note_import(self, header: Header, env: int, seconds: float) -> None:
        self._envs[header.fingerprint] = env
        self._import_seconds, self._useful_seconds = seconds, 0.0
        self.failed_starts = 0
        self._shared.modules.note_imported(header)
        pid = self._session and self._session.pid
        _log.info("header_imported", pid=pid, header=header.canonical[:200], seconds=round(seconds, 3))
        if self._on_import is not None:
            self._on_import(header, seconds)

    def _has_room(self) -> bool:
        """Whether the process may take another header beside those that it holds."""
        limits, session = self._shared.limits, self._session
        return session is not None and self._shared.sizes.has_room(
            session.memory, limits.memory_per_repl, len(self._envs), limits.headers_per_repl
        )

    async def _import_rejected(self, header: Header, rejected: ImportRejected, attempts: int) -> Verdict:
        # What a failed import loaded is never given back. A process with other headers stays while it has room for
        # that, or one misspelt import would cost as many imports as it held headers.
        if not (self._usable and self._session is not None and self._session.read_memory() and self._has_room()):
            await self._replace()
        self.failed_starts = 0
        failed = self._shared.modules.failed(header, rejected.texts)
        if failed.reason is Reason.HEADER_ERROR:
            self._shared.failed.add(header.fingerprint, failed, time.monotonic())
        verdict = _failed_import(header, failed, self._spent.import_, attempts)
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

    async def _replace_worn(self) -> None:
        """Replace a process that has grown, or run many proofs: none shall run out of memory for another's sake."""
        session = self._session
        if session is not None and (why := session.worn()):
            _log.info("repl_recycled", pid=session.pid, why=why)
            await self._replace()

    async def _replace(self) -> None:
        """Kill the process, if any, and wait until it is gone, so that there never are two."""
        session, self._envs = self._session, {}
        if session is not None:
            session.kill()
            await session.closed()
            self._session = None


def _failed_import(header: Header, failed: FailedImport, seconds: float = 0.0, attempts: int = 1) -> Verdict:
    messages = [
        {"severity": "error", "pos": import_position(header, text), "endPos": None, "data": text}
        for text in failed.texts
    ]
    response = Response.model_validate({"messages": messages, "time": seconds})
    return Verdict(failed.reason, first_error(response.messages), response, attempts=attempts)
