"""Limits of memory and CPU time, on real processes: what holds them, and what a proof that breaks one is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from repl_fakes import bench
from sandboxes import LIMITS, MIB, attacker, confined, hostile

from streamverify.core.models import Reason
from streamverify.lean import session
from streamverify.lean.command import ProcessLimits, ReplCommand
from streamverify.lean.death import Cause
from streamverify.lean.failures import Died, TimedOut

if TYPE_CHECKING:
    from sandboxes import Attacker

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look all the time."""
    monkeypatch.setattr(session, "LOOK_EVERY", 0.05)


def synthetic(limits: ProcessLimits) -> ReplCommand:
    argv = (sys.executable, "-m", "streamverify.lean.standins.synthetic")
    return ReplCommand(argv, None, None, "synthetic", wrapped=False, limits=limits)


async def test_the_kernel_refuses_what_one_process_takes_too_much() -> None:
    async with attacker(hostile()) as villain:
        assert await villain.attack("allocate 100") == 100 * MIB
        assert await villain.attack("allocate 450") == "MemoryError"


async def fork_and_allocate(villain: Attacker) -> None:
    await villain.attack("hoard 3 300", 20.0)


@pytest.mark.usefixtures("often")
async def test_processes_that_together_take_too_much_are_stopped() -> None:
    async with attacker(hostile()) as villain:
        with pytest.raises(Died) as caught:
            await fork_and_allocate(villain)
    assert caught.value.death.cause is Cause.MEMORY
    assert "more memory than the 512 MiB" in str(caught.value)


@pytest.mark.usefixtures("often")
async def test_also_in_the_sandbox() -> None:
    async with attacker(await confined(hostile())) as villain:
        with pytest.raises(Died) as caught:
            await fork_and_allocate(villain)
    assert caught.value.death.cause is Cause.MEMORY


@pytest.mark.usefixtures("often")
async def test_pages_that_a_fork_shares_are_not_counted_twice() -> None:
    async with attacker(hostile(limits=LIMITS._replace(memory=600 * MIB))) as villain:
        assert await villain.attack("allocate 250") == 250 * MIB
        assert await villain.attack("hoard 3 0 0.5") == "done"


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
        verdict = await pool.verify("#check 1 -- synthetic: alloc=400")
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
