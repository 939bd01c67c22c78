"""Decides when the next request of a replay is sent. Pure: the time is passed in, in seconds of a monotonic clock.

A *closed loop* keeps so many requests unanswered, and sends the next when one is answered: it measures what the
workers can do. An *open loop* sends at a rate, whatever is answered: it measures how long people wait who come at that
rate. Each of its requests has the moment at which it was to be sent, and its latency counts from there. So a queue
before the sender is in the latency, as it is for those people; left out, that would be "coordinated omission".
"""

from __future__ import annotations

MAX_UNANSWERED = 100_000
"""Requests of an open loop that may be unanswered: each takes some memory."""
_WORTH_SAYING = 1.0
"""Seconds behind the rate from which on it is said."""


class Pace:
    """Decides when the next request may be sent, and knows the moment at which it should have been."""

    def __init__(self, *, rate: float | None = None, in_flight: int = 1, max_unanswered: int = MAX_UNANSWERED) -> None:
        """Begin with the first request.

        Args:
            rate: Requests a second; None: a closed loop.
            in_flight: Of a closed loop, how many may be unanswered.
            max_unanswered: Of an open loop, how many may be unanswered before it is held back.
        """
        self._rate = rate
        self._most = in_flight if rate is None else max_unanswered
        self._start: float | None = None
        self._sent = 0
        self._said = _WORTH_SAYING / 2
        self.behind = 0.0
        """The most seconds by which a request of an open loop was sent too late."""
        self.held_back = 0
        """The number of times that an open loop had to wait for answers, as too many requests were unanswered."""

    def wait(self, now: float, unanswered: int) -> float | None:
        """Tell how many seconds the next request has to wait; 0 where it may be sent, None until one is answered."""
        if unanswered >= self._most:
            self.held_back += self._rate is not None
            return None
        return max(0.0, self._due(now) - now)

    def sent(self, now: float) -> float:
        """Note that the next request is sent now.

        Returns:
            The moment at which it was to be sent: never later than now.
        """
        due = min(self._due(now), now)
        self._sent += 1
        self.behind = max(self.behind, now - due)
        return due

    def complaint(self) -> str | None:
        """Return a sentence where an open loop has fallen behind: once, and again when it is twice as much."""
        if self.behind < 2 * self._said:
            return None
        self._said = self.behind
        why = (
            f"{self._most:,} requests are unanswered, and no more are held"
            if self.held_back
            else "they cannot be sent so fast"
        )
        return (
            f"{self.behind:.1f} s behind --rate {self._rate:g}: {why}; latencies count from the moment at which each "
            "was to be sent"
        )

    def _due(self, now: float) -> float:
        """Return the moment at which the next request is to be sent."""
        if self._rate is None:
            return now
        # The rate counts from the first request, not from the start of the process, which may look for its source.
        if self._start is None:
            self._start = now
        return self._start + self._sent / self._rate
