"""The three objects that pass between the rooms of a worker: a delivered record, its job, and the job's verdict.

Each is immutable and made once: by the consumer, the intake, and the slot, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.messages.models import Assurance, Checker, Finding, Reason, Response, Theorem, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.messages.models import ProofRequest, Source
    from streamverify.core.syntax.header import Header


class RecordId(NamedTuple):
    """Names one record of the request topic.

    `epoch` counts how often the log of the partition turned out to be another one (a topic made anew, a group that was
    set back): the same offset is another record then.
    """

    partition: int
    offset: int
    epoch: int


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A delivered record of the request topic, free of aiokafka's types."""

    id: RecordId
    source: Source
    """Topic, partition, offset and timestamp, as results and dead letters name them."""
    key: bytes | None
    value: bytes | None
    """The request as it came. It is kept as long as the job, beside the decoded request, for a dead letter."""
    kafka_headers: Sequence[tuple[str, bytes | None]]
    received: float
    """The time when this worker got it, in monotonic seconds."""
    worker_deaths: int = 0
    """The number of times that a worker has died with the record running."""
    quarantined: bool = False
    """True where its attempt has to be committed before it is run: a worker died at its partition."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """The proof of one record, to be run."""

    record: Record
    request: ProofRequest
    header: Header
    """The proof's imports, as Lean calls them: not Kafka's headers, which are `record.kafka_headers`."""
    assurance: Assurance = Assurance.CHECKED
    """The assurance that makes the proof `verified`."""
    findings: Sequence[Finding] = ()
    """The findings of the policy before the proof was queued."""
    scope: str | None = None
    """The digest of what the attempts have in common of which one success is enough (`core.groups.scope`)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one job, immutable. The slot that ran the job gives it its timings when it returns it.

    `assurance` says what was carried out; it counts only where the reason is `ok`.
    """

    reason: Reason
    summary: str
    """One sentence for people."""
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
    checkers: Sequence[Checker] = ()
    """The programs that judged the exported proof, at the tiers above `audited`."""
    export_sha256: str | None = None
    reached: Assurance | None = None
    """Of a proof that did not reach the tier that was asked for: the one that it did reach."""
    cached_age: float | None = None
    """Of a verdict that identical work has had before: its age in seconds. None: this job has its own."""
    superseded_by: str | None = None
    """Of a `superseded` verdict: the custom_id in the same group whose success ended this proof, if one did."""
