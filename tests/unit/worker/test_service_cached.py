"""The service with the result cache around its pool: each answer is its own, whoever was run."""

from __future__ import annotations

import json
from typing import Any, cast

from cache_fakes import FakeStore, make_cache, make_verdict
from cached_pool_case import Case
from worker_fakes import FakePartitions, FakePublisher

from streamverify.cache.guard import Guard
from streamverify.core.groups.cancellation import Cancellations
from streamverify.core.groups.groups import Groups
from streamverify.core.job import Record, RecordId
from streamverify.core.messages.codec import RequestLimits, decode_result
from streamverify.core.messages.models import Assurance, Reason, Source, Verifier
from streamverify.lean.kernel.reachable_tiers import ReachableTiers
from streamverify.settings import Settings
from streamverify.worker.results import ResultBuilder
from streamverify.worker.service import Service
from streamverify.worker.superseding import Superseding


class Worker:
    """A service, its groups and its cache, between fakes."""

    def __init__(self, store: FakeStore | None = None) -> None:
        self.case = Case(make_cache(Guard(store)) if store else None)
        self.partitions, self.publisher = FakePartitions(), FakePublisher()
        superseding = Superseding(
            Groups(ttl=3600.0),
            Cancellations(consumer_group="streamverify", topic="lean.proofs"),
            pool=cast("Any", self.case.real),
            runner=self.case.pool,
            tiers=cast("Any", self.case.tiers),
            records=cast("Any", self.partitions),
            announce=lambda _: None,
        )
        self.service = Service(
            Settings(require="checked"),
            RequestLimits(max_proof_bytes=1000),
            pool=cast("Any", self.case.real),
            runner=self.case.pool,
            publisher=cast("Any", self.publisher),
            results=ResultBuilder("worker-1", Verifier(kind="lean"), "lean.results", 1_000_000),
            records=cast("Any", self.partitions),
            commits=self.partitions,
            superseding=superseding,
            tiers=cast("Any", self.case.tiers),
            reachable=ReachableTiers(Assurance.CROSS_CHECKED),
            slots=2,
        )

    def deliver(self, offset: int, *, quarantined: bool = False, worker_deaths: int = 0, **request: Any) -> RecordId:
        record = RecordId(2, offset, 0)
        source = Source(topic="lean.proofs", partition=2, offset=offset, timestamp=offset)
        value = json.dumps({"proof": "theorem t : 1 = 1 := rfl"} | request).encode()
        self.service.receive(
            Record(record, source, b"", value, [], 0.0, worker_deaths=worker_deaths, quarantined=quarantined)
        )
        return record

    def results(self) -> dict[str, Any]:
        found = [decode_result(record.value) for record in self.publisher.records]
        return {result.custom_id: result for result in found}


def test_each_answer_has_its_own_id_source_metadata_run_and_group() -> None:
    worker = Worker()
    for number in range(3):
        worker.deliver(number, custom_id=f"c{number}", metadata={"n": number}, run=f"r{number}", group=f"g{number}")
    worker.case.look_up()
    worker.case.real.finish(make_verdict())
    results = worker.results()
    for number in range(3):
        result = results[f"c{number}"]
        assert (result.metadata, result.run, result.group) == ({"n": number}, f"r{number}", f"g{number}")
        assert (result.source.offset, result.verifier.kind, result.worker) == (number, "lean", "worker-1")
        assert (result.cached is None) == (number == 0)
        assert result.attempts == (number == 0)
        assert (result.status, result.response.time) == ("verified", 0.25)
    for record in worker.publisher.records:
        record.on_ack()
    assert worker.service.answers.activity.so_far(1.0).cached == 2


def test_a_follower_in_a_group_counts_as_a_success_of_it() -> None:
    worker = Worker()
    asked: dict[str, Any] = {"group": "g", "first_success": True, "theorem": "t"}
    worker.deliver(1, custom_id="a", **asked)
    worker.deliver(2, custom_id="b", **asked)
    worker.deliver(3, custom_id="c", proof="theorem t : 1 = 1 := by decide", **asked)
    worker.case.look_up()
    assert len(worker.case.running) == 2
    worker.case.real.finish(make_verdict())
    assert worker.case.real.groups.counts.total(), "other work is better started, until the broker has the success"
    for record in list(worker.publisher.records):
        record.on_ack()
    assert not worker.case.real.groups.counts.total()
    reasons = {name: result.reason for name, result in worker.results().items()}
    assert reasons == {"a": Reason.OK, "b": Reason.OK, "c": Reason.SUPERSEDED}


def test_a_quarantined_record_is_answered_from_the_cache_when_its_attempt_is_committed() -> None:
    worker = Worker()
    worker.deliver(1, custom_id="a")
    worker.case.look_up()
    worker.case.real.finish(make_verdict())
    record = worker.deliver(2, custom_id="b", quarantined=True, worker_deaths=1)
    assert worker.partitions.attempts == [record]
    worker.service.attempts_committed(frozenset({record}))
    worker.case.look_up()
    assert worker.results()["b"].cached is not None
    assert worker.case.real.alone == []


def test_a_revoked_record_that_follows_is_dropped_and_forgotten() -> None:
    worker = Worker()
    for number in range(2):
        worker.deliver(number, custom_id=str(number))
    worker.case.look_up()
    worker.service.drop(frozenset({2}))
    assert {record.offset for record in worker.partitions.forgotten} == {0, 1}
    assert (worker.case.running, worker.case.pool.queued) == ([], 0)


def test_a_policy_rejection_is_never_looked_up() -> None:
    store = FakeStore()
    worker = Worker(store)
    worker.deliver(1, custom_id="a", require="audited", proof="axiom x : False")
    assert worker.results()["a"].reason is Reason.POLICY
    assert not worker.case.pool._looked_up
