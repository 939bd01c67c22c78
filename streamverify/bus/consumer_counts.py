"""Counts what a worker's consumer has done since the start: plain numbers, for metrics and status to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class ConsumerCounts:
    """Counts of one consumer."""

    commits: int = 0
    """Commits that the broker has acknowledged."""
    commit_failures: int = 0
    rebalances: int = 0
    """Assignments that the group has given, the first one included."""
    adopted: int = 0
    """Records delivered again after a rebalance, whose jobs still ran here."""
    on_commit: Callable[[float], None] | None = None
    """Told the seconds that each acknowledged commit took."""
