"""Counts what a worker has done, and decides when that is worth a line in the log. Pure: `now` is passed in."""

from __future__ import annotations

from collections import Counter, deque
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
RECENT_SECONDS = 60.0
"""Seconds of the past that `Activity.recent` tells of."""


@dataclass(frozen=True, slots=True)
class Done:
    """The work of some time: records answered by reason, those of them that were cached, and dead letters."""

    seconds: float
    reasons: Mapping[Reason, int]
    dead_letters: int
    cached: int = 0
    busy_seconds: float = 0.0
    """Time that slots have spent on the records that were answered."""

    @property
    def total(self) -> int:
        """The number of records that were answered."""
        return sum(self.reasons.values())

    @property
    def per_second(self) -> float:
        """The number of records that were answered in a second, cached ones included."""
        return self.total / self.seconds if self.seconds > 0 else 0.0

    def by_status(self) -> dict[str, int]:
        """Count the results by status."""
        counts = dict.fromkeys((status.value for status in Status), 0)
        for reason, count in self.reasons.items():
            counts[OUTCOMES[reason].status.value] += count
        return counts

    def by_reason(self) -> dict[str, int]:
        """Count the results by reason, the most frequent first; a reason that did not occur is left out."""
        return {reason.value: count for reason, count in Counter(self.reasons).most_common() if count}


class Activity:
    """Counts what a worker does from its start on, and what of it no report has had yet."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._reasons: Counter[Reason] = Counter()
        self._dead_letters = 0
        self._cached = 0
        self._busy_seconds = 0.0
        self._marks: deque[tuple[float, Done]] = deque([(now, Done(0.0, {}, 0))])
        """Times of the last minute, each with what had been done by then; the oldest first."""
        self._reported = Done(0.0, {}, 0)
        self._reported_at = now

    def answered(self, reason: Reason, *, cached: bool = False, busy_seconds: float = 0.0) -> None:
        """Count a record that has its result.

        Args:
            reason: The reason of the result.
            cached: True if identical work had had it before.
            busy_seconds: Time that a slot has spent on it.
        """
        self._reasons[reason] += 1
        self._cached += cached
        self._busy_seconds += busy_seconds

    def dead_letter(self) -> None:
        """Count a record that has become a dead letter."""
        self._dead_letters += 1

    def so_far(self, now: float) -> Done:
        """Return all that was done since the start."""
        return Done(now - self._started, dict(self._reasons), self._dead_letters, self._cached, self._busy_seconds)

    def mark(self, now: float) -> None:
        """Keep what has been done by now, for `recent`. To be called every few seconds."""
        self._marks.append((now, self.so_far(now)))
        # The first is the newest of those that are a minute old, so that `recent` never tells of less than that.
        while len(self._marks) > 1 and self._marks[1][0] <= now - RECENT_SECONDS:
            self._marks.popleft()

    def recent(self, now: float) -> Done:
        """Return what was done in the last minute, or a little more: since the last mark that is as old as that."""
        since, before = self._marks[0]
        return _between(before, self.so_far(now), now - since)

    def report(self, now: float, *, running: int, last: bool = False) -> Done | None:
        """Return what was done since the last report if it is time for one, else None.

        Args:
            now: The time.
            running: Proofs that run now: a worker that has worked a minute at one proof is not idle.
            last: No report follows, so what was done is reported now.
        """
        so_far = self.so_far(now)
        seconds = now - self._reported_at
        done = _between(self._reported, so_far, seconds)
        worked = bool(done.total or done.dead_letters)
        due = worked if last else seconds >= (EVERY if worked or running else IDLE_EVERY)
        if not due:
            return None
        self._reported, self._reported_at = so_far, now
        return done


def _between(before: Done, after: Done, seconds: float) -> Done:
    """Return the work that was done after `before`, in so many seconds."""
    return Done(
        seconds,
        dict(Counter(after.reasons) - Counter(before.reasons)),
        after.dead_letters - before.dead_letters,
        after.cached - before.cached,
        after.busy_seconds - before.busy_seconds,
    )
