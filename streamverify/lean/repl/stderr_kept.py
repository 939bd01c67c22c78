"""The part of a process's stderr that is kept: the first and the last of it. Pure."""

from __future__ import annotations

STDERR_KEPT = 16 * 1024
"""Bytes of stderr that are remembered."""


class StderrKept:
    """The first and the last of what a process wrote to stderr since `forget`.

    The first of it, too: Lean says why it dies before its backtrace, which can be thousands of lines long.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._is_cut = False

    def add(self, chunk: bytes) -> None:
        """Keep what comes next."""
        room = STDERR_KEPT // 2 - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > STDERR_KEPT // 2:
            self._is_cut = True
            del self._tail[: -STDERR_KEPT // 2]

    def read(self) -> bytes:
        """Return what is kept; where something between was dropped, without the lines that lost a part."""
        head, tail = bytes(self._head), bytes(self._tail)
        if not self._is_cut:
            return head + tail
        # Whole lines, so that half a line of a backtrace is not taken for a sentence.
        return (head.rpartition(b"\n")[0] or head) + b"\n" + (tail.partition(b"\n")[2] or tail)

    def forget(self) -> None:
        """Forget what was written so far: it belongs to no later proof."""
        self._head.clear()
        self._tail.clear()
        self._is_cut = False
