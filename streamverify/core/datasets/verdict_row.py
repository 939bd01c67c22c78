"""One verdict as a flat row: the columns that `replay --output`, `export` and reports share. This is their definition.

A row has every column, null where there is nothing to say. It stands beside the columns of the data set's own row,
which are never renamed: where two names meet, ours gets a prefix (`names_beside`), and a reader finds it again without
being told (`names_in`). Knows no files and no Kafka.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import HeaderError
from streamverify.core.messages.jsontext import cut, repaired
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streamverify.core.messages.models import Message, ProofResult


class ColumnKind(StrEnum):
    """The type of the values of a column; null is always possible."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    MESSAGES = "messages"
    """A list of objects with the keys of `MESSAGE`."""
    CHECKERS = "checkers"
    """A list of objects with the keys of `CHECKER`."""


COLUMNS: Mapping[str, ColumnKind] = {
    "custom_id": ColumnKind.TEXT,
    "status": ColumnKind.TEXT,
    "reason": ColumnKind.TEXT,
    "assurance": ColumnKind.TEXT,
    "retriable": ColumnKind.FLAG,
    "summary": ColumnKind.TEXT,
    "error": ColumnKind.TEXT,
    "run_seconds": ColumnKind.NUMBER,
    "import_seconds": ColumnKind.NUMBER,
    "queued_seconds": ColumnKind.NUMBER,
    "audit_seconds": ColumnKind.NUMBER,
    "total_seconds": ColumnKind.NUMBER,
    "latency_seconds": ColumnKind.NUMBER,
    "warm": ColumnKind.FLAG,
    "attempts": ColumnKind.WHOLE,
    "cached": ColumnKind.FLAG,
    "cached_age_seconds": ColumnKind.NUMBER,
    "superseded_by": ColumnKind.TEXT,
    "run": ColumnKind.TEXT,
    "group": ColumnKind.TEXT,
    "header": ColumnKind.TEXT,
    "messages": ColumnKind.MESSAGES,
    "worker": ColumnKind.TEXT,
    "verifier_kind": ColumnKind.TEXT,
    "lean_version": ColumnKind.TEXT,
    "repl_version": ColumnKind.TEXT,
    "mathlib_version": ColumnKind.TEXT,
    "policy_version": ColumnKind.TEXT,
    "proof_sha256": ColumnKind.TEXT,
    "source_topic": ColumnKind.TEXT,
    "source_partition": ColumnKind.WHOLE,
    "source_offset": ColumnKind.WHOLE,
    "source_timestamp": ColumnKind.WHOLE,
    "checkers": ColumnKind.CHECKERS,
    "export_sha256": ColumnKind.TEXT,
    "reached": ColumnKind.TEXT,
}
"""The columns in their order. A row without a verdict, whose `status` is null, has the cause in `error`."""

MESSAGE: Mapping[str, ColumnKind] = {
    "severity": ColumnKind.TEXT,
    "line": ColumnKind.WHOLE,
    "column": ColumnKind.WHOLE,
    "text": ColumnKind.TEXT,
}
CHECKER: Mapping[str, ColumnKind] = {
    "name": ColumnKind.TEXT,
    "version": ColumnKind.TEXT,
    "outcome": ColumnKind.TEXT,
    "seconds": ColumnKind.NUMBER,
}

PREFIX = "verdict_"
MAX_MESSAGES = 10
"""Messages of Lean that a row keeps at most: errors first, then warnings, then the others."""
MAX_MESSAGE = 1000
"""Code points that it keeps of each."""

_SEVERITIES = {"error": 0, "warning": 1}


