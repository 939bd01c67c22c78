"""The end of a REPL is read and counted: each failure has a cause, and each cause a failure that leads to it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from streamverify.core.metrics.labels import ReplDeath
from streamverify.lean.repl import errors
from streamverify.lean.repl.errors import Cause, Death, Died, MemoryExceeded, ReplFailure, classify, death_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PANIC = b"some noise\nINTERNAL PANIC: out of memory\n"


@pytest.mark.parametrize(
    ("returncode", "stderr", "wrapped", "cause"),
    [
        (-signal.SIGSEGV, b"", False, Cause.CRASH),
        (-signal.SIGABRT, b"Stack overflow detected. Aborting.\n", False, Cause.CRASH),
        (-signal.SIGABRT, b"terminate called after throwing an instance of 'std::bad_alloc'\n", False, Cause.MEMORY),
        (-signal.SIGBUS, b"", False, Cause.CRASH),
        (-signal.SIGTERM, b"", False, Cause.CRASH),
        (-signal.SIGKILL, b"", False, Cause.MEMORY),
        (1, PANIC, False, Cause.MEMORY),
        (1, PANIC, True, Cause.MEMORY),
        (1, b"Traceback (most recent call last):\n  ...\nMemoryError\n", False, Cause.MEMORY),
        (1, b"Traceback (most recent call last):\n  ...\nMemoryError\n", True, Cause.MEMORY),
        (2, b"Traceback (most recent call last):\n  ...\nMemoryError\n", False, Cause.EXIT),
        (1, b"no MemoryError", False, Cause.EXIT),
        (1, b"INTERNAL PANIC: unreachable code has been reached\n", False, Cause.CRASH),
        (0, PANIC, False, Cause.EXIT),
        (2, PANIC, False, Cause.EXIT),
        (0, b"", False, Cause.EXIT),
        (1, b"", False, Cause.EXIT),
        (128 + signal.SIGSEGV, b"", True, Cause.CRASH),
        (128 + signal.SIGABRT, b"", True, Cause.CRASH),
        (128 + signal.SIGKILL, b"", True, Cause.MEMORY),
        (128 + signal.SIGSEGV, b"", False, Cause.EXIT),
        (128 + signal.SIGKILL, b"", False, Cause.EXIT),
        (128, b"", True, Cause.EXIT),
        (128 + 65, b"", True, Cause.EXIT),
        (255, b"", True, Cause.EXIT),
    ],
)
def test_the_cause(returncode: int, stderr: bytes, wrapped: bool, cause: Cause) -> None:  # noqa: FBT001 - a table
    assert classify(returncode, stderr, wrapped=wrapped).cause is cause


def test_the_sentence_says_how_it_ended_and_what_it_said_last() -> None:
    assert classify(-11, b"", wrapped=False).sentence == "The REPL was ended by SIGSEGV."
    assert classify(139, b"", wrapped=True).sentence == "The REPL was ended by SIGSEGV."
    assert classify(3, b"a\nlast words \n\n", wrapped=False).sentence == "The REPL ended with exit status 3: last words"
    overflow = b"Stack overflow detected. Aborting.\n#1 f\n #2 _eval._boxed\n"
    assert classify(-6, overflow, wrapped=False).sentence.endswith("SIGABRT: Stack overflow detected. Aborting.")
    assert classify(-60, b"", wrapped=False).sentence == "The REPL was ended by signal 60."


PANICKED = (
    b"noise\nPANIC at Lean.foo Lean.Foo:12:3: unreachable code has been reached\n  of two lines\nbacktrace:\n"
    b"/lean/lib/libleanshared.so(+0x9621e05) [0x7f547c021e05]\n/lean/lib/x.so(lean_panic_fn+0x1c) [0x7f547c018a0c]\n"
)


def test_a_panic_is_said_in_its_own_words() -> None:
    death = classify(-signal.SIGABRT, PANICKED, wrapped=False)
    assert death.cause is Cause.CRASH
    assert death.sentence == (
        "The REPL was ended by SIGABRT: PANIC at Lean.foo Lean.Foo:12:3: unreachable code has been reached of two lines"
    )


@pytest.mark.parametrize("status", [1, -signal.SIGABRT])
def test_a_panic_for_want_of_memory_is_memory(status: int) -> None:
    assert classify(status, PANIC, wrapped=False).cause is Cause.MEMORY


@pytest.mark.parametrize(
    ("returncode", "stderr", "own"),
    [
        (-signal.SIGSEGV, b"", True),
        (-signal.SIGABRT, PANICKED, True),
        (-signal.SIGSYS, b"", True),
        (1, b"INTERNAL PANIC: unreachable code has been reached\n", True),
        (-signal.SIGBUS, b"", False),
        (-signal.SIGTERM, b"", False),
        (-signal.SIGKILL, b"", False),
        (3, b"", False),
    ],
)
def test_which_ends_are_the_bodys_own_doing(returncode: int, stderr: bytes, own: bool) -> None:  # noqa: FBT001 - a table
    assert bool(classify(returncode, stderr, wrapped=False).kind) == own


def test_long_or_binary_last_words_are_cut_and_readable() -> None:
    sentence = classify(3, b"\xff" * 100_000, wrapped=False).sentence
    assert len(sentence) < 260
    assert sentence.endswith("…")


def failures() -> Iterator[ReplFailure]:
    for kind in vars(errors).values():
        if not (isinstance(kind, type) and issubclass(kind, ReplFailure)) or kind is ReplFailure:
            continue
        if issubclass(kind, Died):
            yield from (kind(Death(cause, "It ended.")) for cause in Cause)
        else:
            yield kind("It failed.")


@pytest.mark.parametrize("failure", list(failures()), ids=repr)
def test_every_failure_has_a_cause(failure: ReplFailure) -> None:
    assert isinstance(death_of(failure), ReplDeath)


def test_every_cause_has_a_failure() -> None:
    assert {death_of(failure) for failure in failures()} == set(ReplDeath)


def test_the_memory_watch_is_told_apart_from_the_end_of_the_machines_memory() -> None:
    assert death_of(Died(Death(Cause.MEMORY, "Killed."))) is ReplDeath.MEMORY
    assert death_of(MemoryExceeded(Death(Cause.MEMORY, "Too much."))) is ReplDeath.MEMORY_LIMIT
    # A runaway recursion that met the limit first is a crash, as it is in the verdict.
    assert death_of(MemoryExceeded(Death(Cause.CRASH, "Too much stack."))) is ReplDeath.CRASH
