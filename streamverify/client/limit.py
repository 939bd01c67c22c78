"""Knows how large a request may be, whose limit that is, and what raises it. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.errors import RequestTooLarge
from streamverify.core.messages.request_errors import echo
from streamverify.core.topic_plans import MAX_PROOF_BYTES, request_record_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.client.requests import EncodedRequest
    from streamverify.core.messages.models import ProofRequest
    from streamverify.settings import Settings

_RECORD_OVERHEAD = 1024
"""Bytes that key, Kafka headers and framing of a record need at most."""

_WORST_CASE = 6
"""Bytes of JSON for a character of a text, at most: that of a control character."""
_OTHER_FIELDS = 32 * 1024
"""Bytes of JSON for all that is bounded: ids, metadata, numbers."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest record that may be sent, and the words for it."""

    bytes: int
    whose: str
    topic: str

    @classmethod
    def of_topic(cls, topic: str, settings: Mapping[str, str] | None) -> Limit | None:
        """Return what the topic itself takes; None where the broker does not tell."""
        if settings is None:
            return None
        size = int(settings["max.message.bytes"])
        return cls(size, f"the topic {topic} takes {size:,} (its max.message.bytes)", topic)

    @classmethod
    def of_settings(cls, topic: str, settings: Settings) -> Limit:
        """Return what a topic takes that was made for `max_proof_bytes`, for a broker that does not tell."""
        size = request_record_bytes(settings.max_proof_bytes)
        whose = f"the broker does not tell what the topic {topic} takes, so {size:,} are sent at most (MAX_PROOF_BYTES)"
        return cls(size, whose, topic)

    @classmethod
    def unknown(cls, topic: str) -> Limit:
        """Return the limit of a broker that takes less than the topic's settings say: only the words are known."""
        return cls(0, f"the broker takes less for the topic {topic} (its max.message.bytes)", topic)

    def surely_takes(self, request: ProofRequest) -> bool:
        """Tell without encoding it whether a request is within the limit, which most are by far."""
        texts = len(request.proof) + len(request.statement or "")
        return _WORST_CASE * texts + _OTHER_FIELDS <= self.bytes

    def takes(self, encoded: EncodedRequest) -> bool:
        """Tell whether the record of this request is within the limit."""
        return len(encoded.value) + _RECORD_OVERHEAD <= self.bytes

    def refusal(self, encoded: EncodedRequest) -> RequestTooLarge:
        """Make the error for a request that is too large."""
        size = len(encoded.value)
        # As JSON a proof has no fewer bytes than by itself: a topic and a worker made for so many take this one.
        remedy = (
            f"`streamverify topics create --alter --max-proof-bytes {size}` raises that, and workers need "
            f"STREAMVERIFY_MAX_PROOF_BYTES={size} too"
            if size <= MAX_PROOF_BYTES
            else f"no setting raises that far enough: MAX_PROOF_BYTES is at most {MAX_PROOF_BYTES:,}"
        )
        return RequestTooLarge(
            f"the request {echo(encoded.custom_id)} is too large to be sent: it has {size:,} bytes as JSON, and "
            f"{self.whose}; {remedy}",
            custom_id=encoded.custom_id,
        )
