"""Tells which attempts belong together: whose they are, and what they are to prove. Pure.

A name alone would not do. Two senders may choose the same one, and attempts under one name may be at different
statements: the success of one says nothing of the others. So a success counts only in its *scope*.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.messages.models import ProofRequest

KEY_HEADER = "streamverify-key"
"""Kafka header of a request that a gateway sent: the name of the API key that it was sent with.

It is there in every record of a gateway, also of one without keys, and tells its callers apart.
"""

CALLERS_ID_HEADER = "streamverify-callers-id"
"""Kafka header of a request that a gateway sent: the id that the caller gave, as far as the caller gave one.

The `custom_id` of such a request is the gateway's own.
"""

_MAX_CALLERS_ID = 512
"""Code points of it that are sent."""

_DIGITS = 32


def caller_headers(key: str, callers_id: str | None) -> tuple[tuple[str, bytes], ...]:
    """Make the Kafka headers by which a gateway says for whom it sends a request."""
    # Half a surrogate pair, which JSON can hold and UTF-8 cannot, is no reason to refuse a proof.
    given = [] if callers_id is None else [(CALLERS_ID_HEADER, callers_id[:_MAX_CALLERS_ID].encode(errors="replace"))]
    return ((KEY_HEADER, key.encode(errors="replace")), *given)


def gateway_key(kafka_headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Read the gateway's word for who sent a request; None if it came from Kafka directly."""
    return _last(kafka_headers, KEY_HEADER)


def callers_id(kafka_headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """Read the id that the caller of a gateway gave its proof; None if it gave none."""
    return _last(kafka_headers, CALLERS_ID_HEADER)


def _last(kafka_headers: Sequence[tuple[str, bytes | None]], wanted: str) -> str | None:
    # The last one counts, as with every Kafka header: a gateway appends its own.
    values = [value for name, value in kafka_headers if name == wanted and value is not None]
    return values[-1].decode(errors="replace") if values else None


def scope_of(
    request: ProofRequest, kafka_headers: Sequence[tuple[str, bytes | None]], *, consumer_group: str, result_topic: str
) -> str | None:
    """Digest the scope in which one success is enough for this request; None if it needs its own answer.

    It needs its own answer unless it has `first_success`, a `group`, and a `statement` or a `theorem`: without one of
    the last two nothing says that the attempts are at the same problem.
    """
    problem = (request.statement, request.theorem)
    if not request.first_success or not request.group or problem == (None, None):
        return None
    # As JSON, so that no two different scopes are the same text.
    scope = [consumer_group, result_topic, request.run, request.group, *problem, gateway_key(kafka_headers)]
    return hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:_DIGITS]
