"""What is published for a record, and when it is complete, between fakes."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from service_bench import PROOF, RECORD, Bench, request
from structlog.testing import capture_logs

from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.job import Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.messages.models import Reason, Response, Timings
from streamverify.worker.results import ResultBuilder


@pytest.fixture
def bench() -> Bench:
    return Bench()


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


def test_a_poison_gets_a_final_result_and_a_dead_letter_and_is_complete_after_both(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.deliver(request(), quarantined=True, worker_deaths=4)
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
    done = bench.service.answers.activity.so_far(0.0)
    assert (done.by_reason(), done.dead_letters) == ({"repl_crash": 1}, 1)


def test_what_is_answered_is_counted_when_the_broker_has_it(bench: Bench) -> None:
    for offset, reason in enumerate((Reason.OK, Reason.SORRY, Reason.OK)):
        bench.deliver(request(), offset=offset)
        bench.pool.finish(Verdict(reason, "done", Response()))
    assert bench.service.answers.activity.so_far(0.0).total == 0
    for record in bench.publisher.records:
        record.on_ack()
    assert bench.service.answers.activity.so_far(0.0).by_reason() == {"ok": 2, "sorry": 1}


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
