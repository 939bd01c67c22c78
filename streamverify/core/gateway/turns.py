"""Decides whose proof goes to Kafka next: fair turns between keys, and between the batches of a key. Pure.

A gateway has at most so many proofs on Kafka at once that a batch of ten thousand is not in front of everybody else's.
What has to wait for a place waits here. A free place goes to the keys in turn, and within a key to its batches in turn:
a batch of eight is through after eight turns, whatever else is waiting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Places:
    """The most proofs that may be on Kafka at once: of all keys, of one key, and the most bytes of them."""

    total: int
    per_key: int
    total_bytes: int


@dataclass(slots=True, eq=False)
class Claim:
    """A batch. `sizes` are the bytes of those of its proofs that wait for a place, in the order in which they go."""

    key: str
    sizes: deque[int] = field(default_factory=deque)
    granted: int = 0
    """Places that it was given, in all."""
    held: deque[int] = field(default_factory=deque)
    """The sizes of those that it still has; which of its proofs is done first does not matter."""


class Turns:
    """Decides which batch gets a place. It tells by `granted` of the claims that `next` returns.

    want() --> waiting in its claim --- next(): a free place ---> held --> release(), or withdraw()
                    +--------------------- withdraw() ----------------------^
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._held = 0
        self._bytes = 0
        self._held_by: dict[str, int] = {}
        # The keys that have a claim which waits, the next first, and the claims of each, the next first.
        self._keys: deque[str] = deque()
        self._waiting: dict[str, deque[Claim]] = {}

    @property
    def held(self) -> int:
        """The number of places that are taken."""
        return self._held

    @property
    def waiting(self) -> int:
        """The number of proofs that wait for one."""
        return sum(len(claim.sizes) for claims in self._waiting.values() for claim in claims)

    def want(self, claim: Claim, sizes: Iterable[int]) -> None:
        """Ask for a place for each further proof of a batch."""
        waits = bool(claim.sizes)
        claim.sizes.extend(sizes)
        if waits or not claim.sizes:
            return
        if claim.key not in self._waiting:
            self._waiting[claim.key] = deque()
            self._keys.append(claim.key)
        self._waiting[claim.key].append(claim)

    def next(self) -> list[Claim]:
        """Give away the places that are free.

        Returns:
            The claims that got some, each once.
        """
        given: dict[int, Claim] = {}
        passed_over = 0
        while self._keys and passed_over < len(self._keys) and self._held < self._places.total:
            key = self._keys[0]
            claims = self._waiting[key]
            # Passed over, not waited for: a key at its limit must not hold up the others.
            if self._held_by.get(key, 0) >= self._places.per_key or not self._has_room(claims[0].sizes[0]):
                self._keys.rotate(-1)
                passed_over += 1
                continue
            passed_over = 0
            claim = claims.popleft()
            self._take(claim)
            given[id(claim)] = claim
            if claim.sizes:
                claims.append(claim)
            if claims:
                self._keys.rotate(-1)
            else:
                self._keys.popleft()
                del self._waiting[key]
        return list(given.values())

    def release(self, claim: Claim) -> None:
        """Take back the place of one proof of the claim, which is done."""
        self._bytes -= claim.held.popleft()
        self._held -= 1
        left = self._held_by[claim.key] - 1
        # A key without places is forgotten: there may be any number of keys in the course of time.
        if left:
            self._held_by[claim.key] = left
        else:
            del self._held_by[claim.key]

    def withdraw(self, claim: Claim) -> None:
        """Take back all places of a batch that is over or whose sender has gone, and what it waits for."""
        while claim.held:
            self.release(claim)
        if claim.sizes:
            claim.sizes.clear()
            claims = self._waiting[claim.key]
            claims.remove(claim)
            if not claims:
                del self._waiting[claim.key]
                self._keys.remove(claim.key)

    def _has_room(self, size: int) -> bool:
        # One that is larger than all the room goes alone: else it would wait for ever.
        return self._bytes + size <= self._places.total_bytes or not self._held

    def _take(self, claim: Claim) -> None:
        size = claim.sizes.popleft()
        claim.granted += 1
        claim.held.append(size)
        self._held += 1
        self._bytes += size
        self._held_by[claim.key] = self._held_by.get(claim.key, 0) + 1
