"""What the death of a REPL was: its exit status, its signal and the last of stderr classify it. Pure.

The rules are those of DESIGN.md section 6. Where two readings are possible the inconclusive one is taken: a proof is
blamed only for an exit that nothing but the proof can have caused.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import Enum

_SIGNAL_BASE = 128
_LAST_SIGNAL = 64
_PANIC_STATUS = 1
_MEMORY_PANIC = b"INTERNAL PANIC: out of memory"
_OTHER_PANIC = b"INTERNAL PANIC"
_MEMORY_ABORTS = (b"std::bad_alloc", _MEMORY_PANIC)
_PANIC = re.compile(r"(?:INTERNAL )?PANIC\b")
_PANIC_LINES = 3
_OWN_SIGNALS = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS, signal.SIGTRAP})
"""Signals that a process earns by what it does. SIGBUS is a truncated .olean, SIGTERM somebody else's doing."""
_PYTHONS_WORD = b"\nMemoryError"
"""The end of a traceback of a stand-in, whose memory may end anywhere."""
_LINE_LENGTH = 200
_FRAME = re.compile(r"\s*#\d+ |(?:interpreter stack)?(?:back)?trace:|\S+\(\S*\+0x[0-9a-f]+\) \[0x[0-9a-f]+\]")
"""A line of a backtrace that Lean prints, after a stack overflow or a panic."""
_WHAT = re.compile(r"\s*what\(\):\s*")
"""What C++ writes before the text of an exception that nobody catches."""


class Cause(Enum):
    """What a death says about the proof that was running."""

    CRASH = "crash"
    """Lean crashed, as a runaway recursion makes it."""
    MEMORY = "memory"
    """The machine or the process ran out of memory."""
    EXIT = "exit"
    """The process ended of itself: while importing a fault of ours, after it the proof's own doing."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process that ended without being told to."""

    cause: Cause
    sentence: str
    kind: str = ""
    """How a crash ended the process, where that is its own doing: two of one kind are alike."""


def classify(returncode: int, stderr: bytes, *, wrapped: bool) -> Death:
    """Classify the death of a process that we did not kill.

    Args:
        returncode: As `subprocess` gives it: the exit status, or minus the number of the signal.
        stderr: The first and the last of what it wrote there during this proof.
        wrapped: Whether the executable may be a wrapper, which reports its child's signal n as status 128 + n.
    """
    number = _signal(returncode, wrapped=wrapped)
    cause = _cause(returncode, number, stderr)
    ended = f"was ended by {_signal_name(number)}" if number else f"ended with exit status {returncode}"
    last = _panic(stderr) or _last_line(stderr)
    own = cause is Cause.CRASH and (number is None or number in _OWN_SIGNALS)
    return Death(cause, f"The REPL {ended}" + (f": {last}" if last else "."), ended if own else "")


def _signal(returncode: int, *, wrapped: bool) -> int | None:
    if returncode < 0:
        return -returncode
    number = returncode - _SIGNAL_BASE
    return number if wrapped and 1 <= number <= _LAST_SIGNAL else None


def _cause(returncode: int, number: int | None, stderr: bytes) -> Cause:
    if number == signal.SIGKILL or (number == signal.SIGABRT and any(words in stderr for words in _MEMORY_ABORTS)):
        return Cause.MEMORY
    if number is not None:
        # Not only SIGSEGV and SIGABRT: SIGBUS is a truncated .olean, SIGTERM somebody else's doing.
        return Cause.CRASH
    if returncode == _PANIC_STATUS and (_MEMORY_PANIC in stderr or stderr.rstrip().endswith(_PYTHONS_WORD)):
        return Cause.MEMORY
    if returncode == _PANIC_STATUS and _OTHER_PANIC in stderr:
        return Cause.CRASH
    return Cause.EXIT


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _panic(stderr: bytes) -> str:
    """What Lean said where it first panicked, on one line, without its backtrace; "" where it did not."""
    lines = iter(stderr.decode("utf-8", "replace").split("\n"))
    first = next((line for line in lines if _PANIC.match(line)), "")
    said = [first] if first else []
    for line in lines:
        if not said or len(said) == _PANIC_LINES or not line.strip() or _FRAME.match(line):
            break
        said.append(line)
    return " ".join(_cut(line.strip()) for line in said)


def _last_line(stderr: bytes) -> str:
    """The last line that says something, cut; lines of a backtrace do not."""
    lines = stderr.decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip() and not _FRAME.match(line)), "")
    return _cut(_WHAT.sub("", last).strip())


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_LENGTH else line[: _LINE_LENGTH - 1] + "…"
