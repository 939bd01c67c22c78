"""The service with fakes around it: what is published, what is completed, and when."""

from __future__ import annotations

import pytest
from service_bench import EPOCH, RECORD, Bench, request

from streamverify.core.job import RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.messages.models import Reason, Response
from streamverify.worker import service as module


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
    bench.deliver(request(), quarantined=True, worker_deaths=1)
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
    bench.deliver(request(), offset=6, quarantined=True, worker_deaths=1)
    assert not bench.pool.paused, "the shared record may wait in the pool, and both would wait for each other"
    bench.service.attempts_committed(frozenset({RECORD}))
    assert not bench.pool.paused
    bench.pool.finish(Verdict(Reason.OK, "fine", Response()))
    bench.publisher.records[-1].on_ack()
    assert bench.pool.paused
    assert bench.partitions.attempts == [RECORD, RecordId(2, 6, EPOCH)]


def test_a_record_with_one_death_less_is_no_poison(bench: Bench) -> None:
    bench.deliver(request(), quarantined=True, worker_deaths=3)
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
