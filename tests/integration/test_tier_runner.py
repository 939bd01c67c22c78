"""One proof on its way up, with stand-ins for the programs: each way in which they can end, and what they leave."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path  # noqa: TC003 -- a fixture's type
from typing import TYPE_CHECKING

import pytest
import tier_fakes
from repl_fakes import fake, no_process_left, until  # noqa: F401 -- a fixture

from streamverify.core.messages.models import Assurance, Reason
from streamverify.core.tiers.ends import How, judge
from streamverify.lean.kernel.step_process import run_step
from streamverify.lean.kernel.tier_runner import ask_kernel, write_readable
from streamverify.lean.kernel.tools import digest

if TYPE_CHECKING:
    from streamverify.lean.repl.command import ReplCommand

pytestmark = [pytest.mark.usefixtures("no_process_left"), pytest.mark.timeout(120)]

CROSS = Assurance.CROSS_CHECKED
MEMORY = 256 << 20


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files: nothing may be left in it."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def outcome_of(tmp_path: Path, theorem: str, target: Assurance = CROSS, **how: object) -> tuple[str, str, str]:
    """Take a theorem of this name up. Returns the reason, how far it came, and what each checker said."""
    made = tier_fakes.tier_runner(tmp_path / "bin", **how)  # type: ignore[arg-type]
    found = await made.run(tier_fakes.proof(theorem), target)
    return found.reason, found.reached, " ".join(f"{each.name}:{each.outcome}" for each in found.checkers)


def left(folder: Path) -> list[str]:
    """The files in a folder."""
    return [each.name for each in folder.iterdir()]


READ = "streamverify:accepted"
REPLAYED = f"{READ} leanchecker:accepted"


@pytest.mark.parametrize("stated", [True, False])
async def test_a_proof_that_everybody_accepts_is_cross_checked(tmp_path: Path, scratch: Path, *, stated: bool) -> None:
    made = tier_fakes.tier_runner(tmp_path / "bin")
    found = await made.run(tier_fakes.proof("A.t", stated=stated), CROSS)
    assert (found.reason, found.reached, found.final) == (Reason.OK, CROSS, False)
    assert [(each.name, each.version) for each in found.checkers][1:] == [
        ("leanchecker", "4.99.0"),
        ("nanoda", "0.4.10-beta"),
    ]
    assert found.export_sha256 is not None
    assert left(scratch) == []


async def test_no_kernel_beyond_the_tier_that_was_asked_for_is_run(tmp_path: Path) -> None:
    found = await outcome_of(tmp_path, "exit_101_at_nanoda_t", Assurance.REPLAYED)
    assert found == ("ok", "replayed", REPLAYED)


@pytest.mark.parametrize(
    ("theorem", "checker", "outcome"),
    [
        ("t", "nanoda", "accepted"),
        ("exit_101_at_nanoda_t", "nanoda", "refused"),
        ("exit_1_at_nanoda_t", "nanoda", "declined"),
        ("exit_2_at_nanoda_t", "nanoda", "declined"),
        ("signal_SIGSEGV_at_nanoda_t", "nanoda", "crashed"),
        ("signal_SIGABRT_at_nanoda_t", "nanoda", "crashed"),
        ("signal_SIGKILL_at_nanoda_t", "nanoda", "out_of_memory"),
        ("eat_at_nanoda_t", "nanoda", "out_of_memory"),
        ("flood_at_nanoda_t", "nanoda", "declined"),
        # Its exit status is what it says; words are for people.
        ("garbage_at_nanoda_t", "nanoda", "accepted"),
        ("stdin_at_nanoda_t", "nanoda", "accepted"),
        ("child_at_nanoda_t", "nanoda", "accepted"),
        ("t", "leanchecker", "accepted"),
        ("refused_by_leanchecker_t", "leanchecker", "refused"),
        ("tired_leanchecker_t", "leanchecker", "declined"),
        # Without its words an exit status of leanchecker says nothing, not even 0.
        ("garbage_at_leanchecker_t", "leanchecker", "declined"),
        ("exit_1_at_leanchecker_t", "leanchecker", "declined"),
        ("signal_SIGSEGV_at_leanchecker_t", "leanchecker", "crashed"),
    ],
)
async def test_each_end_of_a_checker(tmp_path: Path, scratch: Path, theorem: str, checker: str, outcome: str) -> None:
    made = tier_fakes.tier_runner(tmp_path / "bin", memory=MEMORY)
    tool = made.tools.kernel if checker == "nanoda" else made.tools.replayer
    write_readable(scratch / "proof.ndjson", tier_fakes.export(theorem).encode())
    assert judge(checker, await ask_kernel(made.sandbox, tool, scratch, 60.0)).outcome == outcome


@pytest.mark.parametrize(
    ("theorem", "expected"),
    [
        ("exit_101_at_nanoda_t", ("kernel", "replayed", f"{REPLAYED} nanoda:refused")),
        # Its kernel gave up, and the other one accepts: nobody refuses, and `replayed` is not reached.
        ("tired_leanchecker_t", ("unsupported", "audited", f"{READ} leanchecker:declined nanoda:accepted")),
        # Its kernel gave up, and the other one refuses: that counts.
        (
            "tired_leanchecker_t_exit_101_at_nanoda_t",
            ("kernel", "audited", f"{READ} leanchecker:declined nanoda:refused"),
        ),
        ("refused_by_leanchecker_t", ("kernel", "audited", f"{READ} leanchecker:refused")),
        ("«A.t»", ("unsupported", "audited", "")),
        ("exit_1_at_lean_t", ("unsupported", "audited", "")),
        ("garbage_at_lean_t", ("unsupported", "audited", "")),
        ("signal_SIGKILL_at_lean_t", ("out_of_memory", "audited", "")),
        ("signal_SIGSEGV_at_export_t", ("unsupported", "audited", "")),
        # What it wrote with exit status 0 is no export: our own reading says so.
        ("garbage_at_export_t", ("unsupported", "audited", "streamverify:declined")),
    ],
)
async def test_each_end_of_a_run(tmp_path: Path, scratch: Path, theorem: str, expected: tuple[str, str, str]) -> None:
    assert await outcome_of(tmp_path, theorem) == expected
    assert left(scratch) == []


async def test_a_program_that_hangs_is_ended_with_all_that_it_started() -> None:
    end = await run_step(_shell("sleep 600 & sleep 600"), timeout=0.2, max_output=100)
    assert end.how is How.TIMEOUT


async def test_what_is_written_is_bounded_and_words_are_kept() -> None:
    end = await run_step(_shell("echo out; echo err >&2; exit 3"), timeout=60, max_output=100)
    assert (end.how, end.status, end.out, end.err) == (How.EXITED, 3, "out\n", "err\n")
    flood = await run_step(_shell("while :; do echo 0123456789; done"), timeout=60, max_output=10_000)
    assert flood.how is How.OUTPUT


async def test_stdin_is_closed_from_the_start() -> None:
    end = await run_step(_shell("cat; echo ended"), timeout=60, max_output=100)
    assert (end.is_success, end.out) == (True, "ended\n")


async def test_an_executable_that_is_gone_says_nothing_of_the_proof() -> None:
    end = await run_step(_shell("", program="/nonexistent/nanoda_bin"), timeout=60, max_output=100)
    assert end.how is How.NOT_STARTED


async def test_a_run_that_is_cancelled_leaves_no_process_and_no_file(tmp_path: Path, scratch: Path) -> None:
    made = tier_fakes.tier_runner(tmp_path / "bin")
    running = asyncio.create_task(made.run(tier_fakes.proof("hang_at_lean_t"), CROSS))
    await until(lambda: any(scratch.glob("*/files/proof-source/*.lean")), "the first step has begun")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert left(scratch) == []


async def test_bytes_that_a_kernel_has_accepted_are_not_judged_again_by_it(tmp_path: Path) -> None:
    store = tmp_path / "acceptances.sqlite"
    made = tier_fakes.tier_runner(tmp_path / "bin", store=store)
    first = await made.run(tier_fakes.proof(), CROSS)
    # Whoever is asked now refuses: only the store can say otherwise.
    tier_fakes.refuse(tmp_path / "bin")
    again = await made.run(tier_fakes.proof(), CROSS)
    other = await made.run(tier_fakes.proof("other"), CROSS)
    assert (first.reason, again.reason, other.reason) == (Reason.OK, Reason.OK, Reason.KERNEL)
    assert [each.seconds for each in again.checkers[1:]] == [0.0, 0.0]
    assert first.export_sha256 == again.export_sha256


async def test_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    made = tier_fakes.tier_runner(tmp_path / "bin", store=tmp_path / "acceptances.sqlite")
    tier_fakes.refuse(tmp_path / "bin")
    assert (await made.run(tier_fakes.proof(), CROSS)).reason is Reason.KERNEL
    tier_fakes.install(tmp_path / "bin")
    assert (await made.run(tier_fakes.proof(), CROSS)).reason is Reason.OK


async def test_what_another_program_accepts_is_not_remembered_of_the_first(tmp_path: Path) -> None:
    made = tier_fakes.tier_runner(tmp_path / "bin", store=tmp_path / "acceptances.sqlite")
    with (tmp_path / "bin" / "nanoda_bin").open("a") as file:
        file.write("# replaced while the worker runs\n")
    assert (await made.run(tier_fakes.proof(), CROSS)).reason is Reason.OK
    tier_fakes.refuse(tmp_path / "bin")
    assert (await made.run(tier_fakes.proof(), CROSS)).reason is Reason.KERNEL


def test_a_script_among_the_arguments_is_a_part_of_the_program(tmp_path: Path) -> None:
    script = tmp_path / "kernel.py"
    script.write_text("1")
    before = digest([sys.executable, str(script), "--strict"])
    script.write_text("2")
    assert digest([sys.executable, str(script), "--strict"]) != before


def _shell(script: str, program: str = "/bin/sh") -> ReplCommand:
    return replace(fake(), argv=(program, "-c", script))
