"""Notes for the page what one way over Kafka sees go by. It keeps no proof and no answer of Lean."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from streamverify.core.errors import HeaderError
from streamverify.core.gateway.live import LastVerdict
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.gateway.live import LiveState
    from streamverify.core.messages.models import ProofResult

_MAX_NAMES = 1_000
"""Headers whose text is kept for their fingerprint."""


class Observer:
    """Tells the live state of the results of one topic.

    `counts`: everybody's results of this topic are counted. It is so for the gateway's own topics, whose backlog the
    page shows; of other environments' topics only what was asked for here is listed.
    """

    def __init__(self, live: LiveState, *, counts: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._counts = counts
        self._clock = clock
        self._headers: dict[bytes, str] = {}

    def sent(self, key: bytes, proof: str) -> None:
        """Note the header of a proof that is sent; `key` is its fingerprint, so each header is read once."""
        if key in self._headers:
            return
        if len(self._headers) >= _MAX_NAMES:
            self._headers.clear()  # those in use come again with their next proof
        try:
            # For people, who know a header by its imports and not by its fingerprint.
            self._headers[key] = parse_header(proof).canonical.rstrip("\n")
        except HeaderError:
            self._headers[key] = ""

    def passed(self, value: bytes | None) -> None:
        """Note a result that answers nobody here."""
        if not self._counts:
            return
        try:
            fields = orjson.loads(value or b"")
            source = fields.get("source") or {}
            verdict = LastVerdict.of(
                custom_id=fields.get("custom_id", ""),
                status=fields.get("status", ""),
                reason=fields.get("reason", ""),
                summary=fields.get("summary") or fields.get("error") or "",
                at=source.get("timestamp"),
            )
        except (orjson.JSONDecodeError, AttributeError):
            return  # no result of ours; what reads the topic for its verdicts complains of it
        self._live.seen(verdict, self._clock(), cached=bool(fields.get("cached")))

    def answered(self, result: ProofResult, summary: str, *, owner: str, custom_id: str, key: bytes) -> None:
        """Note a result that this gateway was asked for.

        Args:
            result: The result, whose id is the gateway's own.
            summary: Its sentence.
            owner: The name of the API key that asked.
            custom_id: The caller's id.
            key: The fingerprint of the proof's header.
        """
        verdict = LastVerdict.of(
            custom_id=custom_id or result.custom_id,
            status=result.status,
            reason=result.reason,
            summary=summary,
            at=result.source.timestamp,
        )
        if self._counts:
            self._live.seen(verdict, self._clock(), cached=result.cached is not None)
        self._live.answered(verdict, owner, self._headers.get(key, ""), result.timings)
