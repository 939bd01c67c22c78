"""One verdict as a report reads it: from a row of a file that may be anybody's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from streamverify.core.messages.models import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = (
    "custom_id", "status", "reason", "assurance", "summary", "error", "run_seconds", "import_seconds",
    "queued_seconds", "audit_seconds", "total_seconds", "latency_seconds", "warm", "cached", "cached_age_seconds",
    "superseded_by", "run", "group", "header", "messages", "worker", "verifier_kind", "lean_version", "repl_version",
    "mathlib_version", "policy_version", "source_timestamp",
)  # fmt: skip
"""The columns that a report reads (`core/datasets/verdict_row.py`)."""
NEEDED = ("custom_id", "status", "reason")
"""Those without which a file has no verdicts."""

MAX_TEXT = 400
"""Code points that a report keeps of a text at most."""
_STATUSES = frozenset(str(status) for status in Status)
_MAX_SECONDS = 1e9


class VerdictRow(NamedTuple):
    """A verdict. Its texts are cut, its times finite and not negative; what is of another type counts as missing."""

    custom_id: str
    status: str | None
    """None: the row could not be sent and has no verdict."""
    reason: str
    assurance: str | None
    said: str
    """The first error of Lean; where there is none, why there is no answer of Lean."""
    run_seconds: float | None
    import_seconds: float | None
    queued_seconds: float | None
    audit_seconds: float | None
    total_seconds: float | None
    latency_seconds: float | None
    warm: bool | None
    cached: bool
    cached_age_seconds: float | None
    superseded: bool
    run: str | None
    group: str | None
    header: str | None
    worker: str | None
    verifier: tuple[str | None, ...]
    """Kind, and the versions of Lean, REPL, Mathlib and policy."""
    sent_at: float | None
    """Seconds since the epoch: the timestamp of the request's record."""

    @property
    def verified(self) -> bool:
        """True where the proof holds."""
        return self.status == Status.VERIFIED

    @property
    def decided(self) -> bool:
        """True where something is known about the proof."""
        return self.status in {Status.VERIFIED, Status.REJECTED}

    @property
    def ran(self) -> bool:
        """True where Lean ran for this verdict: not where it came from the cache or was found without Lean."""
        return not self.cached and bool(self.run_seconds)


def verdict_of(row: Mapping[str, Any]) -> VerdictRow:
    """Read a row.

    Args:
        row: The values by the name of our column, as `names_in` finds them; what is absent is null.
    """
    get = row.get
    header = get("header")
    status = get("status")
    timestamp = _seconds(get("source_timestamp"), most=math.inf)
    return VerdictRow(
        # A file may be anybody's: what has another type counts as missing, and never ends the report.
        custom_id=_text(get("custom_id")) or "",
        status=status if status in _STATUSES else None,
        reason=_text(get("reason"), 64) or "",
        assurance=_text(get("assurance"), 64),
        said=_said(row),
        run_seconds=_seconds(get("run_seconds")),
        import_seconds=_seconds(get("import_seconds")),
        queued_seconds=_seconds(get("queued_seconds")),
        audit_seconds=_seconds(get("audit_seconds")),
        total_seconds=_seconds(get("total_seconds")),
        latency_seconds=_seconds(get("latency_seconds")),
        warm=get("warm") if isinstance(get("warm"), bool) else None,
        cached=get("cached") is True,
        cached_age_seconds=_seconds(get("cached_age_seconds")),
        superseded=get("reason") == "superseded" or bool(get("superseded_by")),
        run=_text(get("run")),
        group=_text(get("group")),
        # Whole: two long headers may differ at their end only. A report cuts what it shows.
        header=encodable(header) if isinstance(header, str) else None,
        worker=_text(get("worker")),
        verifier=(
            _text(get("verifier_kind"), 64),
            _text(get("lean_version"), 128),
            _text(get("repl_version"), 128),
            _text(get("mathlib_version"), 128),
            _text(get("policy_version"), 128),
        ),
        sent_at=None if timestamp is None else timestamp / 1000,
    )


def cut(text: str, most: int = MAX_TEXT) -> str:
    """Cut a text to so many code points, the last one an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(value: Any, most: int = 512) -> str | None:
    return encodable(cut(value, most)) if isinstance(value, str) and value else None


def encodable(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can have and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _seconds(value: Any, most: float = _MAX_SECONDS) -> float | None:
    """Read a duration. A file may have any number; a bool is none, and neither is a negative time."""
    if type(value) is not float and type(value) is not int:
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if 0 <= seconds <= most and math.isfinite(seconds) else None


def _said(row: Mapping[str, Any]) -> str:
    """Find the sentence that says what is wrong. Of a verified proof there is none."""
    if row.get("status") == Status.VERIFIED:
        return ""
    messages = row.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("severity") == "error" and (text := _text(message.get("text"))):
            return text
    return _text(row.get("error"), MAX_TEXT) or _text(row.get("summary"), MAX_TEXT) or ""
