"""The proofs of a chaos run, each with the one verdict that is right for it. Deterministic: a seed makes the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.messages.models import ProofRequest, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

PROOF = "theorem t : 1 = 1 := rfl"
TIMEOUT = 8.0
"""Seconds that each proof may run: far more than any takes, less than the longest stop of a worker."""
MAX_SECONDS = 2.0
_POISON_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and the reason that its result must have."""

    request: ProofRequest
    expected: Reason

    @property
    def custom_id(self) -> str:
        """That of the request."""
        return self.request.custom_id


def make_cases(count: int, seed: int, poison: int = 0) -> list[Case]:
    """`count` cases, `poison` of them killing their worker each time they run, spread over the first half.

    Most take milliseconds, some a second or two; one in five is rejected, one in a hundred ends its REPL.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    poisoned = set(rng.sample(range(count // 10, max(count // 2, count // 10 + poison)), poison))
    return [_poison(number) if number in poisoned else _honest(number, rng) for number in range(count)]


def _honest(number: int, rng: random.Random) -> Case:
    seconds = _service(rng)
    word, expected = _outcome(rng)
    name = "long" if seconds >= 1 else expected.value
    return _case(f"{number}-{name}", f"service={seconds:.3f} {word}".rstrip(), expected, TIMEOUT)


def _service(rng: random.Random) -> float:
    draw = rng.random()
    if draw < 0.02:
        return rng.uniform(1.0, MAX_SECONDS)
    return min(0.9, rng.lognormvariate(-4.0, 1.0))


def _outcome(rng: random.Random) -> tuple[str, Reason]:
    draw = rng.random()
    if draw < 0.10:
        return "error", Reason.LEAN_ERROR
    if draw < 0.19:
        return "sorry", Reason.SORRY
    if draw < 0.20:
        return "exit=3", Reason.PROTOCOL_VIOLATION
    return "", Reason.OK


def _poison(number: int) -> Case:
    return _case(f"{number}-poison", "kill-parent hang", Reason.REPL_CRASH, _POISON_TIMEOUT)


def _case(custom_id: str, directive: str, expected: Reason, timeout: float) -> Case:
    text = f"{PROOF} -- synthetic: {directive}" if directive else PROOF
    return Case(ProofRequest(custom_id=custom_id, proof=text, timeout=timeout), expected)


def by_id(cases: list[Case]) -> dict[str, Case]:
    """The cases by their custom_id."""
    return {case.custom_id: case for case in cases}


def requests(cases: list[Case]) -> Iterator[ProofRequest]:
    """The requests in the order of the cases."""
    return (case.request for case in cases)
