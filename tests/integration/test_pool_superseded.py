"""A job that needs no verdict of its own any more ends at its place in the queue, or in its process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from repl_fakes import bench, job, no_process_left, starts, until  # noqa: F401 - a fixture

from streamverify.core.job import Job, Verdict
from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from repl_fakes import Bench

SUPERSEDED = Verdict(Reason.SUPERSEDED, "another one is verified", attempts=0, superseded_by="winner")


def submit(b: Bench, proof: str, **request: object) -> tuple[Job, asyncio.Future[Verdict]]:
    outcome: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    new = job(proof, **request)
    b.pool.submit(new, lambda _, verdict: outcome.set_result(verdict))
    return new, outcome


async def test_one_that_waits_has_its_verdict_at_once() -> None:
    async with bench() as b:
        _, running = submit(b, "theorem t -- fake: sleep 0.5")
        waiting, outcome = submit(b, "theorem t -- fake: hang")
        await until(lambda: b.pool.running == 1, "the first runs")
        b.pool.supersede(waiting, SUPERSEDED)
        assert outcome.done()
        assert (outcome.result().reason, outcome.result().superseded_by) == (Reason.SUPERSEDED, "winner")
        assert outcome.result().timings.queued > 0
        assert (await running).reason is Reason.OK
        # Nothing is left of it: it cannot be ended twice.
        b.pool.supersede(waiting, SUPERSEDED)
        assert (await b.verify("theorem t")).reason is Reason.OK


async def test_a_running_one_is_ended_once_it_has_run_for_longer_than_its_import(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        assert (await b.verify("import A\ntheorem t")).reason is Reason.OK
        running, outcome = submit(b, "import A\ntheorem t -- fake: hang")
        while not outcome.done():
            b.pool.supersede(running, SUPERSEDED)
            await asyncio.sleep(0.02)
        verdict = outcome.result()
        assert (verdict.reason, verdict.superseded_by, verdict.attempts) == (Reason.SUPERSEDED, "winner", 1)
        assert verdict.timings.run > 0
        assert (await b.verify("import A\ntheorem t")).reason is Reason.OK
    assert starts(no_process_left) == 2


async def test_one_that_imports_is_not_run_and_its_import_is_of_use(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        importing, outcome = submit(b, "import Slow\ntheorem t -- fake: hang")
        await until(lambda: b.pool.running == 1, "it imports")
        b.pool.supersede(importing, SUPERSEDED)
        verdict = await asyncio.wait_for(outcome, 60)
        assert (verdict.reason, verdict.attempts) == (Reason.SUPERSEDED, 0)
        assert verdict.timings.run == 0.0
        assert (await b.verify("import Slow\ntheorem t")).timings.import_ == 0.0
    assert starts(no_process_left) == 1


async def test_one_that_is_not_worth_its_process_comes_to_its_own_end(no_process_left: Path) -> None:  # noqa: F811
    async with bench() as b:
        # The import took longer than the rest of the proof will: nothing of it is known but what it has run.
        assert (await b.verify("import Slow\ntheorem t")).timings.import_ > 0.3
        running, outcome = submit(b, "import Slow\ntheorem t -- fake: sleep 0.1")
        b.pool.supersede(running, SUPERSEDED)
        assert (await asyncio.wait_for(outcome, 60)).reason is Reason.OK
    assert starts(no_process_left) == 1
