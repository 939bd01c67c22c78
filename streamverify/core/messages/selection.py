"""The conditions by which somebody selects results. No clock: times are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult


@dataclass(frozen=True, slots=True)
class ResultSelection:
    """A result is one of these if it meets every condition that is given; of several values any one will do.

    Times are those of the result's record, in milliseconds since 1970.
    """

    ids: frozenset[str] = frozenset()
    prefix: str = ""
    statuses: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    run: str | None = None
    since: int = 0
    until: int | None = None

    def takes_record(self, key: bytes | None, timestamp: int) -> bool:
        """Tell whether the record of a result may hold one of these, before its value is read.

        Args:
            key: The record's key, which is the custom_id in UTF-8. Where somebody else wrote another key, the value
                does not count either.
            timestamp: The record's.
        """
        if timestamp < self.since or (self.until is not None and timestamp >= self.until):
            return False
        if not self.ids and not self.prefix:
            return True
        custom_id = (key or b"").decode("utf-8", "replace")
        return (not self.ids or custom_id in self.ids) and custom_id.startswith(self.prefix)

    def takes(self, result: ProofResult) -> bool:
        """Tell whether a result, whose record was taken, is one of these."""
        if self.ids and result.custom_id not in self.ids:
            return False
        return (
            result.custom_id.startswith(self.prefix)
            and self.takes_outcome(str(result.status), str(result.reason))
            and (self.run is None or result.run == self.run)
        )

    def takes_outcome(self, status: str, reason: str) -> bool:
        """Tell whether a result with this status and reason may be one of these."""
        return (not self.statuses or status in self.statuses) and (not self.reasons or reason in self.reasons)
