"""Places the steps of a proof in time, for its spans: a verdict has how long each took, not when. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from streamverify.core.messages.models import Timings

_NANOSECONDS = 1_000_000_000


class TraceStep(NamedTuple):
    """A step of a proof, in nanoseconds since the record was received."""

    name: str
    start: int
    end: int


def steps(timings: Timings, attempts: int) -> list[TraceStep]:
    """Place the steps that a proof went through.

    A step that did not happen took 0 seconds and is left out: the import of a warm header, the audit of a proof that
    Lean rejected, everything but the queue for an answer from the cache.

    The queue comes first, and the others follow it in the order in which they were carried out. What the audit asks
    before the run is counted in its one step, after the run. Where a proof was tried again the times are those of the
    last attempt, so they are placed before the end.

    Args:
        timings: Those of the verdict.
        attempts: How often the proof was run.
    """
    # In whole nanoseconds from the start, as spans have them, so that no step ends after the next one begins.
    queued = _as_nanoseconds(timings.queued)
    placed = [TraceStep("queue", 0, queued)] if queued else []
    taken = [
        (name, _as_nanoseconds(seconds))
        for name, seconds in (
            ("import", timings.import_),
            ("run", timings.run),
            ("audit", timings.audit),
            ("replay", timings.replay),
        )
    ]
    at = queued
    if attempts > 1:
        # Between the queue and the last attempt lie the others, of which the verdict has no times.
        at = max(queued, _as_nanoseconds(timings.total) - sum(duration for _, duration in taken))
    for name, duration in taken:
        if duration:
            placed.append(TraceStep(name, at, at + duration))
            at += duration
    return placed


def _as_nanoseconds(seconds: float) -> int:
    return max(0, round(seconds * _NANOSECONDS))
