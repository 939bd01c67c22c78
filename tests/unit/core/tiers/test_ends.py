"""The ends of checkers are read by the words of the real ones."""

from __future__ import annotations

import signal

import pytest

from streamverify.core.messages.models import Reason
from streamverify.core.tiers.ends import How, ProcessEnd, judge, obstacle, one_line

PANIC = "thread 'main' (7) panicked at src/tc.rs:925:71:\nassertion failed: self.def_eq(u, v)\nstack backtrace:\n"
ACCEPTS = "Lean default kernel accepts the solution\n"
REJECTS = "Lean default kernel rejects the solution: "


def exit_of(status: int, *, out: str = "", err: str = "") -> ProcessEnd:
    return ProcessEnd(How.EXITED, status, out, err)


@pytest.mark.parametrize(
    ("checker", "end", "expected"),
    [
        ("nanoda", exit_of(101, err=PANIC), ("refused", "assertion failed: self.def_eq(u, v)")),
        ("nanoda", exit_of(1, err='Error: "axiom x"\n'), ("declined", 'declined with exit status 1: Error: "axiom x"')),
        ("leanchecker", exit_of(0, out=ACCEPTS), ("accepted", "")),
        ("leanchecker", exit_of(0, out="x" + ACCEPTS), ("declined", "declined with exit status 0")),
        ("leanchecker", exit_of(1, out=ACCEPTS), ("declined", "declined with exit status 1")),
        (
            "leanchecker",
            exit_of(1, out=f"{ACCEPTS}Quotient post-check rejects the solution: x\n"),
            ("refused", "Quotient post-check rejects the solution: x"),
        ),
        (
            "leanchecker",
            exit_of(1, out=f"{REJECTS}(kernel) declaration type mismatch\n"),
            ("refused", f"{REJECTS}(kernel) declaration type mismatch"),
        ),
        (
            "leanchecker",
            exit_of(1, err="uncaught exception: unexpected end of input\n"),
            ("declined", "declined with exit status 1: uncaught exception: unexpected end of input"),
        ),
        (
            "leanchecker.olean",
            exit_of(1, err="leanchecker found a problem in M\nuncaught exception: (kernel) type mismatch\n"),
            ("refused", "uncaught exception: (kernel) type mismatch"),
        ),
        (
            "leanchecker.olean",
            exit_of(1, err="uncaught exception: Could not find any oleans for: M\n"),
            ("declined", "declined with exit status 1: uncaught exception: Could not find any oleans for: M"),
        ),
        ("leanchecker.olean", exit_of(0), ("accepted", "")),
        ("con_ron", exit_of(1, err="rejected\n"), ("declined", "declined with exit status 1: rejected")),
    ],
)
def test_the_words_of_the_real_ones(checker: str, end: ProcessEnd, expected: tuple[str, str]) -> None:
    assert judge(checker, end) == expected


@pytest.mark.parametrize(
    "words",
    [
        "(kernel) deep recursion detected",
        "(kernel) deterministic timeout",
        "(kernel) excessive memory consumption detected",
        "(kernel) interrupted",
    ],
)
def test_a_kernel_that_gave_up_has_refused_nothing(words: str) -> None:
    assert judge("leanchecker", exit_of(1, out=REJECTS + words)).outcome == "declined"
    found = f"leanchecker found a problem in M\nuncaught exception: {words}\n"
    assert judge("leanchecker.olean", exit_of(1, err=found)).outcome == "declined"


@pytest.mark.parametrize(
    ("end", "reason", "final"),
    [
        (ProcessEnd(How.TIMEOUT, seconds=3), Reason.TIMEOUT, True),
        (ProcessEnd(How.MEMORY), Reason.OUT_OF_MEMORY, True),
        # Somebody else killed it: the next time may go well.
        (ProcessEnd(How.SIGNALLED, signal.SIGKILL), Reason.OUT_OF_MEMORY, False),
        (
            ProcessEnd(How.SIGNALLED, signal.SIGABRT, err="memory allocation of 9 bytes failed"),
            Reason.OUT_OF_MEMORY,
            True,
        ),
        (ProcessEnd(How.SIGNALLED, signal.SIGSEGV), Reason.UNSUPPORTED, True),
        (ProcessEnd(How.OUTPUT), Reason.UNSUPPORTED, True),
        (ProcessEnd(How.NOT_STARTED, err="No such file"), Reason.WORKER_ERROR, False),
        (exit_of(1), Reason.UNSUPPORTED, True),
    ],
)
def test_what_is_no_verdict_is_inconclusive(end: ProcessEnd, reason: Reason, *, final: bool) -> None:
    assert obstacle(judge("nanoda", end)) == (reason, final)


def test_a_sentence_is_one_line_and_bounded() -> None:
    assert one_line("a\n  b\t c") == "a b c"
    assert len(one_line("x" * 10_000)) == 300
