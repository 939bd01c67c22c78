"""The service with fakes around it: what is published, what is completed, and when."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from service_bench import EPOCH, Bench
from structlog.testing import capture_logs

from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.job import RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.messages.models import Assurance, Reason, Response, Timings
from streamverify.worker import service as module
from streamverify.worker.results import ResultBuilder

if TYPE_CHECKING:
    from streamverify.core.groups.groups import Winner

PROOF = "theorem t : 1 = 1 := rfl"
RECORD = RecordId(2, 5, EPOCH)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def request(**fields: Any) -> bytes:
    return json.dumps({"custom_id": "a", "proof": PROOF} | fields).encode()


def test_a_verdict_is_published_and_completed_only_when_acknowledged(bench: Bench) -> None:
    bench.deliver(request(metadata={"n": 1}))
    bench.pool.finish(Verdict(Reason.OK, "fine", Response(), timings=Timings(run=1.23456789)))
    [record] = bench.publisher.records
    result = decode_result(record.value)
    assert (record.topic, record.key) == ("lean.results", b"a")
    assert record.kafka_headers == [("trace", b"1"), ("streamverify-status", b"verified")]
    assert (result.status, result.assurance, result.worker, result.metadata) == (
        "verified",
        "checked",
        "worker-1",
        {"n": 1},
    )
    assert (result.source.partition, result.source.offset, result.source.timestamp) == (2, 5, 77)
    assert result.proof_sha256 == hashlib.sha256(PROOF.encode()).hexdigest()
    assert result.timings.run == 1.234568
    assert bench.partitions.completed == []
    record.on_ack()
    assert bench.partitions.completed == [RECORD]
    assert bench.partitions.commits == ["soon"]


def test_a_result_is_urgent_unless_jobs_wait_for_a_slot(bench: Bench) -> None:
    for offset, queued in enumerate((1, 0)):
        bench.deliver(request(), offset=offset)
        bench.pool.queued = queued
        bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    assert bench.publisher.urgent == [False, True]


@pytest.mark.parametrize(
    ("reason", "published"), [(Reason.OK, 1), (Reason.LEAN_ERROR, 1), (Reason.TIMEOUT, 0), (Reason.REPL_CRASH, 0)]
)
def test_of_a_lost_partition_only_definite_verdicts_are_published(bench: Bench, reason: Reason, published: int) -> None:
    bench.deliver(request())
    bench.partitions.owned = Ownership.LOST
    bench.pool.finish(Verdict(reason, "said", Response()))
    assert len(bench.publisher.records) == published
    assert bench.partitions.forgotten == [RECORD] * (1 - published)


@pytest.mark.parametrize(("later", "published"), [(Ownership.OWNED, 1), (Ownership.LOST, 0), (Ownership.UNKNOWN, 0)])
def test_an_inconclusive_verdict_waits_until_the_assignment_is_known(
    bench: Bench, later: Ownership, published: int
) -> None:
    bench.deliver(request())
    bench.partitions.owned = Ownership.UNKNOWN
    bench.pool.finish(Verdict(Reason.TIMEOUT, "said"))
    assert bench.publisher.records == []
    bench.partitions.owned = later
    bench.service.assignment_known()
    assert len(bench.publisher.records) == published
    assert bench.partitions.forgotten == ([RECORD] if later is Ownership.LOST else [])


def test_a_definite_verdict_is_published_at_once_whoever_owns_the_partition(bench: Bench) -> None:
    bench.deliver(request())
    bench.partitions.owned = Ownership.UNKNOWN
    bench.pool.finish(Verdict(Reason.LEAN_ERROR, "said"))
    assert len(bench.publisher.records) == 1


def test_queued_jobs_of_a_lost_partition_are_dropped_and_forgotten(bench: Bench) -> None:
    bench.deliver(request())
    bench.service.drop(frozenset({1}))
    assert bench.partitions.forgotten == []
    bench.service.drop(frozenset({2}))
    assert bench.partitions.forgotten == [RECORD]
    assert bench.pool.jobs == []
    assert bench.publisher.records == []


def test_a_quarantined_job_waits_for_the_commit_that_has_its_attempt(bench: Bench) -> None:
    bench.deliver(request(), quarantined=True)
    assert bench.pool.jobs == []
    assert (bench.partitions.attempts, bench.partitions.commits) == ([RECORD], ["now"])
    bench.service.attempts_committed(frozenset({RECORD}))
    assert len(bench.pool.jobs) == 1
    assert bench.pool.alone == []


def test_a_record_with_an_attempt_runs_alone(bench: Bench) -> None:
    bench.pool.running = 1
    bench.deliver(request(), quarantined=True, attempts=1)
    assert bench.pool.paused
    assert bench.partitions.attempts == []
    bench.deliver(request(), offset=6)
    bench.pool.running = 0
    bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    assert bench.partitions.attempts == [RECORD]
    bench.service.attempts_committed(frozenset({RECORD}))
    assert len(bench.pool.alone) == 1
    bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    assert bench.pool.paused, "its attempt would be in the next commit, and the next death its own"
    bench.publisher.records[-1].on_ack()
    assert not bench.pool.paused


def test_an_isolated_record_waits_for_shared_ones_on_their_way_before_it_holds_the_pool(bench: Bench) -> None:
    bench.deliver(request(), quarantined=True)
    bench.deliver(request(), offset=6, quarantined=True, attempts=1)
    assert not bench.pool.paused, "the shared record may wait in the pool, and both would wait for each other"
    bench.service.attempts_committed(frozenset({RECORD}))
    assert not bench.pool.paused
    bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    bench.publisher.records[-1].on_ack()
    assert bench.pool.paused
    assert bench.partitions.attempts == [RECORD, RecordId(2, 6, EPOCH)]


def test_a_poison_gets_a_final_result_and_a_dead_letter_and_is_complete_after_both(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.deliver(request(), quarantined=True, attempts=4)
    assert [(each["event"], each["custom_id"]) for each in logs] == [("dead_letter", "a")]
    assert bench.pool.jobs == []
    result, letter = bench.publisher.records
    verdict = decode_result(result.value)
    assert (verdict.status, verdict.reason, verdict.retriable) == ("inconclusive", "repl_crash", False)
    assert verdict.attempts == 4
    buried = DeadLetter.from_record(key=letter.key, value=letter.value, kafka_headers=letter.kafka_headers)
    assert (buried.stage, buried.attempts, buried.value) == ("verify", 4, request())
    result.on_ack()
    assert bench.partitions.completed == []
    letter.on_ack()
    assert bench.partitions.completed == [RECORD]
    done = bench.service.activity.so_far(0.0)
    assert (done.by_reason(), done.dead_letters) == ({"repl_crash": 1}, 1)


def test_what_is_answered_is_counted_when_the_broker_has_it(bench: Bench) -> None:
    for offset, reason in enumerate((Reason.OK, Reason.SORRY, Reason.OK)):
        bench.deliver(request(), offset=offset)
        bench.pool.finish(Verdict(reason, "done", Response()))
    assert bench.service.activity.so_far(0.0).total == 0
    for record in bench.publisher.records:
        record.on_ack()
    assert bench.service.activity.so_far(0.0).by_reason() == {"ok": 2, "sorry": 1}


def test_a_record_with_one_death_less_is_no_poison(bench: Bench) -> None:
    bench.deliver(request(), quarantined=True, attempts=3)
    assert bench.publisher.records == []
    assert bench.partitions.attempts == [RECORD]


def test_while_paused_no_quarantined_record_is_started(bench: Bench) -> None:
    bench.deliver(request(), quarantined=True)
    bench.service.pause()
    assert bench.partitions.withdrawn == [RECORD]
    bench.service.attempts_committed(frozenset({RECORD}))
    assert bench.pool.jobs == []
    bench.service.resume()
    assert bench.partitions.attempts == [RECORD, RECORD]
    bench.service.attempts_committed(frozenset({RECORD}))
    assert len(bench.pool.jobs) == 1


def test_a_request_that_needs_no_lean_is_answered_at_once(bench: Bench) -> None:
    bench.deliver(request(timeout=0))
    assert bench.pool.jobs == []
    [record] = bench.publisher.records
    assert decode_result(record.value).reason == Reason.INVALID_REQUEST


def test_a_record_without_a_custom_id_becomes_a_dead_letter(bench: Bench) -> None:
    bench.deliver(b"\xff")
    [record] = bench.publisher.records
    letter = DeadLetter.from_record(key=record.key, value=record.value, kafka_headers=record.kafka_headers)
    assert (record.topic, record.key, record.value, record.timestamp_ms) == ("lean.proofs.dlq", b"key", b"\xff", 77)
    assert (letter.source.offset, letter.group, letter.stage) == (5, "streamverify", "decode")
    assert list(letter.kafka_headers) == [("trace", b"1")]
    record.on_ack()
    assert bench.partitions.completed == [RECORD]
    assert record.smaller is not None
    assert record.smaller().value is None


def test_a_record_that_trips_our_own_code_becomes_a_dead_letter_and_the_next_is_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "take_in", lambda *_: 1 / 0)
        bench.deliver(request())
    bench.deliver(request(), offset=6)
    [record] = bench.publisher.records
    letter = DeadLetter.from_record(key=record.key, value=record.value, kafka_headers=record.kafka_headers)
    assert letter.exception_class == "builtins.ZeroDivisionError"
    assert len(bench.pool.jobs) == 1


def test_an_answer_that_is_too_large_is_cut_and_has_a_smaller_form() -> None:
    bench = Bench(limit=20_000)
    bench.deliver(request(metadata={"keep": "me"}))
    response = Response(infotree=["x" * 30_000], time=1.0)
    bench.pool.finish(Verdict(Reason.OK, "fine", response))
    [record] = bench.publisher.records
    result = decode_result(record.value)
    assert (result.truncated, result.metadata) == (["infotree"], {"keep": "me"})
    assert record.smaller is not None
    bare = record.smaller()
    assert decode_result(bare.value).reason == Reason.OK
    assert decode_result(bare.value).metadata is None
    assert bare.kafka_headers == [("streamverify-status", b"verified")]
    assert bare.smaller is None
    bare.on_ack()
    assert bench.partitions.completed == [RECORD]


def test_a_result_that_cannot_be_written_is_the_workers_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([ValueError("no"), None])
    original = ResultBuilder.result

    def result(self: ResultBuilder, *args: Any) -> Any:
        error = next(calls)
        if error:
            raise error
        return original(self, *args)

    monkeypatch.setattr(ResultBuilder, "result", result)
    bench.deliver(request())
    bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    [record] = bench.publisher.records
    assert decode_result(record.value).reason == Reason.WORKER_ERROR


# --- groups of attempts ---------------------------------------------------------------------------------------------


def attempt(custom_id: str, **fields: Any) -> bytes:
    given = {"custom_id": custom_id, "group": "g", "first_success": True, "statement": "theorem t : 1 = 1 := by sorry"}
    return request(**given | fields)


def verdicts(bench: Bench) -> list[tuple[str, str, str | None]]:
    results = [decode_result(record.value) for record in bench.publisher.records]
    return [(result.custom_id, str(result.reason), result.superseded_by) for result in results]


def test_a_success_supersedes_the_others_of_its_group_once_the_broker_has_it(bench: Bench) -> None:
    for offset, name in enumerate("abc"):
        bench.deliver(attempt(name), offset=offset)
    bench.deliver(attempt("d", statement="theorem t : 2 = 2 := by sorry"), offset=3)
    bench.pool.queued = 1
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    assert bench.announced == []
    assert bench.pool.groups.held.total() == 1, "meanwhile other work is better started"
    assert bench.publisher.urgent == [True]
    bench.publisher.records[0].on_ack()
    assert verdicts(bench) == [("a", "ok", None), ("b", "superseded", "a"), ("c", "superseded", "a")]
    assert [(each.custom_id, each.assurance) for each in bench.announced] == [("a", "checked")]
    assert (bench.pool.groups.held.total(), len(bench.pool.jobs)) == (0, 1)
    bench.deliver(attempt("e"), offset=4)
    assert verdicts(bench)[-1] == ("e", "superseded", "a")
    bench.deliver(attempt("a"), offset=0)
    assert len(bench.pool.jobs) == 2, "the winner is never superseded"


def test_a_superseded_result_is_inconclusive_not_retriable_and_names_the_winner(bench: Bench) -> None:
    bench.superseding.hear(winner_of(bench, "w" * 200))
    bench.deliver(attempt("a"), offset=1)
    result = decode_result(bench.publisher.records[-1].value)
    assert (result.status, result.reason, result.retriable) == ("inconclusive", "superseded", False)
    assert result.superseded_by == "w" * 200
    assert result.response is None
    assert (result.attempts, result.group) == (0, "g")
    bench.publisher.records[-1].on_ack()
    assert bench.partitions.completed == [RecordId(2, 1, EPOCH)]


def winner_of(bench: Bench, custom_id: str) -> Winner:
    """What another worker announces."""
    other = Bench()
    other.deliver(attempt(custom_id), offset=90)
    other.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    other.publisher.records[0].on_ack()
    assert bench.announced == []
    return other.announced[0]


def test_a_running_attempt_that_is_not_worth_ending_keeps_its_own_verdict(bench: Bench) -> None:
    bench.deliver(attempt("a"), offset=1)
    bench.deliver(attempt("b"), offset=2)
    bench.pool.running = 1
    bench.superseding.hear(winner_of(bench, "w"))
    assert verdicts(bench) == [("b", "superseded", "w")]
    bench.pool.finish(Verdict(Reason.LEAN_ERROR, "wrong", response=Response()))
    assert verdicts(bench)[-1] == ("a", "lean_error", None)
    bench.superseding.hear(winner_of(bench, "v"))
    assert len(bench.publisher.records) == 2


def test_an_attempt_in_quarantine_is_run_and_may_win(bench: Bench) -> None:
    bench.superseding.hear(winner_of(bench, "w"))
    bench.deliver(attempt("a"), quarantined=True)
    bench.service.attempts_committed(frozenset({RECORD}))
    bench.superseding.hear(winner_of(bench, "v"))
    assert bench.publisher.records == []
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    bench.publisher.records[-1].on_ack()
    assert [each.custom_id for each in bench.announced] == ["a"]


@pytest.mark.parametrize(("later", "announced"), [(Ownership.OWNED, 1), (Ownership.LOST, 0), (Ownership.UNKNOWN, 0)])
def test_a_success_is_announced_when_it_is_known_to_be_ours(bench: Bench, later: Ownership, announced: int) -> None:
    bench.deliver(attempt("a"), offset=1)
    bench.deliver(attempt("b"), offset=2)
    bench.partitions.owned = Ownership.UNKNOWN
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    bench.publisher.records[-1].on_ack()
    assert (bench.announced, len(bench.pool.jobs)) == ([], 1)
    bench.partitions.owned = later
    bench.service.assignment_known()
    assert (len(bench.announced), len(bench.pool.jobs)) == (announced, 1 - announced)


def test_dropped_attempts_are_superseded_nowhere_but_where_they_went(bench: Bench) -> None:
    bench.deliver(attempt("a"), offset=1)
    bench.service.drop(frozenset({2}))
    bench.superseding.hear(winner_of(bench, "w"))
    assert bench.publisher.records == []


def test_who_asked_for_more_than_the_winner_has_is_run(bench: Bench) -> None:
    bench.superseding.hear(winner_of(bench, "w")._replace(assurance=Assurance.NONE))
    bench.deliver(attempt("a"), offset=1)
    assert len(bench.pool.jobs) == 1


@pytest.mark.parametrize("fields", [{"statement": None}, {"group": None}, {"first_success": False}, {"run": "r"}])
def test_who_is_of_no_group_or_of_another_run_is_run(bench: Bench, fields: dict[str, Any]) -> None:
    bench.superseding.hear(winner_of(bench, "w"))
    bench.deliver(attempt("a", **fields), offset=1)
    assert len(bench.pool.jobs) == 1
