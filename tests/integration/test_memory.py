"""Limits of memory and CPU time, on real processes: what holds them, and what a proof that breaks one is told."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from repl_fakes import LIMITS as LIMITS_OF_A_PROOF
from repl_fakes import OVERSHOOT, bench, largest_process, until
from sandboxes import LIMITS, MIB, attacker, confined, hostile
from typer.testing import CliRunner

from streamverify.cli.app import make_app
from streamverify.core.errors import ReplUnavailable
from streamverify.core.messages.models import Reason
from streamverify.core.syntax.header import parse_header
from streamverify.lean.pool import Pool
from streamverify.lean.repl import time_limit
from streamverify.lean.repl.command import ProcessLimits, ReplCommand
from streamverify.lean.repl.errors import Cause, MemoryExceeded, TimedOut
from streamverify.lean.repl.usage import tree


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the CPU time all the time."""
    monkeypatch.setattr(time_limit, "CPU_LOOK_EVERY", 0.05)


def synthetic(limits: ProcessLimits) -> ReplCommand:
    argv = (sys.executable, "-m", "streamverify.standins.synthetic")
    return ReplCommand(argv, None, None, "synthetic", wrapped=False, limits=limits)


async def ended(command: ReplCommand, words: str) -> str:
    """What the watch says when it ends a hostile program, which it does long before the program ends by itself."""
    async with attacker(command) as villain:
        with pytest.raises(MemoryExceeded) as caught:
            await villain.attack(words, 60.0)
        await villain.session.close()
    assert caught.value.death.cause is Cause.MEMORY
    return str(caught.value)


@pytest.fixture(params=["none", "bwrap"])
async def command(request: pytest.FixtureRequest) -> ReplCommand:
    """A hostile program, which may use 512 MiB; outside and inside the sandbox."""
    return hostile() if request.param == "none" else await confined(hostile())


async def test_less_than_the_limit_is_fine(command: ReplCommand) -> None:
    async with attacker(command) as villain:
        assert await villain.attack("hold 400 0.3") == 400 * MIB
        # Reserved is not used.
        assert await villain.attack("reserve 8192") == "done"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("hold 600 60", id="one process"),
        pytest.param("share 600", id="shared memory"),
        pytest.param("grow 300 60", id="a thread, steadily"),
        pytest.param("hoard 3 300", id="children together"),
        pytest.param("headless 600 60", id="a process without its main thread"),
    ],
)
async def test_more_than_the_limit_ends_the_repl(command: ReplCommand, words: str) -> None:
    assert "more than the 512 MiB of MEMORY_PER_REPL" in await ended(command, words)


async def test_a_daemon_hides_nothing_and_dies_too(command: ReplCommand) -> None:
    async with attacker(command) as villain:
        assert await villain.attack("hide 600 60") == "done"
        pids = tree(villain.session.pid)
        # While nothing is asked of it.
        await until(lambda: villain.session.failure, "the watch has not seen it")
        assert isinstance(villain.session.failure, MemoryExceeded)
        await until(lambda: not any(map(lives, pids)), "it lives on")
        with pytest.raises(MemoryExceeded):
            await villain.attack("pid")


def lives(pid: int) -> bool:
    status = Path("/proc", str(pid), "stat")
    with suppress(OSError):
        return status.read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_stack_that_takes_it_all_is_a_runaway_recursion(command: ReplCommand) -> None:
    async with attacker(command) as villain:
        with pytest.raises(MemoryExceeded, match="the stack of one thread") as caught:
            await villain.attack("recurse 600 60", 30.0)
    assert caught.value.death.cause is Cause.CRASH


async def test_a_deep_stack_within_the_limit_is_fine(command: ReplCommand) -> None:
    async with attacker(command) as villain:
        assert await villain.attack("recurse 300 0.3") == "done"


async def test_pages_that_a_fork_shares_are_not_counted_twice(command: ReplCommand) -> None:
    async with attacker(command) as villain:
        assert await villain.attack("allocate 250") == 250 * MIB
        assert await villain.attack("hoard 3 0 0.5") == "done"


LARGE = "x = bytearray(300 << 20); import time; time.sleep(60)"
"""A REPL that needs 300 MiB before it answers."""


def large() -> ReplCommand:
    argv = (sys.executable, "-S", "-c", LARGE)
    return ReplCommand(argv, None, None, "lean", wrapped=False, limits=ProcessLimits(memory=100 * MIB))


