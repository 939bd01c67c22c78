"""Chooses between several verdicts under one custom_id: the later request counts, not the later result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.messages.models import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.messages.models import ProofResult, Source


def newest(results: Iterable[ProofResult]) -> dict[str, ProofResult]:
    """The newest result of each custom_id, in the order in which the custom_ids first appear."""
    kept: dict[str, ProofResult] = {}
    for result in results:
        old = kept.get(result.custom_id)
        if old is None or supersedes(result, old):
            kept[result.custom_id] = result
    return kept


def supersedes(new: ProofResult, old: ProofResult) -> bool:
    """Tell whether `new`, read after `old` from the topic, replaces it.

    The later request counts, by the timestamp of its record. Two answers to one request are a repeat: a verdict
    is not replaced by an `inconclusive`, else what was read last counts.
    """
    if _age(new.source) != _age(old.source):
        return _age(new.source) > _age(old.source)
    return new.status is not Status.INCONCLUSIVE or old.status is Status.INCONCLUSIVE


def _age(source: Source) -> tuple[int, str, int, int]:
    return source.timestamp, source.topic, source.partition, source.offset
