"""What a worker has done: counts by reason, and when it is worth a line in the log. Pure: `now` is passed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.messages.models import OUTCOMES, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.messages.models import Reason

EVERY = 60.0
"""Seconds between two reports of a worker that works."""
IDLE_EVERY = 600.0
"""Seconds between two reports of a worker that does nothing: it lives, and waits."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done in a time: records answered by reason, those of them that were cached, and dead letters."""

    seconds: float
    reasons: Mapping[Reason, int]
    dead_letters: int
    cached: int = 0

    @property
    def total(self) -> int:
        """How many records were answered."""
        return sum(self.reasons.values())

    @property
    def per_second(self) -> float:
        """How many records were answered in a second, cached ones included."""
        return self.total / self.seconds if self.seconds > 0 else 0.0

    def by_status(self) -> dict[str, int]:
        """How many results of each status there were."""
        counts = dict.fromkeys((status.value for status in Status), 0)
        for reason, count in self.reasons.items():
            counts[OUTCOMES[reason].status.value] += count
        return counts

    def by_reason(self) -> dict[str, int]:
        """How many results of each reason there were, the most frequent first; none that did not occur."""
        return {reason.value: count for reason, count in Counter(self.reasons).most_common() if count}


class Activity:
    """Counts what a worker does from its start on, and what of it no report has had yet."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._reasons: Counter[Reason] = Counter()
        self._dead_letters = 0
        self._cached = 0
        self._reported = Done(0.0, {}, 0)
        self._reported_at = now

    def answered(self, reason: Reason, *, cached: bool = False) -> None:
        """A record has its result; `cached`: identical work had had it before."""
        self._reasons[reason] += 1
        self._cached += cached

    def dead_letter(self) -> None:
        """A record has become a dead letter."""
        self._dead_letters += 1

    def so_far(self, now: float) -> Done:
        """All that was done since the start."""
        return Done(now - self._started, dict(self._reasons), self._dead_letters, self._cached)

    def report(self, now: float, *, running: int, last: bool = False) -> Done | None:
        """What was done since the last report, if it is time for one; None if it is not.

        Args:
            now: The time.
            running: Proofs that run now: a worker that has worked a minute at one proof is not idle.
            last: No report follows, so what was done is reported now.
        """
        so_far = self.so_far(now)
        before, seconds = self._reported, now - self._reported_at
        reasons = Counter(so_far.reasons) - Counter(before.reasons)
        done = Done(seconds, dict(reasons), so_far.dead_letters - before.dead_letters, so_far.cached - before.cached)
        worked = bool(done.total or done.dead_letters)
        due = worked if last else seconds >= (EVERY if worked or running else IDLE_EVERY)
        if not due:
            return None
        self._reported, self._reported_at = so_far, now
        return done
