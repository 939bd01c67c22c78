"""Standard input, output and error of a command, so that what goes wrong with them is an error of ours or nothing.

What is written to stdout is the answer: where it cannot be written, the command ends with a line that says why. What is
written to stderr is talk: where nobody can hear it, the command goes on.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from streamverify.cli.errors import OutputError, ReaderGone

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Answers(io.FileIO):
    """Standard output. After it has failed once, what still waits in buffers is dropped without a second complaint."""

    failed = False

    def write(self, data: Buffer, /) -> int:
        if self.failed:
            return len(memoryview(data))
        try:
            return super().write(data) or 0
        except OSError as error:
            self.failed = True
            # `head` has read enough: that is no failure, while a full disk is one.
            if error.errno == errno.EPIPE:
                raise ReaderGone("the program that reads standard output has closed it") from None
            raise OutputError(f"standard output cannot be written: {error.strerror}") from None


class _Talk(io.FileIO):
    """Standard error."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(memoryview(data))


def guard() -> None:
    """Put these streams in the place of Python's. Both write UTF-8, whatever the locale says, as JSON must be."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _open_if_closed(number, mode)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout = _text(_Answers(1, "w", closefd=False), line_buffering=os.isatty(1))
    sys.stderr = _text(_Talk(2, "w", closefd=False), line_buffering=True)


def _open_if_closed(number: int, mode: int) -> None:
    """Occupy a descriptor that our parent has closed: the next socket would get its number, and our output.

    Standard output is opened for reading, so that writing to it fails, as it does for every program.
    """
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, mode)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)


def _text(raw: io.FileIO, *, line_buffering: bool) -> io.TextIOWrapper:
    # A half surrogate, as in a file name that is no UTF-8, is written as an escape.
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=line_buffering
    )
