"""The pool with a scripted REPL: its jobs and its slots, from the start to the end, and in what order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from repl_fakes import LIMITS, Bench, bench, fake, job, living, no_process_left, starts, until  # noqa: F401 - a fixture

from streamverify.core.messages.models import Reason
from streamverify.lean.pool import Pool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("no_process_left")]


async def test_there_are_never_more_processes_than_slots(no_process_left: Path) -> None:  # noqa: F811
    async with bench(slots=2) as b:
        proofs = [f"import M{number % 3}\ntheorem t -- fake: pid" for number in range(24)]
        verdicts = await asyncio.gather(*(b.verify(proof) for proof in proofs))
        assert len(living(no_process_left)) <= 2
    assert {v.reason for v in verdicts} == {Reason.OK}


async def test_an_idle_slot_with_the_right_header_is_preferred(no_process_left: Path) -> None:  # noqa: F811
    async with bench(slots=2) as b:
        for _ in range(3):
            await b.verify("import A\ntheorem t")
            await b.verify("import B\ntheorem t")
    assert starts(no_process_left) == 2


async def test_discarded_jobs_are_not_run_and_their_callback_is_not_called() -> None:
    async with bench() as b:
        running = b.submit("theorem t -- fake: sleep 0.5", custom_id="running")
        b.submit("theorem t", custom_id="dropped")
        kept = b.submit("theorem t", custom_id="kept")
        await until(lambda: b.pool.running == 1 and b.pool.queued == 2, "one runs, two wait")
        dropped = b.pool.discard(lambda each: each.request.custom_id == "dropped")
        assert [each.request.custom_id for each in dropped] == ["dropped"]
        await asyncio.gather(running, kept)
        assert b.finished == ["running", "kept"]
        assert (b.pool.queued, b.pool.running) == (0, 0)


async def test_draining_finishes_what_runs_and_starts_nothing() -> None:
    async with bench() as b:
        b.submit("theorem t -- fake: sleep 0.3", custom_id="running")
        b.submit("theorem t", custom_id="queued")
        await until(lambda: b.pool.running == 1, "it runs")
        b.pool.drain()
        b.submit("theorem t", custom_id="late")
        await b.pool.wait_running()
        assert b.finished == ["running"]
        assert (b.pool.queued, b.pool.running) == (2, 0)


async def test_a_callback_that_raises_does_not_stop_its_slot() -> None:
    async with bench() as b:
        b.pool.submit(job("theorem t"), lambda _done, _verdict: 1 / 0)  # type: ignore[arg-type]
        assert (await b.verify("theorem t")).reason is Reason.OK


@pytest.mark.parametrize(
    "proof", ["theorem t -- fake: hang", "import Hang\ntheorem t", "theorem t -- fake: child-answer"]
)
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.3])
async def test_close_at_any_time_leaves_no_process_and_reports_nothing(proof: str, seconds: float) -> None:
    pool = Pool(fake(), slots=2, limits=LIMITS)
    b = Bench(pool)
    await pool.start()
    outcomes = [b.submit(proof) for _ in range(4)]
    await asyncio.sleep(seconds)
    done = [outcome.done() for outcome in outcomes]
    await asyncio.gather(pool.close(), pool.close())
    await pool.close()
    assert [outcome.done() for outcome in outcomes] == done


async def test_a_closed_pool_starts_nothing(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        await b.verify("theorem t")
    b.submit("theorem t")
    assert (b.pool.queued, b.pool.running, starts(no_process_left)) == (1, 0, 1)


async def test_a_pool_can_be_closed_before_it_is_started() -> None:
    pool = Pool(fake(), slots=1, limits=LIMITS)
    pool.submit(job("theorem t"), lambda _done, _verdict: None)
    await pool.close()
    assert pool.queued == 1
