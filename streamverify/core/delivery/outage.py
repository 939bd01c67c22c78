"""Whether brokers answer, and since when not. Pure: the clock's readings, in monotonic seconds, are passed in."""

from __future__ import annotations


class Outage:
    """Follows the answers of the brokers.

    answering ── silent ──> out: `since` is the last answer ── answered ──> answering
    """

    def __init__(self, now: float) -> None:
        """`now`: a broker has just answered."""
        self._last_answer = now
        self.since: float | None = None
        """The last answer before the outage; None while brokers answer."""

    def answered(self, now: float) -> float | None:
        """A broker has answered.

        Returns:
            How many seconds the outage took that is over now; None if there was none.
        """
        began, self.since, self._last_answer = self.since, None, now
        return None if began is None else now - began

    def silent(self) -> bool:
        """No broker has answered though all were asked. Returns whether the outage has only begun."""
        begins = self.since is None
        if begins:
            self.since = self._last_answer
        return begins

    def lasts(self, now: float) -> float:
        """How many seconds no broker has answered; 0 while they answer."""
        return 0.0 if self.since is None else now - self.since
