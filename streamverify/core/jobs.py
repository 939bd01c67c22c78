"""The record as it was delivered, and the job that its proof becomes: they pass between the rooms of a worker.

Both are immutable and made once: the consumer makes the record, the intake makes the job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.models import Assurance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.header import Header
    from streamverify.core.models import Finding, ProofRequest, Source


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
    """When this worker got it, in monotonic seconds."""
    attempts: int = 0
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
