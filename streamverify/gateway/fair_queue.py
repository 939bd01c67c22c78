"""Wakes the batches whose turn has come: the asynchronous side of `core/gateway/turns.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.gateway.turns import Claim, Places, Turns

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable


class FairQueue:
    """The batches of a gateway that wait for places on Kafka, and those that have some; keys have turns."""

    def __init__(self, places: Places) -> None:
        self._turns = Turns(places)
        self._events: dict[int, asyncio.Event] = {}

    @property
    def in_flight(self) -> int:
        """The number of proofs that are on Kafka."""
        return self._turns.held

    @property
    def waiting(self) -> int:
        """The number of proofs that wait for a place there."""
        return self._turns.waiting

    def join(self, key: str, event: asyncio.Event) -> Claim:
        """Begin a batch of a key; `event` is set whenever `granted` of its claim has grown."""
        claim = Claim(key)
        self._events[id(claim)] = event
        return claim

    def want(self, claim: Claim, sizes: Iterable[int]) -> None:
        """Ask for places for further proofs of the batch."""
        self._turns.want(claim, sizes)
        self._wake()

    def release(self, claim: Claim) -> None:
        """Give a place of the batch to whoever is next."""
        self._turns.release(claim)
        self._wake()

    def leave(self, claim: Claim) -> None:
        """End the batch: its places go to whoever is next."""
        self._turns.withdraw(claim)
        del self._events[id(claim)]
        self._wake()

    def _wake(self) -> None:
        for claim in self._turns.next():
            self._events[id(claim)].set()
