"""The REPL process of one slot, and the headers that it has imported. Knows nothing of proofs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog

from streamverify.core.log.about import about_job
from streamverify.core.metrics.labels import ReplDeath, ReplReplaced
from streamverify.core.scheduling.recycling import Wear, WearLimits
from streamverify.core.scheduling.scheduler import NO_PROCESS, SlotState
from streamverify.lean.repl.commands import import_header
from streamverify.lean.repl.errors import Died, Killed, NoRecording, ReplFailure, StartFailed, death_of
from streamverify.lean.repl.session import ReplSession
from streamverify.lean.repl.usage import usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.job import Job
    from streamverify.core.metrics.lean_counts import LeanCounts
    from streamverify.core.scheduling.import_sizes import ImportSizes
    from streamverify.core.syntax.header import Header
    from streamverify.lean.auditor import Auditor
    from streamverify.lean.import_errors import FailedHeaders, ImportClassifier
    from streamverify.lean.repl.command import ReplCommand

    OnImport = Callable[[Header, float], None]

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
    """The parts that the slots of a pool have in common."""

    command: ReplCommand
    limits: PoolLimits
    classifier: ImportClassifier
    failed: FailedHeaders
    auditor: Auditor
    sizes: ImportSizes
    counts: LeanCounts


@dataclass(slots=True)
class AttemptTimes:
    """The seconds of one attempt, step by step, also of a step that failed."""

    import_: float = 0.0
    run: float = 0.0
    audit: float = 0.0

    @contextmanager
    def measure(self, step: Literal["import", "run", "audit"]) -> Iterator[None]:
        """Add the time of the block to that of a step."""
        begun = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - begun
            match step:
                case "import":
                    self.import_ += seconds
                case "run":
                    self.run += seconds
                case "audit":
                    self.audit += seconds

    def count(self, counts: LeanCounts) -> None:
        """Add the times to those of the pool."""
        counts.import_seconds += self.import_
        counts.run_seconds += self.run
        counts.audit_seconds += self.audit


class SlotProcess:
    """At most one REPL process. It is kept for the next proof with a header that it has imported.

    NO PROCESS --ensure_session--> IMPORTING --imported--> HOLDS HEADERS --ensure_session--> IMPORTING (one more)
    ^                              | failed, rejected       | failed, worn out, no room
    +------------------------------+------------------------+
    """

    def __init__(self, shared: Shared, on_import: OnImport | None = None) -> None:
        """`on_import` is told each header that was imported, and in how many seconds."""
        self.failed_starts = 0
        """Processes in a row that did not start, or died before they had imported anything."""
        self.importing = False
        """True while a header is imported, and after an import that failed: then no proof is to blame."""
        self.busy_seconds = 0.0
        """Seconds that proofs have used the process since its last import: the use that the import was of."""
        self.header: Header | None = None
        """The header that it was last used with, or imports; None without a process."""
        self._shared = shared
        self._on_import = on_import
        self._session: ReplSession | None = None
        self._wear: Wear | None = None
        # What the process has imported, and in which of its environments.
        self._envs: dict[str, int] = {}
        self._import_seconds = 0.0

    @property
    def state(self) -> SlotState:
        """The headers that the process has imported, if it lives, and the work done since."""
        if not self._usable:
            return NO_PROCESS
        return SlotState(tuple(self._envs), self._import_seconds, self.busy_seconds, self._has_room())

    @property
    def pid(self) -> int | None:
        """The number of the process; None where there is none."""
        return None if self._session is None or self._session.failure is not None else self._session.pid

    @property
    def uses(self) -> int:
        """Proofs that the process has run."""
        return 0 if self._wear is None else self._wear.uses

    @property
    def _usable(self) -> bool:
        return self._session is not None and self._session.failure is None and bool(self._envs)

    def _has_room(self) -> bool:
        """Return whether the process may import another header beside those that it holds."""
        limits = self._shared.limits
        memory = 0 if self._wear is None else self._wear.memory
        return self._session is not None and self._shared.sizes.has_room(
            memory, limits.memory_per_repl, len(self._envs), limits.headers_per_repl
        )

    def _read_memory(self) -> int:
        """Return the bytes of private memory that the process uses now; 0 where it is gone."""
        memory = 0 if self._session is None else usage(self._session.pid).memory
        if self._wear is not None:
            self._wear.look(memory)
        return memory

    async def ensure_session(self, header: Header, times: AttemptTimes) -> tuple[ReplSession, int]:
        """Have a process that has imported the header: the one that is there, or a fresh one.

        Returns:
            Its session, and the number of the header's environment.

        Raises:
            ImportRejected: Lean could not import the header.
            ReplFailure: Whatever else; `importing` says whether it happened during the import.
        """
        self.importing = False
        self.header = header
        if self._session is not None and self._usable and header.fingerprint in self._envs:
            return self._session, self._envs[header.fingerprint]
        # Without room the process goes with all its headers: Lean gives back nothing of what it has imported.
        if not (self._usable and self._has_room()):
            await self.replace(ReplReplaced.HEADER)
            self.header = header
        self.importing = True
        limits, command = self._shared.limits, self._shared.command
        # Read before: what the proofs have taken since the last import is not the size of this one.
        before = self._read_memory()
        if self._session is None:
            self._shared.counts.starts += 1
            self._session = ReplSession(command, max_answer_bytes=limits.max_answer_bytes)
        session = self._session
        with times.measure("import"):
            env = await import_header(session, header, timeout=limits.import_timeout, ask_lean=command.kind == "lean")
        self.importing = False

        self._envs[header.fingerprint] = env
        self._import_seconds, self.busy_seconds, self.failed_starts = times.import_, 0.0, 0
        # From here on the process is worn by the proofs alone.
        self._wear = Wear(WearLimits(command.limits.memory), usage(session.pid).memory)
        self._shared.sizes.note(before, self._wear.memory)
        self._shared.classifier.note_imported(header)
        _log.info("header_imported", pid=session.pid, header=header.canonical[:200], seconds=round(times.import_, 3))
        self._shared.counts.imported(times.import_)
        if self._on_import is not None:
            self._on_import(header, times.import_)
        return session, env

    async def after_rejected_import(self) -> None:
        """Replace the process after an import that Lean rejected, unless it has room for what that has loaded.

        What a failed import loaded is never given back. A process with other headers stays while it has room for that,
        or one misspelt import would cost as many imports as it held headers.
        """
        self.failed_starts = 0
        if not (self._usable and self._read_memory() and self._has_room()):
            await self.replace(ReplReplaced.IMPORT)

    async def after_failure(self, failure: ReplFailure, job: Job | None = None) -> None:
        """Replace the process after a failure, at a job or at a header alone; the next use starts one."""
        if isinstance(failure, NoRecording):
            # The replay REPL has said that it does not know the proof, and is as good as before.
            return
        if isinstance(failure, StartFailed) or (self.importing and isinstance(failure, Died)):
            self.failed_starts += 1
        _log.warning(
            "repl_replaced",
            **({} if job is None else about_job(job)),
            pid=self._session and self._session.pid,
            cause=type(failure).__name__,
            error=str(failure)[:200],
            hint="one proof can cause this, and its verdict says so; if every proof does, run `streamverify doctor`",
        )
        await self.replace(failure)

    async def replace_worn(self) -> None:
        """Count one proof, and replace a process that has grown or has run many: none pays for another's memory."""
        session, wear = self._session, self._wear
        if session is None or session.failure is not None or wear is None:
            return
        if wear.used():
            wear.look(usage(session.pid).memory)
        if wear.worn:
            _log.info("repl_recycled", pid=session.pid, why=wear.worn)
            await self.replace(ReplReplaced.WORN)

    async def replace(self, why: ReplReplaced | ReplFailure) -> None:
        """Kill the process, if any, and wait until it is gone, so that there never are two.

        Args:
            why: The failure that made it of no more use, else why it is ended although it is in order; it counts only
                where the process has not failed by itself meanwhile.
        """
        session, self._envs, self._wear, self.header = self._session, {}, None, None
        counts = self._shared.counts
        if session is None:
            # A process that could not be started was counted as one, so that it has to be counted as gone.
            counts.deaths[ReplDeath.START] += isinstance(why, StartFailed)
            return
        failure = why if isinstance(why, ReplFailure) else session.failure
        if failure is None or isinstance(failure, Killed):
            counts.replaced[why if isinstance(why, ReplReplaced) else ReplReplaced.END] += 1
        else:
            counts.deaths[death_of(failure)] += 1
        await session.close()
        self._session = None

    def kill(self) -> None:
        """Kill the process at once; `replace` waits until it is gone."""
        if self._session is not None:
            self._session.kill()
