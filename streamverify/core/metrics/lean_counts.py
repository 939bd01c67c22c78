"""Counts what the slots of a pool have done since the start. Pure: plain numbers, which anybody may read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.metrics.labels import ReplDeath, ReplReplaced


class LeanCounts:
    """Counts of one pool. Each process that is started dies, is replaced, or lives: nothing else becomes of one."""

    def __init__(self, on_import: Callable[[float], None] | None = None) -> None:
        """`on_import` is told the seconds of each import that succeeded."""
        self.starts = 0
        """REPL processes started in slots, and tries to start one that failed."""
        self.deaths: Counter[ReplDeath] = Counter()
        self.replaced: Counter[ReplReplaced] = Counter()
        self.import_seconds = 0.0
        self.run_seconds = 0.0
        self.audit_seconds = 0.0
        self.useful_seconds = 0.0
        """Of running and auditing what ended in a verdict that is no `inconclusive` one."""
        self._on_import = on_import

    def imported(self, seconds: float) -> None:
        """Note that a header was imported."""
        if self._on_import is not None:
            self._on_import(seconds)
