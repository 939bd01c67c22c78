"""When a REPL is to be replaced because it has grown or is worn. Pure: no clock, no I/O; memory is passed in.

The upstream REPL keeps every environment for ever, so each proof leaves something behind. Reading a process's memory
costs as much as a small proof, so it is read seldom: again when, at the growth measured so far, half of the room that
is left could be used up.
"""

from __future__ import annotations

from typing import NamedTuple

MOST_USES = 20_000
"""Proofs after which a process is replaced however little it has grown."""

MOST_BETWEEN_LOOKS = 64
"""Proofs that run without a look at the memory at most."""

USUAL_ROOM = 1024**3
"""Bytes that a process may grow by where nothing limits its memory."""

_SHARE = 2
"""One part in so many of what the import left free may be used up; the rest is for the proof that runs next."""


class Limits(NamedTuple):
    """Bytes that a process may use (None: nobody says), and proofs that it may run."""

    memory: int | None = None
    uses: int = MOST_USES


class Wear:
    """How worn one process is, from the import of its header on."""

    def __init__(self, limits: Limits, memory: int) -> None:
        """Start counting.

        Args:
            limits: Of the process.
            memory: Bytes that it uses after the import.
        """
        self._limits = limits
        self._first = memory
        self._last = memory
        self._uses = 0
        self._next_look = 1

    @property
    def memory(self) -> int:
        """Bytes that it used at the last look."""
        return self._last

    @property
    def allowed(self) -> int:
        """Bytes beyond which it is replaced."""
        free = USUAL_ROOM if self._limits.memory is None else self._limits.memory - self._first
        return self._first + max(0, free) // _SHARE

    def used(self) -> bool:
        """Count one proof. Returns whether the memory should be read now, and told by `look`."""
        self._uses += 1
        return self._uses >= self._next_look

    def look(self, memory: int) -> None:
        """Take in how many bytes it uses now."""
        self._last = memory
        rate = max(0, memory - self._first) / max(1, self._uses)
        left = max(0, self.allowed - memory)
        pause = MOST_BETWEEN_LOOKS if rate == 0 else int(left / rate / 2)
        self._next_look = self._uses + max(1, min(MOST_BETWEEN_LOOKS, pause))

    @property
    def worn(self) -> str | None:
        """Why it is to be replaced before the next proof; None: it is not."""
        if self._last > self.allowed:
            return f"it grew from {_mib(self._first)} to {_mib(self._last)} in {self._uses} proofs"
        if self._uses >= self._limits.uses:
            return f"it has run {self._uses} proofs"
        return None


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"
