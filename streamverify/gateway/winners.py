"""Names the winner of a group of attempts as its caller did. Pure.

A worker names it by the id that it has on Kafka, which is the gateway's own: the caller has never seen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.messages.models import Status

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult

_MAX_WINNERS = 10_000
"""Verified proofs whose callers' ids are kept; the oldest makes room."""
_MAX_ID = 128
"""Characters that are kept of such an id."""


class Winners:
    """The callers' ids of verified proofs of groups that came through this gateway."""

    def __init__(self) -> None:
        self._callers_ids: BoundedDict[str, str] = BoundedDict(_MAX_WINNERS)
        """By the id on Kafka."""

    def note(self, result: ProofResult, callers_id: str) -> None:
        """Keep the caller's id of a result that may be the winner of its group."""
        if result.status is Status.VERIFIED and callers_id:
            self._callers_ids[result.custom_id] = callers_id[:_MAX_ID]

    def in_callers_words(self, result: ProofResult) -> ProofResult:
        """Return the result with the caller's name for its winner, where that is known; else as it is.

        A winner and what it superseded have the same API key, so no caller learns another's ids.
        """
        known_as = result.superseded_by or ""
        if (callers_id := self._callers_ids.get(known_as)) is None:
            return result
        summary = result.summary.replace(known_as, callers_id, 1)
        return result.model_copy(update={"superseded_by": callers_id, "summary": summary})
