"""The reasons that a result can have, and the status that belongs to each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """The decision on the proof, or that there is none: `inconclusive`."""

    VERIFIED = "verified"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """The cause of the status. Readers must accept reasons that they do not know."""

    OK = "ok"
    LEAN_ERROR = "lean_error"
    SORRY = "sorry"
    HEADER_ERROR = "header_error"
    POLICY = "policy"
    AXIOM = "axiom"
    NO_THEOREM = "no_theorem"
    STATEMENT_MISMATCH = "statement_mismatch"
    KERNEL = "kernel"
    PROTOCOL_VIOLATION = "protocol_violation"
    INVALID_REQUEST = "invalid_request"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"
    UNSUPPORTED = "unsupported"
    SUPERSEDED = "superseded"
    IMPORT_TIMEOUT = "import_timeout"
    IMPORT_FAILED = "import_failed"
    OUT_OF_MEMORY = "out_of_memory"
    REPL_CRASH = "repl_crash"
    NO_RECORDING = "no_recording"
    WORKER_ERROR = "worker_error"


class StatusOfReason(NamedTuple):
    """The status that belongs to a reason, and whether the same request may be sent again."""

    status: Status
    retriable: bool


def _outcomes() -> dict[Reason, StatusOfReason]:
    rejected = (
        "lean_error sorry header_error policy axiom no_theorem statement_mismatch kernel protocol_violation "
        "invalid_request"
    )
    final = "timeout too_large expired unsupported superseded"
    retriable = "import_timeout import_failed out_of_memory repl_crash no_recording worker_error"
    return {
        Reason.OK: StatusOfReason(Status.VERIFIED, retriable=False),
        **{Reason(word): StatusOfReason(Status.REJECTED, retriable=False) for word in rejected.split()},
        **{Reason(word): StatusOfReason(Status.INCONCLUSIVE, retriable=False) for word in final.split()},
        **{Reason(word): StatusOfReason(Status.INCONCLUSIVE, retriable=True) for word in retriable.split()},
    }


OUTCOMES: Mapping[Reason, StatusOfReason] = _outcomes()
"""The outcome of each reason. A failure of the infrastructure is never a rejection."""

LEAN_ANSWERED = frozenset(
    {
        Reason.OK,
        Reason.LEAN_ERROR,
        Reason.SORRY,
        Reason.HEADER_ERROR,
        Reason.AXIOM,
        Reason.NO_THEOREM,
        Reason.STATEMENT_MISMATCH,
        Reason.KERNEL,
    }
)
"""The reasons that rest on an answer of Lean, which the result then has as its `response`.

A `header_error` only where Lean itself rejected an import; the worker finds other faults of a header without Lean. What
came back before a time-out or a crash is no answer: whoever reads messages without an error as "valid" must not see it.
"""
