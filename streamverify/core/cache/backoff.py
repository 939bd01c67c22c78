"""Decides when a store that failed is asked again. Pure: `now` is passed in, in monotonic seconds."""

from __future__ import annotations

FIRST_PAUSE = 1.0
"""Seconds after the first failure in which a store is not asked."""
MAX_PAUSE = 60.0
"""Seconds at most, however often it has failed."""


class Backoff:
    """One failure is enough not to ask a store for a while, each further one in a row doubles that.

    So a store that hangs costs one time-out for each pause, and not one for each proof.
    """

    def __init__(self) -> None:
        self._pause = 0.0
        self._until = 0.0

    @property
    def is_failing(self) -> bool:
        """True from a failure until the next success."""
        return self._pause > 0

    def may_ask(self, now: float) -> bool:
        """Tell whether the store may be asked."""
        return not self._pause or now >= self._until

    def failed(self, now: float) -> bool:
        """It failed. Returns whether that is the first failure since it worked."""
        first = not self._pause
        self._pause = FIRST_PAUSE if first else min(2 * self._pause, MAX_PAUSE)
        # From now, not from the last end: a failure may itself have taken a time-out.
        self._until = now + self._pause
        return first

    def worked(self) -> bool:
        """It answered. Returns whether that ends an outage."""
        ended = self._pause > 0
        self._pause = 0.0
        return ended
