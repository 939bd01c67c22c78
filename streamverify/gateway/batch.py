"""A batch of proofs: what a request asks for, and what is known of each proof while the batch is answered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from datetime import datetime

    from streamverify.core.gateway.turns import Claim
    from streamverify.core.messages.models import Assurance, InfotreeType
    from streamverify.gateway.outcome import ProofOutcome


@dataclass(frozen=True, slots=True)
class BatchProof:
    """A proof of a batch; what it has in common with the others is in `BatchOptions`."""

    code: str
    statement: str | None = None
    theorem: str | None = None
    callers_id: str | None = None
    group: str | None = None

    @property
    def size(self) -> int:
        """About how many bytes its record has."""
        return len(self.code) + len(self.statement or "")


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of a batch, for each of its proofs. `timeout` is in seconds that Lean may run."""

    require: Assurance
    timeout: float
    infotree_type: InfotreeType | None = None
    disable_cache: bool = False
    run: str | None = None
    first_success: bool = False
    trace: tuple[tuple[str, bytes], ...] = ()
    """The trace context of the HTTP request, as Kafka headers."""


@dataclass(slots=True, eq=False)
class ProofBatch:
    """A batch that is being answered.

    Each of its proofs moves on from left to right; one that is known not to be sent is settled at once, and so are all
    that are left when time is up:

        waits for a place --> open: on Kafka --> settled: in `outcomes` --> taken by the caller
    """

    options: BatchOptions
    key: str
    """Whose batch it is: the name of the API key."""
    deadline: datetime
    claim: Claim
    """Its places on Kafka."""
    event: asyncio.Event
    """Set when there is a new place or a new outcome, and when time is up."""
    outcomes: deque[tuple[int, ProofOutcome, int]] = field(default_factory=deque)
    """Index, outcome, and the bytes of its record."""
    open: dict[bytes, int] = field(default_factory=dict)
    """The request ids that are on Kafka, and the indexes of their proofs."""
    unread: int = 0
    """Bytes of the records whose outcomes the caller has not taken."""

    def settle(self, index: int, outcome: ProofOutcome, size: int = 0) -> None:
        """Note the outcome of a proof, from a record of so many bytes."""
        self.outcomes.append((index, outcome, size))
        self.unread += size
        self.event.set()
