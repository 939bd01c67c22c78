"""Decides when a worker gives itself up. Pure: the clock's readings, in monotonic seconds, are passed in.

A worker is stuck where the broker answers, there is something to fetch or to commit, and neither has succeeded for
longer than any rebalance may take. Idle, paused, or without a broker it is not stuck.
"""

from __future__ import annotations

from enum import Enum


class Health(Enum):
    """The watchdog's verdict on the worker."""

    FINE = "fine"
    WAITING = "waiting"
    """Nothing has succeeded for long, and nothing can: the broker does not answer. Worth a line in the log."""
    STUCK = "stuck"


class Watchdog:
    """Watches what succeeds.

    IDLE ── the broker answers, and something is due ──> DUE ── for longer than the limit ──> stuck
    DUE ── a success, nothing due any more, or no broker ──> IDLE
    """

    def __init__(self, limit: float, now: float) -> None:
        """`limit`: seconds without success after which a worker with something to do is stuck."""
        self._limit = limit
        self._last_success = now
        self._due_since: float | None = None

    def succeeded(self, now: float) -> None:
        """Records came, or a commit was acknowledged."""
        self._last_success = now
        self._due_since = None

    def is_worth_asking(self, now: float) -> bool:
        """Tell whether nothing has succeeded for so long that it is worth asking the broker."""
        return now - self._last_success > self._limit / 4

    def judge(self, now: float, *, broker_answers: bool, something_due: bool) -> Health:
        """Judge the worker.

        Args:
            now: The time.
            broker_answers: It has answered a metadata request just now.
            something_due: A partition that is not paused has records beyond our position, or a commit is due.
        """
        if not (broker_answers and something_due):
            # What became possible only now gets the whole time.
            self._due_since = None
            return Health.FINE if broker_answers else Health.WAITING
        if self._due_since is None:
            self._due_since = now
        stuck = now - self._due_since > self._limit
        return Health.STUCK if stuck else Health.FINE
