"""A proof on its way through the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.models import Assurance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.header import Header
    from streamverify.core.ledger import Place
    from streamverify.core.models import Finding, ProofRequest, Source


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One request that is to be run.

    `place` names the record to the ledger. `received` is in monotonic seconds. `assurance` is what makes the proof
    `verified`, `findings` what the policy said of it before it was queued.
    """

    request: ProofRequest
    header: Header
    source: Source
    headers: Sequence[tuple[str, bytes | None]]
    place: Place
    received: float
    assurance: Assurance = Assurance.CHECKED
    findings: Sequence[Finding] = ()
