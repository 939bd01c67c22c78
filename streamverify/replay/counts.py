"""Counts what a replay has read, sent and answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_SENT = "not sent"
"""Stands for the status of a row that has none."""


@dataclass(slots=True)
class ReplayCounts:
    """The counts of a replay. `done` counts rows by status; `NOT_SENT` are those without a request."""

    read: int = 0
    """Attempts that were taken from the source, or were in an earlier process."""
    sent: int = 0
    """Requests that this process has sent."""
    unanswered: int = 0
    done: Counter[str] = field(default_factory=Counter)
    cached: int = 0
    kinds: set[str] = field(default_factory=set)
    """The kinds of the verifiers that answered: a stand-in is no Lean, and has to be named."""
    first_error: str = ""
    """The reason why the first row of this process was not sent, of those that were not."""
    earlier: int = 0
    """Rows that earlier processes had written."""
    seconds: float = 0.0
    """The time for which the processes of this replay have run, in seconds."""

    @property
    def not_sent(self) -> int:
        """Rows that were no request, or too large to be sent."""
        return self.done[NOT_SENT]

    @property
    def statuses(self) -> dict[str, int]:
        """The number of verdicts with each status."""
        return {status: count for status, count in self.done.items() if status != NOT_SENT}

    @property
    def verdicts(self) -> int:
        """The number of verdicts."""
        return self.done.total() - self.done[NOT_SENT]

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self.done[row["status"] or NOT_SENT] += 1
        self.cached += bool(row["cached"])
        if row["verifier_kind"]:
            self.kinds.add(row["verifier_kind"])
        if not row["status"] and not self.first_error:
            self.first_error = row["error"]

    def facts(self) -> dict[str, Any]:
        """Return what the state notes of them."""
        return {
            "done": dict(self.done),
            "cached": self.cached,
            "kinds": sorted(self.kinds),
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> ReplayCounts:
        """Go on from what the state has noted."""
        done = Counter(facts.get("done", {}))
        return cls(
            done=done,
            cached=facts.get("cached", 0),
            kinds=set(facts.get("kinds", ())),
            earlier=done.total(),
            seconds=facts.get("seconds", 0.0),
        )
