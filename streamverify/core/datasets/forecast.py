"""Tells how fast something goes at present, and how long it will take. Pure: the time is passed in, in seconds."""

from __future__ import annotations

from collections import deque

_WINDOW = 30.0
"""Seconds over which the present rate is taken."""


class Forecast:
    """Is told now and then how many are done."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """Note how many are done by now."""
        self._seen.append((now, done))
        # One from before the window stays, so that it is as long as it is meant to be.
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:  # noqa: PLR2004 - see above
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """The number that is done in a second at present."""
        if not self._seen:
            return 0.0
        (first, before), (last, done) = self._seen[0], self._seen[-1]
        return (done - before) / (last - first) if last > first else 0.0

    def left(self, total: int | None) -> float | None:
        """Return the seconds until all are done; None where that cannot be told."""
        if total is None or not self._seen or self.rate <= 0:
            return None
        return max(0, total - self._seen[-1][1]) / self.rate


def in_words(seconds: float | None) -> str:
    """Return a length of time for people: `12 s`, `3 min`, `2 h 5 min`; `?` where it is not known."""
    if seconds is None:
        return "?"
    if seconds < 90:  # noqa: PLR2004 - as people say it
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:  # noqa: PLR2004 - as above
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004 - as above
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
