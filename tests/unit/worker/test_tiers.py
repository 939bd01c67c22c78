"""Which proofs a worker takes above `audited`, when it answers, and when their records are complete."""

from __future__ import annotations

import json
from typing import Any

import pytest
from service_bench import Bench
from structlog.testing import capture_logs

from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.job import RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import Assurance, Checker, ProofResult, Reason, Response, Theorem
from streamverify.core.messages.newest import newest
from streamverify.core.tiers.tier_steps import Conclusion, verdict_after
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.settings import Settings

PROOF = "theorem t : True := trivial"
AUDITED = Verdict(
    Reason.OK,
    "Lean accepted the whole file, and the audit found nothing.",
    Response(),
    assurance=Assurance.AUDITED,
    theorems=[Theorem(name="t")],
)
NANODA = Checker(name="nanoda", outcome="accepted")
REPLAYED = verdict_after(AUDITED, Conclusion(Reason.OK, "accepted", Assurance.REPLAYED, (NANODA,), "0" * 64), 1.0)
REFUSED = verdict_after(
    AUDITED,
    Conclusion(Reason.KERNEL, "refused", Assurance.AUDITED, (Checker(name="nanoda", outcome="refused"),), "0" * 64),
    1.0,
)
TIMEOUT = verdict_after(AUDITED, Conclusion(Reason.TIMEOUT, "late", Assurance.AUDITED, (), None, final=True), 1.0)


def bench(*, upgrade: str = "none", reach: Assurance = Assurance.REPLAYED) -> Bench:
    settings = Settings.model_validate({"require": "audited", "upgrade": upgrade})
    return Bench(settings=settings, reachable=ReachableTiers(reach, "no kernel"))


def deliver(b: Bench, offset: int = 5, **fields: Any) -> None:
    b.deliver(json.dumps({"custom_id": "a", "proof": PROOF, **fields}).encode(), offset)


def results(b: Bench) -> list[ProofResult]:
    return [decode_result(record.value) for record in b.publisher.records]


@pytest.mark.parametrize(
    ("verdict", "status", "assurance", "reached"),
    [
        (REPLAYED, "verified", "replayed", None),
        (REFUSED, "rejected", "none", "audited"),
        (TIMEOUT, "inconclusive", "none", "audited"),
    ],
)
def test_a_required_tier_is_waited_for(verdict: Verdict, status: str, assurance: str, reached: str | None) -> None:
    b = bench()
    deliver(b, require="replayed")
    b.pool.finish(AUDITED)
    # The audit has verified it: nothing is published, and nothing is complete.
    assert (b.publisher.records, b.partitions.completed) == ([], [])
    [(job, on_done)] = b.replays.required
    on_done(job, verdict)
    [result] = results(b)
    assert (result.status, result.assurance, result.reached) == (status, assurance, reached)
    assert (result.error is None) == (status != "inconclusive")
    assert b.partitions.completed == []
    b.publisher.records[0].on_ack()
    assert [each.offset for each in b.partitions.completed] == [5]
    assert b.replays.upgrades == []


def test_what_does_not_get_through_the_audit_goes_no_further() -> None:
    b = bench(upgrade="replayed")
    deliver(b, require="replayed")
    b.pool.finish(Verdict(Reason.AXIOM, "It has one.", Response(), assurance=Assurance.AUDITED))
    b.publisher.records[0].on_ack()
    assert (b.replays.required, b.replays.upgrades) == ([], [])
    assert results(b)[0].reason is Reason.AXIOM


def test_what_asks_for_less_is_answered_at_once() -> None:
    b = bench()
    deliver(b)
    b.pool.finish(AUDITED)
    b.publisher.records[0].on_ack()
    assert (results(b)[0].assurance, b.replays.required, b.replays.upgrades) == ("audited", [], [])


@pytest.mark.parametrize("reach", [Assurance.AUDITED, Assurance.REPLAYED])
def test_a_tier_out_of_reach_is_unsupported_before_anything_is_run(reach: Assurance) -> None:
    b = bench(reach=reach)
    deliver(b, require="cross_checked")
    [result] = results(b)
    assert (result.reason, result.retriable, b.pool.jobs) == (Reason.UNSUPPORTED, False, [])
    assert "no kernel" in result.summary
    assert f"reaches {reach}" in result.summary


