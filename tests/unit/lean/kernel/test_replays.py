"""The slots for replays, with a `TierRunner` that the test directs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from repl_fakes import job, until
from structlog.testing import capture_logs

from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Assurance, Checker, Reason, Theorem
from streamverify.core.tiers.tier_steps import Conclusion
from streamverify.lean.kernel.replays import Replays

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.job import Job
    from streamverify.core.tiers.proof import AuditedProof
    from streamverify.lean.kernel.tier_runner import TierRunner

AUDITED = Verdict(Reason.OK, "Audited.", assurance=Assurance.AUDITED, theorems=[Theorem(name="A.t")])
ACCEPTED = Conclusion(Reason.OK, "accepted", Assurance.REPLAYED, (Checker(name="nanoda", outcome="accepted"),))
REFUSED = Conclusion(Reason.KERNEL, "refused", Assurance.AUDITED, (Checker(name="nanoda", outcome="refused"),))
LATE = Conclusion(Reason.TIMEOUT, "late", Assurance.AUDITED, final=True)
SUPERSEDED = Verdict(Reason.SUPERSEDED, "another was verified")
PROOF = "import B\nnamespace A\ntheorem t : True := trivial\nend A"


class FakeTierRunner:
    """Keeps the proofs; the test says what each comes to."""

    def __init__(self) -> None:
        self.runs: list[tuple[AuditedProof, Assurance, asyncio.Future[Conclusion]]] = []

    async def run(self, proof: AuditedProof, target: Assurance) -> Conclusion:
        outcome: asyncio.Future[Conclusion] = asyncio.get_running_loop().create_future()
        self.runs.append((proof, target, outcome))
        return await outcome


class Bench:
    """Replays, their tier runner, and what was told of which job."""

    def __init__(self, slots: int) -> None:
        self.tier_runner = FakeTierRunner()
        self.replays = Replays(cast("TierRunner", self.tier_runner), slots=slots, vocabulary=SHIPPED)
        self.told: list[tuple[str, Reason, Assurance]] = []

    def done(self, job: Job, verdict: Verdict) -> None:
        self.told.append((job.request.custom_id, verdict.reason, verdict.assurance))

    def require(self, custom_id: str, **request: Any) -> Job:
        made = job(PROOF, custom_id=custom_id, **request)
        self.replays.require(made, AUDITED, self.done)
        return made

    def upgrade(self, custom_id: str) -> bool:
        return self.replays.upgrade(job(PROOF, custom_id=custom_id), AUDITED, Assurance.CROSS_CHECKED, self.done)

    async def started(self, count: int) -> None:
        await until(lambda: len(self.tier_runner.runs) >= count, f"{count} runs have begun")

    async def come_to(self, index: int, conclusion: Conclusion | Exception) -> None:
        before = self.replays.running + self.replays.queued
        outcome = self.tier_runner.runs[index][2]
        if isinstance(conclusion, Exception):
            outcome.set_exception(conclusion)
        else:
            outcome.set_result(conclusion)
        await until(lambda: self.replays.running + self.replays.queued < before, "its slot is free")


@asynccontextmanager
async def bench(slots: int = 1) -> AsyncIterator[Bench]:
    made = Bench(slots)
    try:
        yield made
    finally:
        await made.replays.close()


async def test_what_waits_for_its_answer_goes_before_upgrades_and_never_more_than_there_are_slots() -> None:
    async with bench(slots=1) as b:
        b.require("a")
        assert b.upgrade("u")
        b.require("b")
        await b.started(1)
        assert (b.replays.running, b.replays.queued) == (1, 2)
        for index, conclusion in enumerate((ACCEPTED, REFUSED, ACCEPTED)):
            await b.started(index + 1)
            await b.come_to(index, conclusion)
    assert b.told == [
        ("a", Reason.OK, Assurance.REPLAYED),
        ("b", Reason.KERNEL, Assurance.AUDITED),
        ("u", Reason.OK, Assurance.REPLAYED),
    ]


async def test_what_is_compared_is_the_statement_or_the_header_alone() -> None:
    async with bench(slots=2) as b:
        b.require("a")
        b.require("b", statement="import B\ntheorem X.y : True := sorry")
        await b.started(2)
        [header, stated] = [proof for proof, _, _ in b.tier_runner.runs]
        assert (header.trusted, header.stated, header.theorems) == ("import B\n", False, [("A", "t")])
        assert (stated.stated, stated.theorems) == (True, [("X", "y")])


async def test_an_upgrade_that_does_not_reach_its_tier_publishes_nothing_and_one_that_is_refused_does() -> None:
    async with bench(slots=2) as b:
        assert b.upgrade("late")
        assert b.upgrade("refused")
        await b.started(2)
        with capture_logs() as logs:
            await b.come_to(0, LATE)
        await b.come_to(1, REFUSED)
    assert [(each["event"], each["custom_id"]) for each in logs] == [("upgrade_not_reached", "late")]
    assert b.told == [("refused", Reason.KERNEL, Assurance.AUDITED)]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug")])
async def test_a_step_that_cannot_be_carried_out_is_the_workers_error(error: Exception) -> None:
    async with bench() as b:
        b.require("a")
        await b.started(1)
        with capture_logs() as logs:
            await b.come_to(0, error)
    assert b.told == [("a", Reason.WORKER_ERROR, Assurance.AUDITED)]
    assert [each["event"] for each in logs] == ["replay_failed"]


async def test_a_proof_whose_deadline_has_passed_is_not_begun() -> None:
    async with bench() as b:
        b.require("a", deadline="2020-01-01T00:00:00Z")
        await until(lambda: b.told != [], "it is answered")
    assert b.told == [("a", Reason.EXPIRED, Assurance.AUDITED)]
    assert b.tier_runner.runs == []


async def test_one_that_waits_or_runs_is_superseded_and_told_once() -> None:
    async with bench() as b:
        running, waiting = b.require("running"), b.require("waiting")
        await b.started(1)
        assert b.replays.supersede(waiting, SUPERSEDED)
        assert b.replays.supersede(running, SUPERSEDED)
        await b.replays.wait_running()
        assert not b.replays.supersede(running, SUPERSEDED)
        assert b.tier_runner.runs[0][2].cancelled()
    assert [(name, reason) for name, reason, _ in b.told] == [
        ("waiting", Reason.SUPERSEDED),
        ("running", Reason.SUPERSEDED),
    ]


async def test_a_drain_finishes_what_runs_and_leaves_the_rest_to_others() -> None:
    async with bench() as b:
        b.require("running")
        b.require("waiting")
        b.upgrade("upgrade")
        await b.started(1)
        with capture_logs() as logs:
            b.replays.drain()
        assert [(each["event"], each["proofs"]) for each in logs] == [("upgrades_dropped", 1)]
        assert not b.upgrade("another")
        b.tier_runner.runs[0][2].set_result(ACCEPTED)
        await b.replays.wait_running()
        assert (b.replays.running, b.replays.queued) == (0, 1)
    # Of the one that waits nothing is told: its record is delivered again.
    assert [name for name, _, _ in b.told] == ["running"]


async def test_closing_tells_nothing_of_what_it_interrupts() -> None:
    async with bench(slots=2) as b:
        b.require("a")
        b.require("b")
        await b.started(2)
    assert b.told == []
    assert all(outcome.cancelled() for _, _, outcome in b.tier_runner.runs)


async def test_what_waits_is_dropped_and_what_runs_goes_on() -> None:
    async with bench() as b:
        b.require("running")
        waiting = b.require("waiting")
        await b.started(1)
        assert b.replays.discard(lambda _job: True) == [waiting]
        await b.come_to(0, ACCEPTED)
    assert [name for name, _, _ in b.told] == ["running"]
