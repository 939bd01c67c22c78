"""Reads the end of a step's process: what it says of the proof, or only of the process. Pure.

A checker's refusal is believed only where the checker says so itself. A process that failed in any other way has said
nothing about the proof, and must never look like a refusal: pipelines turn rejections into reward 0.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamverify.core.messages.models import CheckerOutcome


class How(StrEnum):
    """The ways in which a process ends."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The end of a step's process. `status` is its exit status, or the number of the signal that ended it.

    `out` and `err` are the beginning of what it wrote to stdout and the last of what it wrote to stderr.
    """

    how: How
    status: int = 0
    out: str = ""
    err: str = ""
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Tell whether it exited with status 0."""
        return self.how is How.EXITED and self.status == 0


class StepVerdict(NamedTuple):
    """The outcome of one step: what a checker says of the proof, or what kept a program from its end; and why."""

    outcome: CheckerOutcome
    words: str


_SHELL_SIGNAL = 128
_MAX_WORDS = 300
_LEAN_GAVE_UP = (
    "(kernel) deep recursion",
    "(kernel) deterministic timeout",
    "(kernel) excessive memory",
    "(kernel) interrupted",
)
"""Ways in which Lean's kernel says that it ran out of something: no word about the proof."""
_LEAN_REFUSES = ("Lean default kernel rejects the solution", "Quotient post-check rejects the solution")
_LEAN_ACCEPTS = "Lean default kernel accepts the solution"
NANODA_PANICS = 101
"""The exit status of a Rust program that panicked; nanoda does where a term is ill typed."""


def exited(returncode: int) -> ProcessEnd:
    """Read the return code of a process that ended by itself, perhaps below a wrapper that passes signals on as 128+n.

    Where two readings are possible the inconclusive one is taken: no program that is used here exits with more than 128
    of its own accord.
    """
    if returncode < 0:
        return ProcessEnd(How.SIGNALLED, -returncode)
    if returncode > _SHELL_SIGNAL:
        return ProcessEnd(How.SIGNALLED, returncode - _SHELL_SIGNAL)
    return ProcessEnd(How.EXITED, returncode)


def stopped(end: ProcessEnd) -> StepVerdict | None:  # noqa: PLR0911 - one for each way to end
    """Return what kept a process from its own end; None where it exited by itself, with any status."""
    match end.how:
        case How.TIMEOUT:
            return StepVerdict("timeout", f"did not end within {end.seconds:.0f} s")
        case How.MEMORY:
            return StepVerdict("out_of_memory", "needs more memory than a step may use")
        case How.OUTPUT:
            return StepVerdict("declined", "wrote more than a step may write")
        case How.NOT_STARTED:
            return StepVerdict("declined", f"cannot be started: {one_line(end.err)}")
        case How.SIGNALLED if end.status == signal.SIGKILL:
            # We say how we end a process ourselves: this was somebody else, most often the kernel's OOM killer.
            return StepVerdict("out_of_memory", "was killed by the system, most often for want of memory")
        case How.SIGNALLED if "memory allocation of" in end.err:
            return StepVerdict("out_of_memory", f"had no memory: {last_line(end.err)}")
        case How.SIGNALLED:
            return StepVerdict("crashed", f"was ended by signal {end.status}: {last_line(end.err)}".rstrip(": "))
    return None


def nanoda(end: ProcessEnd) -> StepVerdict:
    """Read the end of nanoda, and of any kernel with its manners: 0 accepts, 101 refuses, all else says nothing.

    Status 1 is an axiom that was not permitted, a line that was cut, a version that it does not know, or a wrong
    configuration; 2 is what it declines. Our own reading has excluded or decided the first three.
    """
    if unfinished := stopped(end):
        return unfinished
    if end.status == 0:
        return StepVerdict("accepted", "")
    if end.status == NANODA_PANICS:
        return StepVerdict("refused", first_line(end.err) or "it panicked without a word")
    return StepVerdict("declined", f"declined with exit status {end.status}: {first_line(end.err)}".rstrip(": "))


def leanchecker(end: ProcessEnd) -> StepVerdict:
    """Read the end of `leanchecker --from-export`: status and words must agree, for it exits with 1 on any error."""
    if unfinished := stopped(end):
        return unfinished
    lines = end.out.splitlines()
    if end.status == 0 and _LEAN_ACCEPTS in lines:
        return StepVerdict("accepted", "")
    refusal = next((line for line in lines if line.startswith(_LEAN_REFUSES)), None)
    if end.status == 0 or refusal is None:
        return StepVerdict("declined", f"declined with exit status {end.status}: {last_line(end.err)}".rstrip(": "))
    return _unless_it_gave_up(refusal)


def leanchecker_olean(end: ProcessEnd) -> StepVerdict:
    """Read the end of `leanchecker MODULE`, which says less: that it found a problem, and the kernel's error."""
    if unfinished := stopped(end):
        return unfinished
    if end.status == 0:
        return StepVerdict("accepted", "")
    if "leanchecker found a problem in" not in end.err or "(kernel)" not in end.err:
        return StepVerdict("declined", f"declined with exit status {end.status}: {last_line(end.err)}".rstrip(": "))
    return _unless_it_gave_up(next(line for line in end.err.splitlines() if "(kernel)" in line))


MANNERS: Mapping[str, Callable[[ProcessEnd], StepVerdict]] = {
    "leanchecker": leanchecker,
    "leanchecker.olean": leanchecker_olean,
}
"""The functions that read the ends of checkers, by name; any other checker's end is read as nanoda's."""


def judge(checker: str, end: ProcessEnd) -> StepVerdict:
    """Return what the checker of this name says by this end."""
    return MANNERS.get(checker, nanoda)(end)


def obstacle(step_verdict: StepVerdict) -> tuple[Reason, bool]:
    """Return the reason of an inconclusive end, and whether a retry is useless.

    A step that was killed from outside, or could not be started, may go well the next time.
    """
    match step_verdict.outcome:
        case "timeout":
            return Reason.TIMEOUT, True
        case "out_of_memory":
            return Reason.OUT_OF_MEMORY, "was killed by the system" not in step_verdict.words
        case _ if step_verdict.words.startswith("cannot be started"):
            return Reason.WORKER_ERROR, False
    return Reason.UNSUPPORTED, True


def first_line(text: str) -> str:
    """Return the first line with anything on it, cut; a panic of Rust says there where and why."""
    lines = [line for line in text.splitlines() if line.strip()]
    # The words of a panic stand on the line after the place in its source.
    told = [line for line in lines if not line.startswith("thread '")]
    return one_line((told or lines or [""])[0])


def last_line(text: str) -> str:
    """Return the last line with anything on it, cut."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


def one_line(text: str) -> str:
    """Return the text on one line, cut to what a sentence has room for."""
    words = " ".join(text.split())
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def _unless_it_gave_up(words: str) -> StepVerdict:
    gave_up = any(each in words for each in _LEAN_GAVE_UP)
    return StepVerdict("declined" if gave_up else "refused", one_line(words))
