"""What was asked and what was answered, in a byte or two for each proof: a soak of hours must not grow by itself. Pure.

A proof is known by its number, with which its custom_id begins; which verdict is right for it is known beforehand.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 20


@dataclass(slots=True)
class Ledger:
    """Every proof of a run."""

    expected: Sequence[int]
    """The number of the right verdict of each proof."""
    names: Sequence[str]
    """The verdicts by number."""
    sent: int = 0
    answered: int = 0
    results: int = 0
    repeats: int = 0
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0
    _sent: bytearray = field(init=False)
    _answers: array[int] = field(init=False)

    def __post_init__(self) -> None:
        self._sent = bytearray(len(self.expected))
        self._answers = array("H", bytes(2 * len(self.expected)))

    @property
    def open(self) -> int:
        """Proofs that the broker has and that have no answer yet."""
        return max(0, self.sent - self.answered)

    def was_sent(self, number: int) -> None:
        """The broker has the request. Once more where a lost acknowledgement had it sent twice."""
        if not self._sent[number]:
            self._sent[number] = 1
            self.sent += 1

    def was_answered(self, custom_id: str, verdict: str) -> None:
        """A result came."""
        self.results += 1
        number = self._number(custom_id)
        if number is None:
            self._is_wrong(f"{custom_id[:80]}: nobody asked for that")
            return
        # Every result must be right, not only the first.
        right = self.names[self.expected[number]]
        if verdict != right:
            self._is_wrong(f"{custom_id[:80]}: {verdict}, not {right}")
        if self._answers[number]:
            self.repeats += 1
        else:
            self.answered += 1
        self._answers[number] = min(self._answers[number] + 1, 65_535)

    def unanswered(self) -> list[int]:
        """The numbers of the proofs that have no answer, sent or not."""
        return [number for number, answers in enumerate(self._answers) if not answers]

    def _number(self, custom_id: str) -> int | None:
        digits = custom_id.partition("-")[0]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > len(str(len(self.expected))):
            return None
        number = int(digits)
        return number if number < len(self.expected) else None

    def _is_wrong(self, what: str) -> None:
        self.wrongs += 1
        if len(self.wrong) < _SHOWN:
            self.wrong.append(what)
