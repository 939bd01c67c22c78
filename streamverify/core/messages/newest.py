"""Chooses between several verdicts under one custom_id: that on the later request, and of one request the better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.messages.models import Assurance, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.messages.models import ProofResult


def newest(results: Iterable[ProofResult]) -> dict[str, ProofResult]:
    """Return the newest result of each custom_id, in the order in which the custom_ids first appear."""
    kept: dict[str, ProofResult] = {}
    for result in results:
        old = kept.get(result.custom_id)
        if old is None or supersedes(result, old):
            kept[result.custom_id] = result
    return kept


def supersedes(new: ProofResult, old: ProofResult) -> bool:
    """Tell whether `new`, read after `old` from the topic, replaces it.

    The later request counts, by the timestamp of its record. Several answers to one request are repeats, or a worker
    has published a higher assurance after a lower one: the weightier counts, of two that weigh the same the one that
    was read last.
    """
    return rank(new) >= rank(old)


def rank(result: ProofResult) -> tuple[int, str, int, int, int]:
    """Return what is compared of a result: timestamp, topic, partition and offset of its request, and its weight.

    It is kept where there are more results than fit into memory. One with the same rank that is read later replaces it.
    """
    source = result.source
    return source.timestamp, source.topic, source.partition, source.offset, weight(result)


def weight(result: ProofResult) -> int:
    """Return how much a result counts against others on the same request (`weight_of`)."""
    return weight_of(result.status, result.assurance, judged_as_data=bool(result.checkers))


def weight_of(status: Status, assurance: str, *, judged_as_data: bool) -> int:
    """Return how much a verdict counts against others on the same work.

    An inconclusive one weighs nothing. A verified one weighs what its assurance is worth; a word that is not known here
    as little as `checked`. A rejection weighs as much as `audited`, for it may be the closer look of another worker;
    one of a proof that was judged as exported data, more than anything else.
    """
    if status is Status.INCONCLUSIVE:
        return 0
    if status is Status.REJECTED:
        return len(Assurance) if judged_as_data else Assurance.AUDITED.rank
    # A word that only a newer worker knows is worth something, but may not displace what is known to be worth more.
    known = assurance in frozenset(Assurance)
    return max(Assurance.CHECKED.rank, Assurance(assurance).rank if known else 0)