def verdict_row(
    result: ProofResult, *, header: str | None = None, latency_seconds: float | None = None
) -> dict[str, Any]:
    """Make the row of a result.

    Args:
        result: The verdict.
        header: The canonical import header of the file that was sent (`canonical_header`); None where the file is not
            known, as in an export.
        latency_seconds: From the moment at which the request was to be sent to that at which its answer was read; None
            where that was not measured.
    """
    timings, verifier, source = result.timings, result.verifier, result.source
    response = result.response
    return {
        "custom_id": result.custom_id,
        # Words, not members of an enumeration: they are written to files.
        "status": str(result.status),
        "reason": str(result.reason),
        "assurance": str(result.assurance),
        "retriable": result.retriable,
        # Lean's words may hold half a surrogate pair, which no file takes.
        "summary": repaired(result.summary),
        "error": None if result.error is None else repaired(result.error),
        "run_seconds": timings.run,
        "import_seconds": timings.import_,
        "queued_seconds": timings.queued,
        "audit_seconds": timings.audit,
        "total_seconds": timings.total,
        "latency_seconds": latency_seconds,
        # What never reached Lean found its header neither warm nor cold.
        "warm": timings.import_ == 0 if timings.run or timings.import_ else None,
        "attempts": result.attempts,
        "cached": result.cached is not None,
        "cached_age_seconds": None if result.cached is None else result.cached.age_seconds,
        "superseded_by": result.superseded_by,
        "run": result.run,
        "group": result.group,
        "header": header,
        "messages": _cut(response.messages) if response is not None else [],
        "worker": result.worker,
        "verifier_kind": str(verifier.kind),
        "lean_version": verifier.lean_version,
        "repl_version": verifier.repl_version,
        "mathlib_version": verifier.mathlib_version,
        "policy_version": verifier.policy_version,
        "proof_sha256": result.proof_sha256,
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": source.offset,
        "source_timestamp": source.timestamp,
        "checkers": [each.model_dump(mode="json", include=set(CHECKER)) for each in result.checkers],
        "export_sha256": result.export_sha256,
        "reached": None if result.reached is None else str(result.reached),
    }


def unsent_row(
    error: str, *, custom_id: str | None, run: str | None = None, group: str | None = None, header: str | None = None
) -> dict[str, Any]:
    """Make the row of what could not be sent: it has no verdict, and none is made up.

    Args:
        error: One sentence that says why.
        custom_id: The id that it has or would have had; None where it has none.
        run: The name of the run.
        group: The problem of which it is an attempt.
        header: The canonical import header, where there is a file.
    """
    row = dict.fromkeys(COLUMNS)
    return {**row, "custom_id": custom_id, "error": error, "run": run, "group": group, "header": header}


def canonical_header(proof: str) -> str | None:
    """Return the imports of a file, one a line; "" where it imports nothing, None where its header is not Lean."""
    try:
        return parse_header(proof).canonical.rstrip("\n")
    except HeaderError:
        return None


def names_beside(taken: Collection[str]) -> dict[str, str]:
    """Name our columns beside a data set's own.

    Args:
        taken: The names of the data set's columns.

    Returns:
        For each of `COLUMNS` its name: its own, or with as many `verdict_` before it as it takes that `names_in` finds
        ours. So it is also prefixed where only `verdict_status` is taken, as in the output of an earlier replay.
    """
    taken = set(taken)
    named = {}
    for name in COLUMNS:
        levels = [level for level in range(_deepest(name, taken) + 1) if PREFIX * level + name in taken]
        named[name] = PREFIX * (max(levels) + 1 if levels else 0) + name
    return named


def names_in(present: Collection[str]) -> dict[str, str]:
    """Find our columns in a file: of `status`, `verdict_status`, … the one with the most prefixes is ours.

    Args:
        present: The names of all columns of the file.

    Returns:
        For each of `COLUMNS` that is there the name that it has.
    """
    present = set(present)
    found = {}
    for name in COLUMNS:
        for level in range(_deepest(name, present), -1, -1):
            if PREFIX * level + name in present:
                found[name] = PREFIX * level + name
                break
    return found


def _deepest(name: str, names: Collection[str]) -> int:
    """Return the largest number of prefixes that the names have which end in this one."""
    longest = max((len(each) for each in names if each.endswith(name)), default=len(name))
    return (longest - len(name)) // len(PREFIX)


def _cut(messages: list[Message]) -> list[dict[str, Any]]:
    """Keep the first messages, errors before warnings before the others, in the order in which Lean gave them."""
    by_weight = sorted(range(len(messages)), key=lambda at: (_SEVERITIES.get(messages[at]["severity"], 2), at))
    return [
        {
            "severity": repaired(message["severity"]),
            "line": message["pos"]["line"],
            "column": message["pos"]["column"],
            "text": cut(message["data"], MAX_MESSAGE),
        }
        for message in (messages[at] for at in sorted(by_weight[:MAX_MESSAGES]))
    ]