def test_an_upgrade_is_a_second_result_for_a_record_that_is_complete() -> None:
    b = bench(upgrade="replayed")
    deliver(b)
    b.pool.finish(AUDITED)
    # Not before the broker has the first: a reader could see them the other way round.
    assert b.replays.upgrades == []
    b.publisher.records[0].on_ack()
    assert [each.offset for each in b.partitions.completed] == [5]
    [(job, target, on_done)] = b.replays.upgrades
    assert target is Assurance.REPLAYED
    # The partition may be another worker's by now: what was found holds all the same.
    b.partitions.owned = Ownership.LOST
    on_done(job, REPLAYED)
    first, second = results(b)
    assert (first.source, first.custom_id) == (second.source, second.custom_id)
    assert (first.assurance, second.assurance) == ("audited", "replayed")
    assert newest([second, first])["a"] == newest([first, second])["a"] == second
    assert b.tiers.upgraded == 0
    b.publisher.records[1].on_ack()
    assert (b.tiers.upgraded, len(b.partitions.completed)) == (1, 1)
    assert b.service.answers.activity.so_far(0.0).total == 1


def test_a_checker_that_refuses_what_was_audited_is_published_and_said() -> None:
    b = bench(upgrade="replayed")
    deliver(b)
    b.pool.finish(AUDITED)
    b.publisher.records[0].on_ack()
    [(job, _, on_done)] = b.replays.upgrades
    with capture_logs() as logs:
        on_done(job, REFUSED)
    first, second = results(b)
    assert newest([second, first])["a"] == newest([first, second])["a"] == second
    assert second.reason is Reason.KERNEL
    assert [each["event"] for each in logs] == ["audited_proof_refused"]


def test_a_required_tier_below_the_upgrade_is_answered_and_then_upgraded() -> None:
    b = bench(upgrade="cross_checked", reach=Assurance.CROSS_CHECKED)
    deliver(b, require="replayed")
    b.pool.finish(AUDITED)
    [(job, on_done)] = b.replays.required
    on_done(job, REPLAYED)
    b.publisher.records[0].on_ack()
    assert [target for _, target, _ in b.replays.upgrades] == [Assurance.CROSS_CHECKED]


def test_upgrades_that_are_turned_away_are_said_once() -> None:
    b = bench(upgrade="replayed")
    b.replays.room = False
    with capture_logs() as logs:
        for offset in range(3):
            deliver(b, offset)
            b.pool.finish(AUDITED)
            b.publisher.records[-1].on_ack()
    assert [each["event"] for each in logs] == ["upgrades_turned_away"]


def test_what_waits_for_its_tier_is_dropped_with_its_partition() -> None:
    b = bench()
    deliver(b, require="replayed")
    b.pool.finish(AUDITED)
    b.service.drop(frozenset({1}))
    assert len(b.replays.required) == 1
    b.service.drop(frozenset({2}))
    assert (b.replays.required, b.publisher.records) == ([], [])
    assert [each.offset for each in b.partitions.forgotten] == [5]


def test_an_inconclusive_tier_of_a_lost_partition_is_left_to_its_new_owner() -> None:
    b = bench()
    deliver(b, require="replayed")
    b.pool.finish(AUDITED)
    b.partitions.owned = Ownership.LOST
    [(job, on_done)] = b.replays.required
    on_done(job, TIMEOUT)
    assert b.publisher.records == []


def test_an_attempt_on_its_way_up_is_superseded_and_wins_only_with_its_tier() -> None:
    b = bench()
    group = {"group": "g", "first_success": True, "theorem": "t", "require": "replayed"}
    deliver(b, 5, **group)
    deliver(b, 6, **{**group, "custom_id": "b"})
    b.pool.finish(AUDITED)
    assert b.announced == []
    b.pool.finish(AUDITED)
    [(_, _), (job, on_done)] = b.replays.required
    on_done(job, REPLAYED)
    b.publisher.records[0].on_ack()
    # The first, which waits for its tier, is ended by the second.
    assert [(each.custom_id, each.reason) for each in results(b)] == [("b", "ok"), ("a", "superseded")]
    assert [each.assurance for each in b.announced] == [Assurance.REPLAYED]


def test_a_suspect_does_not_start_while_a_proof_is_on_its_way_up() -> None:
    b = bench()
    b.replays.running = 1
    b.deliver(json.dumps({"custom_id": "s", "proof": PROOF}).encode(), 9, worker_deaths=1, quarantined=True)
    assert (b.pool.paused, b.partitions.attempts) == (True, [])
    b.replays.running = 0
    b.service.resume()
    assert b.partitions.attempts == [RecordId(2, 9, 4)]
