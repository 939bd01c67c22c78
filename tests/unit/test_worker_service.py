"""The service with fakes around it: what is published, what is completed, and when."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import ConsumerRecord

from streamverify.core.codec import RequestLimits, decode_result
from streamverify.core.deadletter import DeadLetter
from streamverify.core.ledger import Admission, Place, Standing
from streamverify.core.models import Reason, Response, Timings, Verifier
from streamverify.core.offsets import Delivery
from streamverify.core.policy import Trusted
from streamverify.core.verdict import Verdict
from streamverify.settings import Settings
from streamverify.worker import service as module
from streamverify.worker.answers import Answerer
from streamverify.worker.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.bus.consumer import RequestConsumer
    from streamverify.bus.publisher import Outgoing, Publisher
    from streamverify.core.jobs import Job
    from streamverify.lean.pool import Pool

PROOF = "theorem t : 1 = 1 := rfl"
LINEAGE = 4
PLACE = Place(2, 5, LINEAGE)


class FakePool:
    """Keeps the jobs; the test says when one is done."""

    def __init__(self) -> None:
        self.trusted = Trusted()
        self.jobs: list[tuple[Job, Callable[[Job, Verdict], None]]] = []
        self.running = 0
        self.held = False
        self.alone: list[Job] = []

    def submit(self, job: Job, on_done: Callable[[Job, Verdict], None], *, alone: bool = False) -> None:
        self.jobs.append((job, on_done))
        if alone:
            self.alone.append(job)

    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        gone = [job for job, _ in self.jobs if doomed(job)]
        self.jobs = [(job, on_done) for job, on_done in self.jobs if not doomed(job)]
        return gone

    def finish(self, verdict: Verdict) -> None:
        job, on_done = self.jobs.pop(0)
        on_done(job, verdict)


class FakeConsumer:
    """Owns the partitions until the test takes them away."""

    def __init__(self) -> None:
        self.stands = Standing.OURS
        self.completed: list[Place] = []
        self.forgotten: list[Place] = []
        self.marked: list[Place] = []

    def standing(self, _place: Place) -> Standing:
        return self.stands

    def complete(self, place: Place) -> None:
        self.completed.append(place)

    def forget(self, place: Place) -> None:
        self.forgotten.append(place)

    def mark(self, places: Iterable[Place]) -> None:
        self.marked += places


class FakePublisher:
    """Keeps what is published; the test acknowledges."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    def publish(self, record: Outgoing) -> None:
        self.records.append(record)


