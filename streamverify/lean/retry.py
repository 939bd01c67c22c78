"""Decides what follows a failure: the proof is run once more in a fresh process, or it gets a verdict. Pure.

A process may have been spoilt by the proof before, so nothing that only a hostile proof does is held against the
current one until it happened twice, the second time in a process of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamverify.core.audit.checked import first_error
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason, Response, errors_in
from streamverify.lean.repl.errors import (
    AnswerTooLarge,
    Cause,
    ChannelBroken,
    ChannelCheckTimedOut,
    Died,
    NoRecording,
    ReplFailure,
    StartFailed,
    TimedOut,
    TooDeep,
    WorkerSuspended,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.messages.models import ProofRequest

MAX_SUSPENSIONS = 3
"""The times that a proof is run again because this worker itself was stopped."""

_DEATHS = {Cause.CRASH: Reason.REPL_CRASH, Cause.MEMORY: Reason.OUT_OF_MEMORY}

_WHILE_IMPORTING: Mapping[type[ReplFailure], Reason] = {
    TimedOut: Reason.IMPORT_TIMEOUT,
    StartFailed: Reason.WORKER_ERROR,
    NoRecording: Reason.NO_RECORDING,
}
"""Anything else is `import_failed`."""

_AFTER_THE_IMPORT: Mapping[type[ReplFailure], Reason] = {
    TimedOut: Reason.TIMEOUT,
    # Silence is no forged answer: a machine short of CPU keeps it too.
    ChannelCheckTimedOut: Reason.TIMEOUT,
    Died: Reason.PROTOCOL_VIOLATION,
    ChannelBroken: Reason.PROTOCOL_VIOLATION,
    NoRecording: Reason.NO_RECORDING,
}
"""Anything else is `worker_error`."""


class Attempts:
    """The attempts at one proof. The slot counts them; `truncated` names the extras that are no longer asked for.

    FIRST --failure that is evidence--> verdict
    FIRST --any other failure--> SECOND, in a fresh process --failure--> verdict
    any --the worker was suspended--> the same again; any --answer too large--> the same without extras
    """

    def __init__(self, request: ProofRequest) -> None:
        self.count = 0
        self.truncated: tuple[str, ...] = ()
        self._asked = tuple(
            name
            for name, wanted in (("infotree", request.infotree_type is not None), ("tactics", request.all_tactics))
            if wanted
        )
        self._suspensions = 0
        # The first failure that is not held against the proof until it happens twice, and how it crashed if it did.
        self._first_reason: Reason | None = None
        self._crash_kind = ""
        # True in the attempt after a failure: its process was started for this proof.
        self._fresh = False

    @property
    def extras(self) -> bool:
        """True while the infotree and the tactics that the request wants are still asked for."""
        return not self.truncated

    def after(self, failure: ReplFailure, *, importing: bool) -> Verdict | None:
        """Return the verdict, or None: then run the proof once more, in a fresh process."""
        verdict = self._after(failure, importing=importing)
        self._fresh = verdict is None
        return verdict

    def _after(self, failure: ReplFailure, *, importing: bool) -> Verdict | None:
        if isinstance(failure, WorkerSuspended):
            self._suspensions += 1
            # Not the proof's doing: it does not count as a first failure.
            return self._verdict(Reason.WORKER_ERROR, failure) if self._suspensions > MAX_SUSPENSIONS else None
        if isinstance(failure, AnswerTooLarge | TooDeep) and not importing:
            return self._without_extras(failure)
        reason = _reason(failure, importing=importing)
        kind = failure.death.kind if isinstance(failure, Died) and not importing else ""
        if self._first_reason is None and not _is_final(failure, importing=importing):
            self._first_reason, self._crash_kind = reason, kind
            return None
        if kind and kind == self._crash_kind:
            # It crashed the same way in a process that nobody else had used: it will do so wherever it is sent.
            return replace(self._verdict(reason, failure), final=True)
        if reason is Reason.PROTOCOL_VIOLATION and self._first_reason is not Reason.PROTOCOL_VIOLATION:
            # It did two different things, of which one may be no fault of its own.
            return self._verdict(self._first_reason or reason, failure)
        return self._verdict(reason, failure)

    def _without_extras(self, failure: AnswerTooLarge | TooDeep) -> Verdict | None:
        # The extras may be what made it too large or too deep: the same proof without them.
        if self._asked and not self.truncated:
            self.truncated = self._asked
            return None
        if isinstance(failure, TooDeep):
            return self._verdict(Reason.TOO_LARGE, failure)
        errors = errors_in(failure.messages)
        if not errors:
            return self._verdict(Reason.TOO_LARGE, failure)
        if not self._fresh:
            # The channel could not be checked after it: an error counts only from a process that nobody else has used.
            return None
        return Verdict(
            reason=Reason.LEAN_ERROR,
            summary=first_error(errors),
            response=Response(messages=failure.messages, time=round(failure.seconds, 6)),
            truncated=(*self.truncated, "messages"),
            attempts=self.count,
        )

    def _verdict(self, reason: Reason, failure: ReplFailure) -> Verdict:
        return Verdict(reason=reason, summary=str(failure), truncated=self.truncated, attempts=self.count)


def _reason(failure: ReplFailure, *, importing: bool) -> Reason:
    # A crash or an end of memory is told as such, whatever ran; any other death by the tables.
    if isinstance(failure, Died) and failure.death.cause in _DEATHS:
        return _DEATHS[failure.death.cause]
    if importing:
        return _WHILE_IMPORTING.get(type(failure), Reason.IMPORT_FAILED)
    return _AFTER_THE_IMPORT.get(type(failure), Reason.WORKER_ERROR)


def _is_final(failure: ReplFailure, *, importing: bool) -> bool:
    """Return whether the first failure of this kind is evidence enough."""
    if isinstance(failure, Died):
        # An end of itself during an import is a fault of the installation: another process would end alike.
        return importing and failure.death.cause is Cause.EXIT
    # Each would fail alike again, and a time-out would take all its time again, which other proofs wait for.
    return isinstance(failure, TimedOut | StartFailed | NoRecording)
