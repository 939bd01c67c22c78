"""A cancellation meets a worker's service, with fakes around it: what is ended, wherever it waits, and what is not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from service_bench import EPOCH, Bench

from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.groups.cancellation import Cancellation, Names
from streamverify.core.job import RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import Assurance, ProofResult, Reason, Response
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.settings import Settings
from streamverify.worker import superseding as module

PROOF = "theorem t : 1 = 1 := rfl"
PARTITION = 2


@pytest.fixture
def bench() -> Bench:
    return Bench()


def request(**fields: Any) -> bytes:
    return json.dumps({"custom_id": "a", "proof": PROOF, "run": "r"} | fields).encode()


def cancellation(end: int = 100, **names: Any) -> Cancellation:
    chosen = Names(**(names or {"run": "r"}))
    return Cancellation("streamverify", "lean.proofs", chosen, (0, 0, end), 1_000_000.0)


def results(bench: Bench) -> list[ProofResult]:
    return [decode_result(record.value) for record in bench.publisher.records if record.topic == "lean.results"]


def reasons(bench: Bench) -> dict[str, str]:
    return {result.custom_id: str(result.reason) for result in results(bench)}


def test_what_waits_is_answered_and_completed_once_the_broker_has_the_answer(bench: Bench) -> None:
    bench.deliver(request(metadata={"n": 1}, group="g"), offset=5)
    bench.service.cancel(cancellation())
    [result] = results(bench)
    assert (result.status, result.reason, result.retriable) == ("inconclusive", "superseded", False)
    assert (result.superseded_by, result.attempts, result.response) == (None, 0, None)
    assert (result.run, result.group, result.metadata) == ("r", "g", {"n": 1})
    assert result.summary == "no verdict of its own: cancelled at 1970-01-12T13:46:40Z (run r)"
    assert result.error == result.summary
    assert bench.partitions.completed == []
    bench.publisher.records[0].on_ack()
    assert bench.partitions.completed == [RecordId(PARTITION, 5, EPOCH)]


def test_what_is_read_later_is_answered_at_once_and_what_was_sent_later_is_run(bench: Bench) -> None:
    bench.service.cancel(cancellation(end=6))
    bench.deliver(request(custom_id="before"), offset=5)
    bench.deliver(request(custom_id="after"), offset=6)
    assert reasons(bench) == {"before": "superseded"}
    assert [job.request.custom_id for job, _ in bench.pool.jobs] == ["after"]
    bench.publisher.records[0].on_ack()
    assert bench.partitions.completed == [RecordId(PARTITION, 5, EPOCH)]


def test_of_other_runs_nothing_is_ended(bench: Bench) -> None:
    bench.deliver(request(run="other"), offset=1)
    bench.deliver(request(run=None), offset=2)
    bench.service.cancel(cancellation())
    assert (len(bench.pool.jobs), bench.publisher.records) == (2, [])


def test_what_runs_comes_to_its_own_verdict_where_it_is_not_worth_ending(bench: Bench) -> None:
    bench.deliver(request(custom_id="runs"), offset=1)
    bench.deliver(request(custom_id="waits"), offset=2)
    bench.pool.running = 1
    bench.service.cancel(cancellation())
    assert reasons(bench) == {"waits": "superseded"}
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    assert reasons(bench) == {"waits": "superseded", "runs": "ok"}


def test_an_attempt_of_a_group_is_ended_once_and_its_group_goes_on(bench: Bench) -> None:
    fields = {"group": "g", "first_success": True, "statement": "theorem t : 1 = 1 := by sorry"}
    bench.deliver(request(custom_id="a", **fields), offset=1)
    bench.deliver(request(custom_id="b", **fields), offset=2)
    bench.service.cancel(cancellation(end=2))
    assert reasons(bench) == {"a": "superseded"}
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    bench.publisher.records[-1].on_ack()
    assert [winner.custom_id for winner in bench.announced] == ["b"]
    assert len(bench.publisher.records) == 2


@pytest.mark.parametrize("worker_deaths", [0, 1])
def test_what_waits_in_quarantine_is_ended_and_holds_up_nothing(bench: Bench, worker_deaths: int) -> None:
    """A run that kills its workers can be cancelled."""
    bench.deliver(request(custom_id="first"), offset=1, quarantined=True, worker_deaths=worker_deaths)
    bench.deliver(request(custom_id="second"), offset=2, quarantined=True, worker_deaths=worker_deaths)
    bench.deliver(request(custom_id="other", run=None), offset=3, quarantined=True)
    bench.service.cancel(cancellation())
    assert reasons(bench) == {"first": "superseded", "second": "superseded"}
    for record in bench.publisher.records:
        record.on_ack()
    other = RecordId(PARTITION, 3, EPOCH)
    assert set(bench.partitions.attempts) - set(bench.partitions.withdrawn) == {other}
    bench.service.attempts_committed(frozenset(bench.partitions.attempts))
    assert [job.request.custom_id for job, _ in bench.pool.jobs] == ["other"]
    assert not bench.pool.paused
    assert bench.service.quarantine.waiting == 0


def test_what_runs_in_quarantine_comes_to_its_end(bench: Bench) -> None:
    bench.deliver(request(), offset=1, quarantined=True)
    bench.service.attempts_committed(frozenset({RecordId(PARTITION, 1, EPOCH)}))
    bench.service.cancel(cancellation())
    assert bench.publisher.records == []
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response()))
    assert reasons(bench) == {"a": "ok"}


def test_what_comes_back_after_a_death_is_ended_before_it_is_quarantined(bench: Bench) -> None:
    bench.service.cancel(cancellation())
    bench.deliver(request(), offset=1, quarantined=True, worker_deaths=1)
    assert reasons(bench) == {"a": "superseded"}
    assert bench.service.quarantine.waiting == 0


def test_a_poison_is_said_to_be_one(bench: Bench) -> None:
    bench.service.cancel(cancellation())
    bench.deliver(request(), offset=1, worker_deaths=4, quarantined=True)
    assert reasons(bench) == {"a": "repl_crash"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"deadline": "2001-01-01T00:00:00Z"}, "expired"),
        ({"timeout": "long"}, "invalid_request"),
        ({"proof": "a" * 2000}, "too_large"),
        ({"proof": "prelude"}, "superseded"),
    ],
)
def test_what_is_wrong_with_a_request_at_first_sight_is_said_instead(
    bench: Bench, fields: dict[str, Any], reason: str
) -> None:
    bench.service.cancel(cancellation())
    bench.deliver(request(**fields), offset=1)
    assert reasons(bench) == {"a": reason}


def test_what_waits_for_a_higher_tier_is_ended() -> None:
    bench = Bench(settings=Settings(require="audited"), reachable=ReachableTiers(Assurance.REPLAYED))
    bench.deliver(request(require="replayed"), offset=1)
    bench.pool.finish(Verdict(Reason.OK, "fine", response=Response(), assurance=Assurance.AUDITED))
    assert len(bench.replays.required) == 1
    bench.service.cancel(cancellation())
    assert (reasons(bench), bench.replays.required) == ({"a": "superseded"}, [])


@pytest.mark.parametrize(("later", "published"), [(Ownership.OWNED, 1), (Ownership.LOST, 0), (Ownership.UNKNOWN, 0)])
def test_during_a_rebalance_the_answer_waits_until_it_is_known_whose_the_record_is(
    bench: Bench, later: Ownership, published: int
) -> None:
    bench.deliver(request(), offset=1)
    bench.partitions.owned = Ownership.UNKNOWN
    bench.service.cancel(cancellation())
    assert bench.publisher.records == []
    bench.partitions.owned = later
    bench.service.assignment_known()
    assert len(bench.publisher.records) == published
    assert bench.partitions.forgotten == ([RecordId(PARTITION, 1, EPOCH)] if later is Ownership.LOST else [])


def test_another_groups_cancellation_ends_nothing(bench: Bench) -> None:
    bench.deliver(request(), offset=1)
    bench.service.cancel(Cancellation("other", "lean.proofs", Names(run="r"), (0, 0, 100), 1_000_000.0))
    assert bench.publisher.records == []


async def test_many_are_ended_some_at_a_time_and_each_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    for offset in range(35):
        bench.deliver(request(custom_id=f"c{offset}"), offset=offset)
    bench.service.cancel(cancellation())
    assert len(bench.publisher.records) == 10
    # Meanwhile one is dropped, one has its own verdict, and a second cancellation names the same.
    bench.service.drop(frozenset())
    job, on_done = bench.pool.jobs.pop(24)
    on_done(job, Verdict(Reason.LEAN_ERROR, "wrong", response=Response()))
    bench.service.cancel(cancellation(ids=frozenset({"c20", "c21"})))
    for _ in range(10):
        await asyncio.sleep(0)
    found = [(result.custom_id, str(result.reason)) for result in results(bench)]
    assert len(found) == len(set(found)) == 35
    assert [custom_id for custom_id, reason in found if reason != "superseded"] == ["c34"]
