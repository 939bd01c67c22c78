"""Makes a result of a verdict, and of the result the record that is published."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamverify.bus.publisher import Outgoing
from streamverify.core.messages.codec import encode_bare_result, encode_result, record_overhead
from streamverify.core.messages.models import (
    LEAN_ANSWERED,
    OUTCOMES,
    RUN_HEADER,
    Assurance,
    Cached,
    ProofRequest,
    ProofResult,
    Reason,
    Timings,
    Verifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.job import Verdict
    from streamverify.settings import Settings
    from streamverify.telemetry.tracing import Tracing
    from streamverify.worker.intake import Requester

STATUS_HEADER = "streamverify-status"
"""Kafka header of a result: its status, so that a reader can filter without parsing."""


def worker_name(settings: Settings) -> str:
    """The name of this worker in its results."""
    return settings.group_instance_id or f"{socket.gethostname()}-{os.getpid()}"


class Published(Protocol):
    """Hears of results, for the metrics."""

    def __call__(self, result: ProofResult, *, second: bool) -> None:
        """The broker has a result; `second`: its record had one before."""


@dataclass(frozen=True, slots=True)
class ResultBuilder:
    """Makes the results of one worker: who it is, what verified, where results go and how large they may be."""

    worker: str
    verifier: Verifier
    topic: str
    limit: int
    """`max.message.bytes` of the result topic."""
    published: Published | None = None
    """Hears of each result that the broker has."""
    tracing: Tracing | None = None
    """Makes the spans of sampled requests; None where no spans are wanted."""

    def result(self, requester: Requester, verdict: Verdict) -> ProofResult:
        """The ProofResult for a verdict."""
        status, retriable = OUTCOMES[verdict.reason]
        request = requester.request
        # A refused request may be one whose proof could not be read.
        proof = request.proof if isinstance(request, ProofRequest) else None
        # Readers of the `/verify` API take a response without error messages for a valid proof, and any `error` for a
        # failure of the server: a result has the one or the other, and no half an answer.
        response = verdict.response if verdict.reason in LEAN_ANSWERED else None
        # To the microsecond: more digits are noise that every result would carry.
        timings = Timings(**{name: round(seconds, 6) for name, seconds in verdict.timings.__dict__.items()})
        return ProofResult(
            custom_id=request.custom_id,
            status=status,
            reason=verdict.reason,
            # The reason alone would say "try again" of a proof that has crashed its worker each time.
            retriable=retriable and not verdict.final,
            error=verdict.summary if response is None else None,
            summary=verdict.summary,
            response=response,
            truncated=list(verdict.truncated),
            assurance=verdict.assurance if verdict.reason is Reason.OK else Assurance.NONE,
            reached=verdict.reached,
            checkers=list(verdict.checkers),
            export_sha256=verdict.export_sha256,
            theorems=list(verdict.theorems),
            findings=list(verdict.findings),
            timings=timings,
            attempts=verdict.attempts,
            worker=self.worker,
            verifier=self.verifier,
            source=requester.record.source,
            proof_sha256=None if proof is None else hashlib.sha256(proof.encode()).hexdigest(),
            run=request.run,
            group=request.group,
            cached=None if verdict.cached_age is None else Cached(age_seconds=round(verdict.cached_age, 3)),
            superseded_by=verdict.superseded_by,
            metadata=request.metadata,
        )

    def record(
        self, requester: Requester, verdict: Verdict, on_ack: Callable[[], None], *, second: bool = False
    ) -> Outgoing:
        """The record for the result topic: cut to what the topic takes, with a smaller form if it is refused.

        `second`: the record of the request had a result before.
        """
        result = self.result(requester, verdict)
        ours: list[tuple[str, bytes | None]] = [(STATUS_HEADER, result.status.encode())]
        copied = requester.record.kafka_headers
        request = requester.request
        if request.run is not None:
            # Once: our client sends the header, and other producers need not.
            copied = [pair for pair in copied if pair[0] != RUN_HEADER]
            ours.append((RUN_HEADER, request.run.encode()))
        key = request.custom_id.encode()
        trace = self.tracing and self.tracing.answer(requester.record, request.custom_id, verdict, self.topic)
        if trace:
            # What caused this record is the span that publishes it. The copied header stays, and the last one counts.
            ours.append(trace.kafka_header)
            on_ack = trace.ended_after(on_ack)
        published = self.published

        def acknowledged() -> None:
            if published is not None:
                published(result, second=second)
            on_ack()

        encoded = encode_result(result, limit=self.limit, overhead=record_overhead(key, copied))
        # Ours stay even where the copied Kafka headers had to go: readers filter by them.
        kafka_headers = ours if encoded.kafka_headers_dropped else [*copied, *ours]

        def smaller() -> Outgoing:
            return Outgoing(self.topic, key, encode_bare_result(result), ours, acknowledged)

        return Outgoing(self.topic, key, encoded.value, kafka_headers, acknowledged, smaller)
