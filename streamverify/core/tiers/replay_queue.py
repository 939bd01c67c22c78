"""Decides which proof is taken above `audited` next. Pure.

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
MAX_UPGRADE_BYTES = 64 << 20
"""Bytes of them at most: unlike those whose answer waits, nothing else bounds what they take."""


class ReplayQueue(Generic[T]):
    """The proofs that wait for one of so many slots, and those that have one.

    OPEN --drain--> DRAINING, for ever: those with a slot go on, upgrades are given up, the others stay where they are
    """

    def __init__(
        self, slots: int, max_upgrades: int = MAX_UPGRADES, max_upgrade_bytes: int = MAX_UPGRADE_BYTES
    ) -> None:
        self._slots = slots
        self._max_upgrades = max_upgrades
        self._bytes_left = max_upgrade_bytes
        self._required: deque[T] = deque()
        self._upgrades: deque[tuple[T, int]] = deque()
        self._running: list[T] = []
        self._is_draining = False

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

    def upgrade(self, each: T, size: int) -> bool:
        """Let one of `size` bytes wait that has its answer. Returns whether there was room."""
        if self._is_draining or len(self._upgrades) >= self._max_upgrades or size > self._bytes_left:
            return False
        self._upgrades.append((each, size))
        self._bytes_left -= size
        return True

    def start(self) -> T | None:
        """Give the next a slot; None where nobody waits, no slot is free, or nothing is started any more."""
        if self._is_draining or len(self._running) >= self._slots or not self.queued:
            return None
        if self._required:
            each = self._required.popleft()
        else:
            each, size = self._upgrades.popleft()
            self._bytes_left += size
        self._running.append(each)
        return each

    def end(self, each: T) -> None:
        """Take the slot of one back."""
        self._running.remove(each)

    def withdraw(self, doomed: Callable[[T], bool]) -> list[T]:
        """Take out of the line those that wait for their answer and that `doomed` names. Those with a slot go on."""
        # Upgrades stay: their requests were answered, so that nobody can take those back.
        gone = [each for each in self._required if doomed(each)]
        self._required = deque(each for each in self._required if not doomed(each))
        return gone

    def drain(self) -> int:
        """Start nothing more. Returns how many upgrades are given up; the others are delivered again elsewhere."""
        self._is_draining = True
        # What is required stays queued and unanswered: its records are not committed, and come again.
        dropped = len(self._upgrades)
        self._upgrades.clear()
        return dropped
