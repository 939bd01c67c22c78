"""Finds the requests to send again: those whose newest answer is one that another try may change.

No clock, no Kafka. A request is known by its run and its custom_id; of several requests under the same names the later
record counts, as for readers of results. The results are shown twice: first to find what may be retried, then, as
results of one custom_id may lie in any order, to strike what was answered for good. So memory grows with the number of
retriable results, not with that of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult, Source

RETRIES = "streamverify-retries"
"""The Kafka header that counts how often a request was sent again; workers copy it to the result."""

_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that may be sent again."""

    custom_id: str
    run: str | None
    reason: str
    source: Source
    """Where its record lies."""
    retries: int
    """How often it was sent again already."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """The requests whose newest answer is retriable, by what is to be done; every one is in one list."""

    send: list[Candidate] = field(default_factory=list)
    spent: list[Candidate] = field(default_factory=list)
    """They were sent again as often as is allowed."""
    elsewhere: list[Candidate] = field(default_factory=list)
    """They came from another topic than the one that is written to."""
    left: list[Candidate] = field(default_factory=list)
    """They are more than were asked for."""


class Retries:
    """Finds the requests to send again among results."""

    def __init__(self) -> None:
        self._candidates: dict[tuple[str | None, str], Candidate] = {}
        self.found = 0
        """Requests with a retriable answer."""
        self.answered = 0
        """Those of them that got another answer since, which no other try changes."""

    def collect(self, result: ProofResult, retries: int) -> None:
        """Take note of a result, in the first showing.

        Args:
            result: One of the results that may be retried.
            retries: How often its request had been sent again.
        """
        if not result.retriable:
            return
        key = (result.run, result.custom_id)
        known = self._candidates.get(key)
        if known is None or _age(result.source) >= _age(known.source):
            self._candidates[key] = Candidate(result.custom_id, result.run, str(result.reason), result.source, retries)
        self.found = max(self.found, len(self._candidates))

    def strike(self, result: ProofResult) -> None:
        """Leave out what this result answers for good, in the second showing."""
        if result.retriable:
            return
        key = (result.run, result.custom_id)
        known = self._candidates.get(key)
        # An answer to the same record or to a later one. A worker's repeat may have answered the same record twice.
        if known is not None and _age(result.source) >= _age(known.source):
            del self._candidates[key]
            self.answered += 1

    def plan(self, topic: str, *, most: int, max_retries: int) -> RetryPlan:
        """Decide about each candidate that is left, those whose request is oldest first.

        Args:
            topic: The request topic, to which they would be sent.
            most: How many to send at most.
            max_retries: How often a request may be sent again.
        """
        plan = RetryPlan()
        for candidate in sorted(self._candidates.values(), key=lambda candidate: _age(candidate.source)):
            if candidate.source.topic != topic:
                plan.elsewhere.append(candidate)
            elif candidate.retries >= max_retries:
                plan.spent.append(candidate)
            elif len(plan.send) >= most:
                plan.left.append(candidate)
            else:
                plan.send.append(candidate)
        return plan


def retries_in(kafka_headers: tuple[tuple[str, bytes | None], ...]) -> int:
    """Read how often a request was sent again; 0 where the header is missing or somebody else wrote nonsense there."""
    for name, value in reversed(kafka_headers):
        if name == RETRIES:
            # More digits are no count of ours.
            return int(value) if value and value.isdigit() and len(value) <= _MAX_DIGITS else 0
    return 0


def with_one_more(kafka_headers: tuple[tuple[str, bytes | None], ...]) -> list[tuple[str, bytes | None]]:
    """Make the Kafka headers of a request that is sent again: its own, with one retry more in its count."""
    # Kafka allows a header twice; the old count would stay beside the new one.
    others = [pair for pair in kafka_headers if pair[0] != RETRIES]
    return [*others, (RETRIES, str(retries_in(kafka_headers) + 1).encode("ascii"))]


def _age(source: Source) -> tuple[int, str, int, int]:
    return source.timestamp, source.topic, source.partition, source.offset
