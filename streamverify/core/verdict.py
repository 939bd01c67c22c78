"""What was found out about one proof, before it is put into a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.models import Assurance, Finding, Reason, Response, Theorem, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one job. `timings.queued` and `timings.total` are filled in by who knows them.

    `assurance` is what was carried out; it is worth something where the reason is `ok`.
    """

    reason: Reason
    error: str | None = None
    response: Response | None = None
    truncated: Sequence[str] = ()
    timings: Timings = field(default_factory=Timings)
    attempts: int = 1
    final: bool = False
    """Not to be tried again by anybody, although its reason usually may be: it has killed its workers."""
    assurance: Assurance = Assurance.CHECKED
    theorems: Sequence[Theorem] = ()
    findings: Sequence[Finding] = ()
