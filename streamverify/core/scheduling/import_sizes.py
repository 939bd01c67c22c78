"""Decides whether a process that holds headers may import another, by what imports have added to private memory.

Pure: bytes are passed in. The libraries themselves are mapped files, which all processes share, and count nothing.
"""

from __future__ import annotations

from collections import deque

MAX_HEADERS = 64
"""Headers that a process may hold at most: each costs memory for as long as the process lives."""

HEADERS_PART = 2
"""One part in so many of MEMORY_PER_REPL may be the headers'; the rest is for the proof that runs."""

REMEMBERED = 32
"""Imports into a process with headers whose sizes are remembered."""


class ImportSizes:
    """What imports added to the processes of one pool."""

    def __init__(self) -> None:
        """Nothing was imported yet."""
        self._fresh = 0
        self._added: deque[int] = deque(maxlen=REMEMBERED)

    def note(self, before: int, after: int) -> None:
        """Take in an import.

        Args:
            before: Bytes of private memory that the process used before; 0 for one that held no header.
            after: Bytes that it uses now.
        """
        if before:
            self._added.append(max(0, after - before))
        else:
            self._fresh = max(self._fresh, after)

    @property
    def expected(self) -> int:
        """Bytes that one more import may add: the most of the last ones.

        Before there was one, all of a fresh process with its first header, Lean itself included.
        """
        return max(self._added, default=self._fresh)

    def has_room(self, memory: int, limit: int | None, held: int, most: int) -> bool:
        """Whether a process may import another header.

        Args:
            memory: Bytes of private memory that it uses.
            limit: Bytes that it may use (MEMORY_PER_REPL); None: nobody says.
            held: Headers that it holds.
            most: Headers that it may hold.
        """
        if held >= most:
            return False
        return limit is None or memory + self.expected <= limit // HEADERS_PART