async def test_an_import_is_watched_too() -> None:
    """From the first moment, before anything was asked."""
    async with bench(large()) as pool:
        verdict = await pool.verify("import Mathlib\n#check 1")
    assert (verdict.reason, verdict.attempts) == (Reason.OUT_OF_MEMORY, 2)
    assert verdict.timings.import_ < 10


async def test_a_header_of_prewarm_that_needs_too_much_names_the_setting() -> None:
    pool = Pool(large(), slots=1, limits=LIMITS_OF_A_PROOF)
    try:
        with pytest.raises(
            ReplUnavailable,
            match=r"STREAMVERIFY_PREWARM \(--prewarm\): `import A`.*100 MiB: set STREAMVERIFY_MEMORY_PER_REPL",
        ):
            await pool.start([parse_header("import A\n")])
    finally:
        await pool.close()


def test_a_worker_whose_repl_needs_too_much_ends_with_4_and_names_the_setting() -> None:
    repl = shlex.join((sys.executable, "-S", "-c", LARGE))
    done = CliRunner().invoke(
        make_app(["worker"]), ["worker", "--repl", repl, "--sandbox", "none", "--memory-per-repl", "100MiB"]
    )
    assert done.exit_code == 4
    assert "100 MiB: set STREAMVERIFY_MEMORY_PER_REPL (--memory-per-repl) higher" in " ".join(done.output.split())


async def test_what_takes_too_much_is_ended_in_time_and_its_neighbour_is_not() -> None:
    limits = ProcessLimits(memory=200 * MIB)
    async with bench(synthetic(limits), slots=2) as pool, largest_process() as largest:
        neighbour = pool.submit("#check 1 -- synthetic: alloc=100 service=3", custom_id="neighbour")
        glutton = await pool.verify("#check 1 -- synthetic: alloc=1000 service=60")
        assert 200 * MIB < largest() < 200 * MIB + OVERSHOOT
        assert (glutton.reason, glutton.attempts) == (Reason.OUT_OF_MEMORY, 2)
        assert ((await neighbour).reason, (await neighbour).attempts) == (Reason.OK, 1)


@pytest.mark.usefixtures("often")
async def test_burners_use_up_the_cpu_time_before_the_clock() -> None:
    async with attacker(hostile(limits=LIMITS._replace(cores=0.1))) as villain:
        with pytest.raises(TimedOut, match=r"more than the 1 s of CPU time"):
            await villain.attack("burn 2", 10.0)


@pytest.mark.usefixtures("often")
async def test_the_cpu_time_of_the_proof_before_does_not_count() -> None:
    async with attacker(hostile(limits=LIMITS._replace(cores=0.03))) as villain:
        for _ in range(3):
            # 0.6 s are allowed to each.
            assert await villain.attack("spend 0.4", 20.0) == "done"


@pytest.mark.usefixtures("often")
async def test_waiting_costs_nothing() -> None:
    async with attacker(hostile(limits=LIMITS._replace(cores=0.5))) as villain:
        with pytest.raises(TimedOut, match="did not answer in time"):
            await villain.attack("sleep 60", 1.0)


async def test_out_of_memory_is_inconclusive_and_harms_no_other_proof() -> None:
    limits = ProcessLimits(memory=300 * MIB)
    async with bench(synthetic(limits)) as pool:
        # Held for a while: what is taken and given back between two looks is not seen.
        verdict = await pool.verify("#check 1 -- synthetic: alloc=400 service=10")
        assert (verdict.reason, verdict.attempts) == (Reason.OUT_OF_MEMORY, 2)
        assert (await pool.verify("#check 1 -- synthetic: alloc=100")).reason is Reason.OK


async def test_a_leak_goes_on_for_ever_in_fresh_processes() -> None:
    limits = ProcessLimits(memory=200 * MIB)
    async with bench(synthetic(limits), slots=2) as pool:
        jobs = [pool.submit(f"#check {number} -- synthetic: leak=5", custom_id=str(number)) for number in range(300)]
        verdicts = [await each for each in jobs]
    assert {verdict.reason for verdict in verdicts} == {Reason.OK}
    # 1.5 GB were leaked in processes of 200 MiB, none of which failed.
    assert {verdict.attempts for verdict in verdicts} == {1}
    assert sum(verdict.timings.import_ > 0 for verdict in verdicts) >= 300 * 5 // 200


async def test_without_limits_nothing_is_replaced() -> None:
    async with bench(synthetic(ProcessLimits())) as pool:
        verdicts = [await pool.verify("#check 1 -- synthetic: leak=1") for _ in range(50)]
    assert sum(verdict.timings.import_ > 0 for verdict in verdicts) == 1
