"""Decides whether a process that holds headers may import another one, by the memory that imports have added so far.

Pure: bytes are passed in. Only private memory counts: the libraries are mapped files, which all processes share.
"""

from __future__ import annotations

from collections import deque

MAX_HEADERS = 64
"""Headers that a process may hold at most. Each costs memory as long as the process lives."""

HEADERS_PART = 2
"""The part of MEMORY_PER_REPL, 1 / `HEADERS_PART`, that headers may take; the rest is for the proof that runs."""

REMEMBERED = 32
"""The number of imports, into processes that had a header already, whose sizes are remembered."""


class ImportSizes:
    """The memory that imports added to the processes of one pool."""

    def __init__(self) -> None:
        """Start before the first import."""
        self._fresh = 0
        self._added: deque[int] = deque(maxlen=REMEMBERED)

    def note(self, before: int, after: int) -> None:
        """Note the size of an import.

        Args:
            before: Bytes of private memory that the process used before; 0 if it held no header.
            after: Bytes that the process uses now.
        """
        if before:
            self._added.append(max(0, after - before))
        else:
            self._fresh = max(self._fresh, after)

    @property
    def expected(self) -> int:
        """Bytes that one more import may add: the largest of the remembered sizes.

        Before the first of them, all of a fresh process with one header, Lean included: an estimate that is too high.
        """
        return max(self._added, default=self._fresh)

    def has_room(self, memory: int, limit: int | None, held: int, most: int) -> bool:
        """Tell whether a process may import another header.

        Args:
            memory: Bytes of private memory that the process uses.
            limit: Bytes that it may use (MEMORY_PER_REPL); None: no limit is known.
            held: The number of headers that it holds.
            most: The number of headers that it may hold.
        """
        if held >= most:
            return False
        return limit is None or memory + self.expected <= limit // HEADERS_PART
