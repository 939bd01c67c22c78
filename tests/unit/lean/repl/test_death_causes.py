"""Each way in which a REPL fails is counted under one cause, and each cause has a way that leads to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamverify.core.metrics.labels import ReplDeath
from streamverify.lean.repl import errors
from streamverify.lean.repl.errors import Cause, Death, Died, MemoryExceeded, ReplFailure, death_of

if TYPE_CHECKING:
    from collections.abc import Iterator


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