class Bench:
    """A service between its fakes."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.pool, self.consumer, self.publisher = FakePool(), FakeConsumer(), FakePublisher()
        self.service = Service(
            Settings(require="checked"),
            RequestLimits(max_proof_bytes=1000),
            cast("Pool", self.pool),
            cast("Publisher", self.publisher),
            Answerer("worker-1", Verifier(kind="synthetic"), "lean.results", limit),
            slots=2,
        )
        self.service.consumer = cast("RequestConsumer", self.consumer)

    def deliver(self, value: bytes | None, offset: int = 5, *, attempts: int = 0, careful: bool = False) -> None:
        record = ConsumerRecord(
            topic="lean.proofs",
            partition=2,
            offset=offset,
            timestamp=77,
            timestamp_type=0,
            key=b"key",
            value=value,
            checksum=None,
            serialized_key_size=3,
            serialized_value_size=0,
            headers=(("trace", b"1"),),
        )
        place = Place(2, offset, LINEAGE)
        self.service.receive(cast("Any", record), Admission(place, Delivery.NEW, attempts, careful))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def request(**fields: Any) -> bytes:
    return json.dumps({"custom_id": "a", "proof": PROOF} | fields).encode()


def test_a_verdict_is_published_and_completed_only_when_acknowledged(bench: Bench) -> None:
    bench.deliver(request(metadata={"n": 1}))
    bench.pool.finish(Verdict(Reason.OK, timings=Timings(run=1.23456789)))
    [record] = bench.publisher.records
    result = decode_result(record.value)
    assert (record.topic, record.key) == ("lean.results", b"a")
    assert record.headers == [("trace", b"1"), ("streamverify-status", b"verified")]
    assert (result.status, result.assurance, result.worker, result.metadata) == (
        "verified",
        "checked",
        "worker-1",
        {"n": 1},
    )
    assert (result.source.partition, result.source.offset, result.source.timestamp) == (2, 5, 77)
    assert result.proof_sha256 == hashlib.sha256(PROOF.encode()).hexdigest()
    assert result.timings.run == 1.234568
    assert bench.consumer.completed == []
    record.on_ack()
    assert bench.consumer.completed == [PLACE]


@pytest.mark.parametrize(
    ("reason", "published"), [(Reason.OK, 1), (Reason.LEAN_ERROR, 1), (Reason.TIMEOUT, 0), (Reason.REPL_CRASH, 0)]
)
def test_of_a_partition_that_is_lost_only_definite_verdicts_are_published(
    bench: Bench, reason: Reason, published: int
) -> None:
    bench.deliver(request())
    bench.consumer.stands = Standing.GONE
    bench.pool.finish(Verdict(reason))
    assert len(bench.publisher.records) == published
    assert bench.consumer.forgotten == [PLACE] * (1 - published)


@pytest.mark.parametrize(("later", "published"), [(Standing.OURS, 1), (Standing.GONE, 0), (Standing.UNDECIDED, 0)])
def test_an_inconclusive_result_waits_until_the_assignment_is_known(
    bench: Bench, later: Standing, published: int
) -> None:
    bench.deliver(request())
    bench.consumer.stands = Standing.UNDECIDED
    bench.pool.finish(Verdict(Reason.TIMEOUT))
    assert bench.publisher.records == []
    bench.consumer.stands = later
    bench.service.settle()
    assert len(bench.publisher.records) == published
    assert bench.consumer.forgotten == ([PLACE] if later is Standing.GONE else [])


def test_a_definite_verdict_is_published_at_once_whoever_owns_the_partition(bench: Bench) -> None:
    bench.deliver(request())
    bench.consumer.stands = Standing.UNDECIDED
    bench.pool.finish(Verdict(Reason.LEAN_ERROR))
    assert len(bench.publisher.records) == 1


def test_what_is_queued_of_a_lost_partition_is_dropped(bench: Bench) -> None:
    bench.deliver(request())
    assert bench.service.drop(frozenset({1})) == []
    assert bench.service.drop(frozenset({2})) == [PLACE]
    assert bench.pool.jobs == []
    assert bench.publisher.records == []


def test_a_careful_job_waits_for_the_commit_that_has_its_attempt(bench: Bench) -> None:
    bench.deliver(request(), careful=True)
    assert bench.pool.jobs == []
    assert bench.consumer.marked == [PLACE]
    bench.service.written([PLACE])
    assert len(bench.pool.jobs) == 1
    assert bench.pool.alone == []


def test_a_job_with_an_attempt_runs_alone(bench: Bench) -> None:
    bench.pool.running = 1
    bench.deliver(request(), careful=True, attempts=1)
    assert bench.pool.held
    assert bench.consumer.marked == []
    bench.deliver(request(), offset=6)
    bench.pool.running = 0
    bench.pool.finish(Verdict(Reason.OK))
    assert bench.consumer.marked == [PLACE]
    bench.service.written([PLACE])
    assert len(bench.pool.alone) == 1
    bench.pool.finish(Verdict(Reason.OK))
    assert bench.pool.held, "its attempt would be in the next commit, and the next death its own"
    bench.publisher.records[-1].on_ack()
    assert not bench.pool.held


def test_one_that_runs_alone_waits_for_what_was_marked_beside_others_before_it_holds_the_pool(bench: Bench) -> None:
    bench.deliver(request(), careful=True)
    bench.deliver(request(), offset=6, careful=True, attempts=1)
    assert not bench.pool.held, "what was marked may wait in the pool, and both would wait for each other"
    bench.service.written([PLACE])
    assert not bench.pool.held
    bench.pool.finish(Verdict(Reason.OK))
    bench.publisher.records[-1].on_ack()
    assert bench.pool.held
    assert bench.consumer.marked == [PLACE, Place(2, 6, LINEAGE)]


def test_a_poison_gets_a_final_result_and_a_dead_letter_and_is_complete_after_both(bench: Bench) -> None:
    bench.deliver(request(), careful=True, attempts=4)
    assert bench.pool.jobs == []
    result, letter = bench.publisher.records
    verdict = decode_result(result.value)
    assert (verdict.status, verdict.reason, verdict.retriable) == ("inconclusive", "repl_crash", False)
    assert verdict.attempts == 4
    buried = DeadLetter.from_record(key=letter.key, value=letter.value, headers=letter.headers)
    assert (buried.stage, buried.attempts, buried.value) == ("verify", 4, request())
    result.on_ack()
    assert bench.consumer.completed == []
    letter.on_ack()
    assert bench.consumer.completed == [PLACE]


def test_one_death_less_is_no_poison(bench: Bench) -> None:
    bench.deliver(request(), careful=True, attempts=3)
    assert bench.publisher.records == []
    assert bench.consumer.marked == [PLACE]


def test_suspended_nothing_careful_is_dispatched(bench: Bench) -> None:
    bench.deliver(request(), careful=True)
    assert list(bench.service.suspend()) == [PLACE]
    bench.service.written([PLACE])
    assert bench.pool.jobs == []
    bench.service.resume()
    assert bench.consumer.marked == [PLACE, PLACE]
    bench.service.written([PLACE])
    assert len(bench.pool.jobs) == 1


def test_what_needs_no_lean_is_answered_at_once(bench: Bench) -> None:
    bench.deliver(request(timeout=0))
    assert bench.pool.jobs == []
    [record] = bench.publisher.records
    assert decode_result(record.value).reason == Reason.INVALID_REQUEST


def test_what_cannot_be_answered_is_a_dead_letter(bench: Bench) -> None:
    bench.deliver(b"\xff")
    [record] = bench.publisher.records
    letter = DeadLetter.from_record(key=record.key, value=record.value, headers=record.headers)
    assert (record.topic, record.key, record.value, record.timestamp_ms) == ("lean.proofs.dlq", b"key", b"\xff", 77)
    assert (letter.source.offset, letter.group, letter.stage) == (5, "streamverify", "decode")
    assert list(letter.headers) == [("trace", b"1")]
    record.on_ack()
    assert bench.consumer.completed == [PLACE]
    assert record.smaller is not None
    assert record.smaller().value is None


def test_a_record_that_trips_our_own_code_is_a_dead_letter_and_the_next_is_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, "take_in", lambda *_: 1 / 0)
        bench.deliver(request())
    bench.deliver(request(), offset=6)
    [record] = bench.publisher.records
    letter = DeadLetter.from_record(key=record.key, value=record.value, headers=record.headers)
    assert letter.exception_class == "builtins.ZeroDivisionError"
    assert len(bench.pool.jobs) == 1


def test_an_answer_that_is_too_large_is_cut_and_has_a_smaller_form() -> None:
    bench = Bench(limit=20_000)
    bench.deliver(request(metadata={"keep": "me"}))
    response = Response(infotree=["x" * 30_000], time=1.0)
    bench.pool.finish(Verdict(Reason.OK, response=response))
    [record] = bench.publisher.records
    result = decode_result(record.value)
    assert (result.truncated, result.metadata) == (["infotree"], {"keep": "me"})
    assert record.smaller is not None
    bare = record.smaller()
    assert decode_result(bare.value).reason == Reason.OK
    assert decode_result(bare.value).metadata is None
    assert bare.headers == [("streamverify-status", b"verified")]
    assert bare.smaller is None
    bare.on_ack()
    assert bench.consumer.completed == [PLACE]


def test_a_result_that_cannot_be_written_is_the_workers_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter([ValueError("no"), None])
    original = Answerer.result

    def result(self: Answerer, *args: Any) -> Any:
        error = next(calls)
        if error:
            raise error
        return original(self, *args)

    monkeypatch.setattr(Answerer, "result", result)
    bench.deliver(request())
    bench.pool.finish(Verdict(Reason.OK))
    [record] = bench.publisher.records
    assert decode_result(record.value).reason == Reason.WORKER_ERROR
