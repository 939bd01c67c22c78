"""A REPL that met a limit before it answered is told about with that limit and its setting."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from streamverify.lean.repl import resources
from streamverify.lean.repl.command import ProcessLimits, ReplCommand
from streamverify.lean.repl.errors import Cause, ChannelBroken, Death, Died, MemoryExceeded, ReplFailure, TimedOut
from streamverify.lean.repl.start_advice import start_advice

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.lean.repl.command import Confinement

THREAD = "The REPL ended with exit status 1: failed to create thread: Resource temporarily unavailable"
DATA = "4 GiB of data (ulimit -d unlimited)"


def command(sandbox: Confinement = "none") -> ReplCommand:
    limits = ProcessLimits(memory=512 << 20)
    return ReplCommand(("repl",), None, None, "lean", wrapped=False, limits=limits, sandbox=sandbox)


def died(cause: Cause, sentence: str = "It ended.") -> Died:
    return Died(Death(cause, sentence))


@pytest.mark.parametrize(
    ("failure", "reservations", "words"),
    [
        (MemoryExceeded(Death(Cause.MEMORY, "m")), [], "512 MiB: set STREAMVERIFY_MEMORY_PER_REPL"),
        (MemoryExceeded(Death(Cause.CRASH, "m")), [DATA], "512 MiB: set STREAMVERIFY_MEMORY_PER_REPL"),
        (died(Cause.EXIT, THREAD), [DATA], f"Limits here: {DATA}; 9 processes and threads in all"),
        (died(Cause.EXIT, THREAD), [], "9 processes and threads in all (ulimit -u"),
        (died(Cause.CRASH, "The REPL was ended by SIGABRT"), [DATA], DATA),
        (died(Cause.MEMORY), [DATA], DATA),
        (died(Cause.MEMORY), [], "set STREAMVERIFY_SLOTS lower"),
        (died(Cause.CRASH), [], ""),
        (died(Cause.EXIT), [DATA], ""),
        (ChannelBroken("x"), [DATA], ""),
        (TimedOut("x"), [], ""),
    ],
)
def test_the_limit_and_the_setting_are_named(
    monkeypatch: pytest.MonkeyPatch, failure: ReplFailure, reservations: list[str], words: str
) -> None:
    monkeypatch.setattr(resources, "limits_on_reservations", lambda: reservations)
    monkeypatch.setattr(resources, "process_limit", lambda: 9)
    advice = start_advice(failure, command())
    assert words in advice
    assert bool(words) is bool(advice)


def test_in_the_sandbox_its_own_limit_of_processes_is_one() -> None:
    assert "256 processes and threads in the sandbox" in start_advice(died(Cause.EXIT, THREAD), command("bwrap"))
    assert "sandbox" not in start_advice(died(Cause.EXIT, THREAD), command())


def test_an_import_that_took_too_long_names_its_setting() -> None:
    advice = start_advice(TimedOut("Lean did not answer in time."), command(), import_timeout=300.0)
    assert advice == " It had 300 s: set STREAMVERIFY_IMPORT_TIMEOUT (--import-timeout) higher."


def test_limits_on_reservations_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limits = {resource.RLIMIT_AS: 5 << 30, resource.RLIMIT_DATA: 4 << 30}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, -1), -1))
    assert resources.limits_on_reservations(tmp_path) == ["5 GiB of address space (ulimit -v unlimited)", DATA]
    limits.clear()
    assert resources.limits_on_reservations(tmp_path) == []
    for mode, found in (("0", 0), ("1", 0), ("2", 1)):
        (tmp_path / "sys/vm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/vm/overcommit_memory").write_text(f"{mode}\n")
        assert len(resources.limits_on_reservations(tmp_path)) == found
