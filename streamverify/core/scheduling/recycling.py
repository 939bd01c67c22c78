"""Decides when a REPL process is replaced because it has grown. Pure: no clock, no I/O; memory is passed in.

The upstream REPL keeps every environment for ever, so each proof leaves something behind. To read the memory of a
process costs as much as a small proof, so it is read seldom: the next time when half of the room that is left could be
used up, at the growth measured so far. docs/memory.md has the rule for operators.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_PROOFS = 20_000
"""Proofs after which a process is replaced however little it has grown."""

MAX_PROOFS_BETWEEN_LOOKS = 64
"""Proofs that run at most between two readings of the memory."""

DEFAULT_ROOM = 1024**3
"""Bytes that a process may grow by if nothing limits its memory."""

_SHARE = 2
"""The part, 1 / `_SHARE`, of the room left by the import that may be used up; the rest is for the next proof."""


class WearLimits(NamedTuple):
    """Bytes that a process may use (None: no limit is known), and proofs that it may run."""

    memory: int | None = None
    uses: int = MAX_PROOFS


class Wear:
    """The growth of one process, from the import of its header on."""

    def __init__(self, limits: WearLimits, memory: int) -> None:
        """Start counting.

        Args:
            limits: The limits of the process.
            memory: Bytes that the process uses after the import.
        """
        self._limits = limits
        self._first = memory
        self._last = memory
        self._uses = 0
        self._next_look = 1

    @property
    def memory(self) -> int:
        """Bytes that the process used when its memory was last read."""
        return self._last

    @property
    def uses(self) -> int:
        """Proofs that the process has run."""
        return self._uses

    @property
    def allowed(self) -> int:
        """Bytes beyond which the process is replaced."""
        free = DEFAULT_ROOM if self._limits.memory is None else self._limits.memory - self._first
        return self._first + max(0, free) // _SHARE

    def used(self) -> bool:
        """Count one proof.

        Returns:
            Whether the memory should be read now and passed to `look`.
        """
        self._uses += 1
        return self._uses >= self._next_look

    def look(self, memory: int) -> None:
        """Note how many bytes the process uses now, and plan the next reading."""
        self._last = memory
        rate = max(0, memory - self._first) / max(1, self._uses)
        left = max(0, self.allowed - memory)
        pause = MAX_PROOFS_BETWEEN_LOOKS if rate == 0 else int(left / rate / 2)
        self._next_look = self._uses + max(1, min(MAX_PROOFS_BETWEEN_LOOKS, pause))

    @property
    def worn(self) -> str | None:
        """The reason to replace the process before its next proof; None if there is none."""
        if self._last > self.allowed:
            return f"it grew from {_mib(self._first)} to {_mib(self._last)} in {self._uses} proofs"
        if self._uses >= self._limits.uses:
            return f"it has run {self._uses} proofs"
        return None


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"
