"""Who is taken above `audited` next. Pure.

Proofs whose answer waits for the tier go before those that were answered and are taken higher unasked, and only these
may be turned away: they have their verdict.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_UPGRADES = 10_000
"""Upgrades that wait at most; a worker that audits faster than it upgrades turns the newest away."""


class Line(Generic[T]):
    """The proofs that wait for one of so many slots, and those that have one."""

    def __init__(self, slots: int, max_upgrades: int = MAX_UPGRADES) -> None:
        self._slots = slots
        self._max_upgrades = max_upgrades
        self._required: deque[T] = deque()
        self._upgrades: deque[T] = deque()
        self._running: list[T] = []
        self._stopped = False

    @property
    def queued(self) -> int:
        """Those that wait."""
        return len(self._required) + len(self._upgrades)

    @property
    def running(self) -> int:
        """Those that have a slot."""
        return len(self._running)

    def require(self, each: T) -> None:
        """Let one wait whose answer waits for the tier."""
        self._required.append(each)

    def upgrade(self, each: T) -> bool:
        """Let one wait that has its answer. Returns whether there was room."""
        if self._stopped or len(self._upgrades) >= self._max_upgrades:
            return False
        self._upgrades.append(each)
        return True

    def start(self) -> T | None:
        """Give the next a slot; None where nobody waits, no slot is free, or nothing is started any more."""
        queue = self._required or self._upgrades
        if self._stopped or len(self._running) >= self._slots or not queue:
            return None
        each = queue.popleft()
        self._running.append(each)
        return each

    def end(self, each: T) -> None:
        """Take the slot of one back."""
        self._running.remove(each)

    def withdraw(self, doomed: Callable[[T], bool]) -> list[T]:
        """Take out of the line those that wait for their answer and that `doomed` names. Those with a slot go on."""
        gone = [each for each in self._required if doomed(each)]
        self._required = deque(each for each in self._required if not doomed(each))
        return gone

    def stop(self) -> int:
        """Start nothing more. Returns how many upgrades are given up; the others are delivered again elsewhere."""
        self._stopped = True
        dropped = len(self._upgrades)
        self._upgrades.clear()
        return dropped
