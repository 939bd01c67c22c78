"""Lean 4.35 under the limits and in the sandbox of a worker: it starts, it imports, and what runs away is ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oracle.lean435 import compile_module, library
from repl_fakes import OVERSHOOT, bench, largest_process
from sandboxes import need_bwrap
from support import ROOT

from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Reason
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl.launch import configured_repl, probe
from streamverify.lean.repl.process import run_to_end
from streamverify.lean.warm_headers import try_header
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from streamverify.lean.repl.command import ReplCommand


MIB = 1024**2
REPL = ROOT / "tests" / "oracle" / "repl435.py"

BIG = 68
"""MiB of the large module; an import maps all of it, private and writable."""

TERMS = "axiom Q : Nat -> Nat -> Nat\naxiom x : Nat\n"


def large_term(depth: int) -> str:
    """An application with 2^depth leaves."""
    return "x" if depth == 0 else f"(Q {large_term(depth - 1)} {large_term(depth - 1)})"


GLUTTON = f"{TERMS}#check {large_term(17)}"
"""A proof whose elaboration takes some 50 MiB a second, to 600 MiB and more."""

RUNAWAY = f"#check {'(' * 400_000}"
"""A proof on which Lean's parser recurses until its stack ends: 1 GiB, or what `-s` gives it (KiB)."""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a compiled module `Big` of `BIG` MiB, which every user can read."""
    folder = tmp_path_factory.mktemp("modules")
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(0o755)
    text = "abcdefg" * (MIB // 7)
    # Each another text: Lean writes equal ones once.
    axioms = "".join(f'axiom large{number} : Holds "{number} {text}"\n' for number in range(BIG))
    file = folder / "Big.lean"
    file.write_text(f"prelude\naxiom Nat : Type\naxiom String : Type\naxiom Holds : String -> Prop\n{axioms}", "utf-8")
    assert compile_module(file).stat().st_size > 64 * MIB
    return folder


@pytest.fixture(params=["none", "bwrap"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Outside the sandbox and inside."""
    if request.param == "bwrap":
        need_bwrap()
    return str(request.param)


@pytest.fixture(autouse=True)
def _lean_path(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAN_PATH", str(modules))


async def configured(sandbox: str, *words: str, memory: str = "512MiB") -> ReplCommand:
    """Lean 4.35 as a worker with these settings would start it."""
    read = os.pathsep.join(map(str, (REPL.parent, library().parent, sys.base_prefix, sys.prefix)))
    settings = load_settings(
        repl=f"{sys.executable} {REPL} {' '.join(words)}".strip(),
        sandbox=sandbox,
        sandbox_read=read,
        memory_per_repl=memory,
    )
    return await configured_repl(settings, slots=2)


async def test_the_repl_starts(sandbox: str) -> None:
    assert (await probe(await configured(sandbox))).sandbox == sandbox


async def test_lean_itself_starts_with_many_threads(sandbox: str, modules: Path) -> None:
    """Each of which reserves 1 GiB: 8 GiB and more, of 512 MiB that it may use."""
    command = await configured(sandbox)
    # In the sandbox the REPL's words are the last two.
    lean = (*command.argv[:-1], str(REPL.with_name("lean435.py")), "-j8", str(modules / "Small.lean"))
    (modules / "Small.lean").write_text("prelude\naxiom N : Type\n#check N\n")
    assert await run_to_end(replace(command, argv=lean)) == (0, b"")


async def test_a_large_module_is_imported_and_counts_next_to_nothing(sandbox: str) -> None:
    command = await configured(sandbox)
    trial = await try_header(command, parse_header("import Big\n"), timeout=60)
    assert trial.failure is None
    assert trial.memory < 100 * MIB
    async with bench(command) as pool:
        verdict = await pool.verify("import Big\naxiom a : Nat\n#check a")
        assert verdict.reason is Reason.OK
        assert verdict.response
        assert [each["data"] for each in verdict.response.messages] == ["a : Nat"]


async def test_a_module_that_is_not_there_is_named(sandbox: str) -> None:
    async with bench(await configured(sandbox)) as pool:
        verdict = await pool.verify("import Nowhere\n#check 1")
    # Without a project nobody knows whose fault that is.
    assert verdict.reason is Reason.IMPORT_FAILED
    assert "unknown module prefix 'Nowhere'" in verdict.summary


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("-s", "65536"), "Stack overflow detected", id="the stack ends first"),
        pytest.param((), "the stack of one thread", id="the memory ends first"),
    ],
)
async def test_a_runaway_recursion_is_a_crash(sandbox: str, words: tuple[str, ...], said: str) -> None:
    async with bench(await configured(sandbox, *words)) as pool:
        verdict = await pool.verify(RUNAWAY)
    assert (verdict.reason, verdict.attempts) == (Reason.REPL_CRASH, 2), verdict.summary
    assert said in verdict.summary


async def test_what_eats_memory_is_ended_and_its_neighbour_is_not(sandbox: str) -> None:
    command = await configured(sandbox, memory="256MiB")
    async with bench(command, slots=2) as pool:
        assert (await pool.verify("#check Nat")).reason is Reason.OK
        async with largest_process() as largest:
            glutton = pool.submit(GLUTTON, custom_id="glutton")
            neighbours = 0
            while not glutton.done():
                assert (await pool.verify(f"#check Nat -- {neighbours}")).reason is Reason.OK
                neighbours += 1
    verdict = await glutton
    assert (verdict.reason, verdict.attempts) == (Reason.OUT_OF_MEMORY, 2), verdict.summary
    assert neighbours > 1
    # The process that was forked for the glutton has nearly all of it; the rest is the REPL's own.
    assert 156 * MIB < largest() < 256 * MIB + OVERSHOOT


async def test_a_budget_too_small_to_start_is_named(sandbox: str) -> None:
    command = await configured(sandbox)
    small = replace(command, limits=command.limits._replace(memory=8 * MIB))
    with pytest.raises(ReplUnavailable, match=r"limit of private memory is 8 MiB: set STREAMVERIFY_MEMORY_PER_REPL"):
        await probe(small)


def under_old_limit(*words: str) -> subprocess.CompletedProcess[str]:
    """A command under 4 GiB of RLIMIT_DATA, as a REPL with Mathlib was started before."""
    script = 'ulimit -d 4194304; exec "$@"'
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMVERIFY_")}
    return subprocess.run(
        ("/bin/sh", "-c", script, "sh", sys.executable, *words),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def test_under_the_limit_of_before_lean_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "Small.lean").write_text("prelude\naxiom N : Type\n")
    done = under_old_limit(str(REPL.with_name("lean435.py")), str(tmp_path / "Small.lean"))
    assert done.returncode != 0
    assert "failed to create thread" in done.stderr


def test_a_worker_under_that_limit_ends_with_4_and_names_it() -> None:
    repl = f"{sys.executable} {REPL}"
    done = under_old_limit("-m", "streamverify", "worker", "--repl", repl, "--sandbox", "none", "--http-port", "0")
    assert done.returncode == 4, done.stderr
    assert "failed to create thread" in done.stderr
    assert "4 GiB of data (ulimit -d unlimited)" in " ".join(done.stderr.split())
