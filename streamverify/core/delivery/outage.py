"""Follows whether brokers answer, and since when they do not. Pure: the time is passed in, in monotonic seconds."""

from __future__ import annotations


class BrokerOutage:
    """Follows the answers of the brokers.

    answering ── silent ──> out: `since` is the last answer ── answered ──> answering
    """

    def __init__(self, now: float) -> None:
        """A broker has answered at `now`, in monotonic seconds."""
        self._last_answer = now
        self.since: float | None = None
        """The last answer before the outage; None while brokers answer."""

    def answered(self, now: float) -> float | None:
        """A broker has answered.

        Returns:
            The seconds of the outage that is over now; None if there was none.
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
        """Return the seconds for which no broker has answered; 0 while they answer."""
        return 0.0 if self.since is None else now - self.since
