"""From a verdict to the record that is published."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from streamverify.bus.publisher import Outgoing
from streamverify.core.codec import encode_bare_result, encode_result, record_overhead
from streamverify.core.models import OUTCOMES, Assurance, ProofResult, Reason, Timings, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.verdict import Verdict
    from streamverify.settings import Settings
    from streamverify.worker.intake import Asker

STATUS_HEADER = "streamverify-status"
"""Kafka header of a result: its status, so that a reader can filter without parsing."""


def worker_name(settings: Settings) -> str:
    """What a result calls the worker that made it."""
    return settings.group_instance_id or f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class Answerer:
    """Makes the result of one worker: who it is, what verified, where results go and how large they may be."""

    worker: str
    verifier: Verifier
    topic: str
    limit: int
    """`max.message.bytes` of the result topic."""

    def result(self, asker: Asker, verdict: Verdict) -> ProofResult:
        """The ProofResult for a verdict."""
        status, retriable = OUTCOMES[verdict.reason]
        proof = None if asker.proof is None else hashlib.sha256(asker.proof.encode()).hexdigest()
        return ProofResult(
            custom_id=asker.custom_id,
            status=status,
            reason=verdict.reason,
            retriable=retriable and not verdict.final,
            error=verdict.error,
            response=verdict.response,
            truncated=list(verdict.truncated),
            assurance=verdict.assurance if verdict.reason is Reason.OK else Assurance.NONE,
            theorems=list(verdict.theorems),
            findings=list(verdict.findings),
            timings=_rounded(verdict.timings),
            attempts=verdict.attempts,
            worker=self.worker,
            verifier=self.verifier,
            source=asker.source,
            proof_sha256=proof,
            metadata=asker.metadata,
        )

    def record(self, asker: Asker, verdict: Verdict, on_ack: Callable[[], None]) -> Outgoing:
        """The record for the result topic: cut to what the topic takes, with a smaller form if it is refused."""
        result = self.result(asker, verdict)
        own: list[tuple[str, bytes | None]] = [(STATUS_HEADER, result.status.encode())]
        headers = [*asker.headers, *own]
        key = asker.custom_id.encode()
        encoded = encode_result(result, limit=self.limit, overhead=record_overhead(key, asker.headers))
        smaller = partial(self._bare, result, key, own, on_ack)
        return Outgoing(self.topic, key, encoded.value, own if encoded.headers_dropped else headers, on_ack, smaller)

    def _bare(
        self, result: ProofResult, key: bytes, headers: list[tuple[str, bytes | None]], on_ack: Callable[[], None]
    ) -> Outgoing:
        return Outgoing(self.topic, key, encode_bare_result(result), headers, on_ack)


def _rounded(timings: Timings) -> Timings:
    """To the microsecond: more digits are noise that every result would carry."""
    return Timings(**{name: round(seconds, 6) for name, seconds in timings.__dict__.items()})
