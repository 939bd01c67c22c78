"""Headers that are the proofs' own fault, remembered for a while so that no process is restarted for each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.lean.import_errors import FailedImport

LIFE = 60.0
"""Seconds. Short, because the missing module may be being built."""

MOST = 1_000
"""How many are remembered; the oldest makes room."""


class FailedHeaders:
    """Failed imports by the header's fingerprint. Times are monotonic seconds, passed in."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, FailedImport]] = {}

    def add(self, fingerprint: str, failed: FailedImport, now: float) -> None:
        """Remember one until `LIFE` seconds from now."""
        self._known.pop(fingerprint, None)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[fingerprint] = (now + LIFE, failed)

    def get(self, fingerprint: str, now: float) -> FailedImport | None:
        """What is known of a header, if that is not too old."""
        known = self._known.get(fingerprint)
        if known is None:
            return None
        if known[0] <= now:
            del self._known[fingerprint]
            return None
        return known[1]
