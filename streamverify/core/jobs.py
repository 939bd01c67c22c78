"""A proof on its way through the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.models import Assurance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.header import Header
    from streamverify.core.models import Finding, ProofRequest, Source


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One request that is to be run.

    `assignment` numbers the assignment of partitions in which the record was delivered: what finishes after that
    assignment has ended completes no offset. `received` is in monotonic seconds. `assurance` is what makes the proof
    `verified`, `findings` what the policy said of it before it was queued.
    """

    request: ProofRequest
    header: Header
    source: Source
    headers: Sequence[tuple[str, bytes | None]]
    assignment: int
    received: float
    assurance: Assurance = Assurance.CHECKED
    findings: Sequence[Finding] = ()
