"""The verdict on one proof, before it becomes a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.models import Assurance, Finding, Reason, Response, Theorem, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one job, immutable. The slot that ran the job gives it its timings when it returns it.

    `assurance` says what was carried out; it counts only where the reason is `ok`.
    """

    reason: Reason
    error: str | None = None
    response: Response | None = None
    truncated: Sequence[str] = ()
    timings: Timings = field(default_factory=Timings)
    attempts: int = 1
    final: bool = False
    """True where the request must not be sent again although its reason usually allows that: the proof crashed its
    worker each time that it ran."""
    assurance: Assurance = Assurance.CHECKED
    theorems: Sequence[Theorem] = ()
    findings: Sequence[Finding] = ()
