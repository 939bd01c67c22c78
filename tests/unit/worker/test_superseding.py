"""Groups in a worker, between fakes: who is superseded, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from service_bench import EPOCH, RECORD, Bench, request

from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.job import RecordId, Verdict
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import Assurance, Reason, Response

if TYPE_CHECKING:
    from streamverify.core.groups.groups import Winner


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
    assert bench.pool.groups.counts.total() == 1, "meanwhile other work is better started"
    assert bench.publisher.urgent == [True]
    bench.publisher.records[0].on_ack()
    assert verdicts(bench) == [("a", "ok", None), ("b", "superseded", "a"), ("c", "superseded", "a")]
    assert [(each.custom_id, each.assurance) for each in bench.announced] == [("a", "checked")]
    assert (bench.pool.groups.counts.total(), len(bench.pool.jobs)) == (0, 1)
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
