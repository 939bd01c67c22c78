"""The outcomes of reading a proof's export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Refusal = Literal["no_theorem", "statement_mismatch", "axiom", "kernel"]
"""The reasons to refuse a proof, in the words of the reasons of a result."""


@dataclass(frozen=True, slots=True)
class AcceptedProof:
    """Nothing in the export speaks against the proof, if kernels accept its terms.

    `sha256` and `size` are of all bytes that were read of the proof's export; `axioms` are those that the theorem
    reaches, and `compared` is the number of constants that are the same in both exports because they have to be.
    """

    sha256: str
    size: int
    lines: int
    declarations: int
    axioms: tuple[str, ...]
    compared: int


@dataclass(frozen=True, slots=True)
class RefusedProof:
    """The export is whole, and what is in it is no proof of what was asked for. `message` is one sentence."""

    reason: Refusal
    message: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class UnreadableExport:
    """An export says nothing of the proof: `line` is where, 0 for no line, and `which` of the two exports it is.

    `too_large` tells that it went over a limit, and has no fault that was seen.
    """

    message: str
    which: Literal["proof", "trusted"]
    line: int = 0
    too_large: bool = False


ExportReading = AcceptedProof | RefusedProof | UnreadableExport
