"""The ways in which running a proof in a REPL fails, apart from Lean's own messages about it. Pure.

`classify` reads the death of a process from its exit status, its signal and the last of its stderr. Where two readings
are possible the inconclusive one is taken: a proof is blamed only for an exit that nothing but the proof can have
caused. `lean.retry` decides what follows.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from streamverify.core.metrics.labels import ReplDeath

if TYPE_CHECKING:
    from streamverify.core.messages.models import Message

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
"""The words that C++ writes before the text of an exception that nobody catches."""


class Cause(Enum):
    """The bearing of a death on the proof that was running."""

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
    """The end of the process, where a crash of its own brought it: two of one kind are alike."""


class ReplFailure(Exception):
    """The process is of no more use; its text is one sentence for people."""


class StartFailed(ReplFailure):
    """The executable could not be started."""


class TimedOut(ReplFailure):
    """No answer came in the time that there was."""


class WorkerSuspended(ReplFailure):
    """The time-out fired late: this worker itself was stopped, and how long Lean ran is not known."""


class ChannelCheckTimedOut(ReplFailure):
    """The proof was answered, and then the process did not answer the channel check."""


class Died(ReplFailure):
    """The process ended by itself."""

    def __init__(self, death: Death) -> None:
        super().__init__(death.sentence)
        self.death = death


class MemoryExceeded(Died):
    """The memory watch ended the process, because it used more than `MEMORY_PER_REPL`."""


class ChannelBroken(ReplFailure):
    """Something was on the answer channel that no REPL writes there, or the channel was closed."""


class Killed(ChannelBroken):
    """We have killed the process ourselves, while it was in order."""


class AnswerTooLarge(ReplFailure):
    """The answer is longer than the configured maximum.

    `start` is its first part, `messages` those that `commands.run_body` found there: none for any other command.
    """

    def __init__(self, text: str = "", start: bytes = b"") -> None:
        super().__init__(text)
        self.start = start
        self.messages: list[Message] = []
        self.seconds = 0.0


class TooDeep(ReplFailure):
    """The answer is nested deeper than the decoder goes."""


class Refused(ReplFailure):
    """The REPL says that it did not run the command."""


class NoRecording(Refused):
    """The replay REPL has not recorded what it was asked; it is as good as before."""


_DEATHS: tuple[tuple[type[ReplFailure], ReplDeath], ...] = (
    (StartFailed, ReplDeath.START),
    (TimedOut, ReplDeath.TIMEOUT),
    (WorkerSuspended, ReplDeath.SUSPENDED),
    (ChannelCheckTimedOut, ReplDeath.CHECK_TIMEOUT),
    (AnswerTooLarge, ReplDeath.ANSWER),
    (TooDeep, ReplDeath.ANSWER),
    (ChannelBroken, ReplDeath.CHANNEL),
    (Refused, ReplDeath.REFUSED),
)
"""The causes as they are counted, of every failure but `Died`."""


def death_of(failure: ReplFailure) -> ReplDeath:
    """Return the cause under which the end of a process is counted."""
    if isinstance(failure, MemoryExceeded) and failure.death.cause is Cause.MEMORY:
        return ReplDeath.MEMORY_LIMIT
    if isinstance(failure, Died):
        return ReplDeath(failure.death.cause.value)
    return next(death for kind, death in _DEATHS if isinstance(failure, kind))


def classify(returncode: int, stderr: bytes, *, wrapped: bool) -> Death:
    """Classify the death of a process that we did not kill.

    Args:
        returncode: As `subprocess` gives it: the exit status, or minus the number of the signal.
        stderr: The first and the last of what it wrote there during this proof.
        wrapped: Whether the executable may be a wrapper, which reports its child's signal n as status 128 + n.
    """
    number: int | None = -returncode
    if returncode >= 0:
        # A shell around the REPL turns the signal into its own exit status; without one that is the REPL's.
        number = returncode - _SIGNAL_BASE
        number = number if wrapped and 1 <= number <= _LAST_SIGNAL else None
    cause = _cause(returncode, number, stderr)
    ended = f"was ended by {_signal_name(number)}" if number else f"ended with exit status {returncode}"
    last = _panic(stderr) or _last_line(stderr)
    own = cause is Cause.CRASH and (number is None or number in _OWN_SIGNALS)
    return Death(cause, f"The REPL {ended}" + (f": {last}" if last else "."), ended if own else "")


def _cause(returncode: int, number: int | None, stderr: bytes) -> Cause:
    # SIGKILL is the kernel's when memory ends: ours is never classified. An abort may be Lean's way to say the same.
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
    """Return Lean's first panic on one line, without its backtrace; "" where there is none."""
    # The first: what follows a panic is often another one, of what the first left undone.
    lines = iter(stderr.decode("utf-8", "replace").split("\n"))
    first = next((line for line in lines if _PANIC.match(line)), "")
    said = [first] if first else []
    for line in lines:
        if not said or len(said) == _PANIC_LINES or not line.strip() or _FRAME.match(line):
            break
        said.append(line)
    return " ".join(_cut(line.strip()) for line in said)


def _last_line(stderr: bytes) -> str:
    """Return the last line that is not blank nor part of a backtrace, cut."""
    lines = stderr.decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip() and not _FRAME.match(line)), "")
    return _cut(_WHAT.sub("", last).strip())


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_LENGTH else line[: _LINE_LENGTH - 1] + "…"
