"""The pool behind the result cache, case by case: who is run, who follows, and what each gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cache_fakes import FakeStore, Lean, make_cache, make_job, make_verdict
from cached_pool_case import Case
from structlog.testing import capture_logs

from streamverify.cache.guard import Guard
from streamverify.core.audit.policy import check
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.job import Job, Verdict
from streamverify.core.messages.models import Assurance, Checker, Finding, Reason
from streamverify.core.syntax.header import parse_header


def test_identical_work_on_its_way_is_run_once_and_answered_to_each() -> None:
    case = Case()
    first, second, third = (make_job(offset=number) for number in range(3))
    case.submit(first, second, third)
    case.look_up()
    assert case.running == [first]
    assert case.pool.queued == 2
    case.real.finish(make_verdict(Reason.SORRY))
    assert [case.answers[job].cached_age for job in (first, second, third)] == [None, 0.0, 0.0]
    assert {verdict.reason for verdict in case.answers.values()} == {Reason.SORRY}
    assert case.pool.status()["followed"] == 2
    # And what comes later has it from the cache.
    later = make_job(offset=9)
    case.submit(later)
    case.look_up()
    assert case.running == []
    assert case.answers[later].reason is Reason.SORRY
    assert (case.answers[later].cached_age or 0.0) >= 0.0


@pytest.mark.parametrize(
    "reason",
    [
        Reason.TIMEOUT,
        Reason.REPL_CRASH,
        Reason.OUT_OF_MEMORY,
        Reason.WORKER_ERROR,
        Reason.EXPIRED,
        Reason.IMPORT_FAILED,
        Reason.HEADER_ERROR,
        Reason.PROTOCOL_VIOLATION,
        Reason.INVALID_REQUEST,
    ],
)
def test_without_a_verdict_for_all_each_is_run_by_itself(reason: Reason) -> None:
    case = Case()
    jobs = [make_job(offset=number) for number in range(3)]
    case.submit(*jobs)
    case.look_up()
    case.real.finish(make_verdict(reason))
    assert case.running == jobs[1:]
    assert list(case.answers) == jobs[:1]
    case.submit(again := make_job(offset=7))
    case.look_up()
    assert again in case.running, "nothing was kept"


def test_what_was_cut_is_not_shared() -> None:
    case = Case()
    jobs = [make_job(offset=number, all_tactics=True) for number in range(2)]
    case.submit(*jobs)
    case.look_up()
    case.real.finish(make_verdict(truncated=("tactics",)))
    assert case.running == jobs[1:]


@pytest.mark.parametrize(
    "other",
    [
        {"timeout": 5.0},
        {"proof": "theorem t : 1 = 1 := rfl\n"},
        {"theorem": "t"},
        {"statement": "theorem t : 1 = 1 := sorry"},
        {"all_tactics": True},
        {"infotree_type": "full"},
    ],
)
def test_other_work_does_not_follow(other: dict[str, Any]) -> None:
    case = Case()
    jobs = [make_job(), make_job(offset=1, **other)]
    case.submit(*jobs)
    case.look_up()
    assert case.running == jobs


def test_a_default_timeout_is_the_same_work_as_that_timeout() -> None:
    case = Case()
    case.submit(make_job(), make_job(offset=1, timeout=60.0))
    case.look_up()
    assert len(case.running) == 1


def test_disable_cache_neither_asks_nor_keeps_nor_follows() -> None:
    case = Case()
    case.submit(make_job())
    case.look_up()
    case.submit(fresh := make_job(offset=1, disable_cache=True))
    assert case.running[-1] is fresh, "it was not even looked up"
    _, on_done = case.real.jobs.pop()
    on_done(fresh, make_verdict())
    assert case.answers[fresh].cached_age is None
    assert case.cache.counts["kept"] == 0


def test_a_proof_that_runs_code_is_not_cached() -> None:
    case = Case()
    proof = "#eval 1"
    findings = check(proof, parse_header(proof), SHIPPED)
    assert findings
    jobs = []
    for number in range(2):
        job = make_job(proof, number)
        jobs.append(Job(job.record, job.request, job.header, findings=findings))
    harmless = make_job("theorem é : True := trivial")
    finding = Finding(rule="unknown_option", line=1, column=0, excerpt="x")
    case.submit(*jobs)
    assert case.running == jobs
    case.submit(Job(harmless.record, harmless.request, harmless.header, findings=[finding]))
    assert case.running == jobs, "what cannot run code is looked up, whatever else the policy finds"


def test_the_next_one_leads_where_the_first_is_revoked_or_superseded() -> None:
    case = Case()
    jobs = [make_job(offset=number) for number in range(4)]
    case.submit(*jobs)
    case.look_up()
    assert case.pool.discard(lambda job: job.record.id.partition == 0) == [jobs[3], jobs[0]]
    assert case.running == [jobs[1]]
    case.pool.supersede(jobs[1], make_verdict(Reason.SUPERSEDED))
    assert case.running == [jobs[2]]
    assert case.answers[jobs[1]].reason is Reason.SUPERSEDED
    case.real.finish(make_verdict())
    assert case.answers.keys() == {jobs[1], jobs[2]}
    assert case.pool.queued == 0


def test_who_follows_or_is_looked_up_can_be_superseded_at_once() -> None:
    case = Case()
    jobs = [make_job(offset=number) for number in range(2)]
    case.submit(*jobs)
    case.look_up()
    case.submit(asking := make_job(offset=5))
    for job in (jobs[1], asking):
        case.pool.supersede(job, make_verdict(Reason.SUPERSEDED))
        assert case.answers[job].reason is Reason.SUPERSEDED
        assert case.answers[job].timings.total > 0
    case.look_up()
    case.real.finish(make_verdict())
    assert len(case.answers) == 3


def test_a_job_that_runs_alone_follows_nobody() -> None:
    case = Case()
    case.submit(make_job())
    case.look_up()
    case.submit(suspect := make_job(offset=1), alone=True)
    case.look_up()
    assert case.real.alone == [suspect], "whom it would follow is held until it has ended"
    # And where its verdict is known it is not run at all.
    _, on_done = case.real.jobs.pop()
    on_done(suspect, make_verdict())
    case.submit(again := make_job(offset=2), alone=True)
    case.look_up()
    assert case.answers[again].cached_age is not None


def test_after_drain_nothing_is_started_and_what_runs_still_answers_its_followers() -> None:
    case = Case()
    jobs = [make_job(offset=number) for number in range(2)]
    case.submit(*jobs)
    case.look_up()
    case.submit(late := make_job("theorem late : True := trivial", 5))
    case.pool.drain()
    case.look_up()
    assert late not in case.answers
    assert case.running == jobs[:1]
    case.real.finish(make_verdict())
    assert list(case.answers) == jobs


def test_identical_work_is_taken_above_audited_once_and_what_came_of_it_is_kept() -> None:
    case = Case(make_cache(vocabulary_of=Lean({make_job().header.fingerprint: SHIPPED})))
    jobs = [make_job(offset=number, assurance=Assurance.REPLAYED) for number in range(3)]
    case.submit(*jobs)
    case.look_up()
    case.real.finish(make_verdict(assurance=Assurance.AUDITED))
    [(leader, on_done)] = case.tiers.in_tiers
    assert (leader, case.answers, case.cache.counts["kept"]) == (jobs[0], {}, 0)
    checkers = [Checker(name="leanchecker", outcome="accepted", seconds=0.1)]
    on_done(leader, make_verdict(assurance=Assurance.REPLAYED, checkers=checkers, export_sha256="a" * 64))
    assert {verdict.assurance for verdict in case.answers.values()} == {Assurance.REPLAYED}
    case.submit(again := make_job(offset=8, assurance=Assurance.REPLAYED))
    case.look_up()
    assert (case.answers[again].checkers, case.answers[again].export_sha256) == (checkers, "a" * 64)


def test_who_leads_on_the_way_up_is_followed_by_the_next_when_it_is_revoked_or_superseded() -> None:
    case = Case()
    jobs = [make_job(offset=number, assurance=Assurance.REPLAYED) for number in range(3)]
    case.submit(*jobs)
    case.look_up()
    case.real.finish(make_verdict(assurance=Assurance.AUDITED))
    assert case.pool.discard(lambda job: job is jobs[0]) == [jobs[0]]
    assert case.running == [jobs[1]]
    case.real.finish(make_verdict(assurance=Assurance.AUDITED))
    assert case.tiers.supersede(jobs[1], make_verdict(Reason.SUPERSEDED))
    assert case.running == [jobs[2]]


def test_a_higher_tier_takes_the_place_of_a_lower_one() -> None:
    case = Case(make_cache(Guard(store := FakeStore()), vocabulary_of=Lean({make_job().header.fingerprint: SHIPPED})))
    job = make_job(assurance=Assurance.AUDITED)
    for assurance in (Assurance.AUDITED, Assurance.REPLAYED):
        case.cache.keep(job, make_verdict(assurance=assurance))
    assert [entry.weight for entry in case.cache._unwritten if entry.weight] == [2, 3]
    case.submit(again := make_job(offset=8, assurance=Assurance.AUDITED))
    case.look_up()
    assert case.answers[again].assurance is Assurance.REPLAYED
    assert not store.values


def test_a_callback_that_fails_stops_nobody_else() -> None:
    case = Case()

    def fail(_job: Job, _verdict: Verdict) -> None:
        raise ZeroDivisionError

    case.pool.submit(make_job(), fail)
    case.submit(second := make_job(offset=1))
    case.look_up()
    with capture_logs() as logs:
        case.real.finish(make_verdict())
    assert [entry["event"] for entry in logs] == ["on_done_failed"]
    assert second in case.answers


async def test_a_cache_that_has_a_bug_costs_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case()

    async def fail(_jobs: list[Job]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(case.cache, "find", fail)
    task = asyncio.create_task(case.pool.run())
    with capture_logs() as logs:
        case.submit(job := make_job())
        async with asyncio.timeout(60):
            while job not in case.running:
                await asyncio.sleep(0.01)
    assert [entry["event"] for entry in logs] == ["cache_failed"]
    task.cancel()
