"""Chooses between several results under one custom_id: the later request counts, not the later result.

Client, table and cache share this rule. It is an order: whatever results are compared, and in whatever sequence, the
same one wins in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.messages.models import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.messages.models import ProofResult

Rank = tuple[int, str, int, int, int]
"""Timestamp, topic, partition and offset of the request's record, then how far the proof was looked into."""

_TIERS = {"checked": 1, "audited": 2, "replayed": 3, "cross_checked": 4}
_REFUSED_BY_A_KERNEL = 5
_REJECTED_BY_THE_AUDIT = frozenset({"policy", "axiom", "no_theorem", "statement_mismatch"})


def newest(results: Iterable[ProofResult]) -> dict[str, ProofResult]:
    """The newest result of each custom_id, in the order in which the custom_ids first appear."""
    kept: dict[str, ProofResult] = {}
    for result in results:
        old = kept.get(result.custom_id)
        if old is None or supersedes(result, old):
            kept[result.custom_id] = result
    return kept


def supersedes(new: ProofResult, old: ProofResult) -> bool:
    """Tell whether `new`, read after `old` from the topic, replaces it."""
    return rank(new) >= rank(old)


def rank(result: ProofResult) -> Rank:
    """Order the results of one custom_id; of two with the same rank the one counts that was read last.

    The later request counts, by the timestamp of its record. Several answers to one request are repeats, or a second
    look at the same proof: of those the deepest look counts. So a verdict is never replaced by an `inconclusive`, nor
    `audited` by `checked`; what the audit rejects was looked at as closely as what it lets pass, and the refusal of a
    kernel stands above every acceptance.
    """
    source = result.source
    return rank_of(
        source=(source.timestamp, source.topic, source.partition, source.offset),
        status=str(result.status),
        reason=str(result.reason),
        assurance=str(result.assurance),
    )


def rank_of(*, source: tuple[int, str, int, int], status: str, reason: str, assurance: str) -> Rank:
    """`rank`, of a result that is known by these fields only; `source` begins with the timestamp."""
    return (*source, _depth(status, reason, assurance))


def _depth(status: str, reason: str, assurance: str) -> int:
    if status == Status.INCONCLUSIVE:
        return 0
    if status == Status.VERIFIED:
        # Readers accept words that they do not know: somebody has checked at least what `checked` says.
        return _TIERS.get(assurance, _TIERS["checked"])
    if reason == "kernel":
        return _REFUSED_BY_A_KERNEL
    return _TIERS["audited" if reason in _REJECTED_BY_THE_AUDIT else "checked"]
