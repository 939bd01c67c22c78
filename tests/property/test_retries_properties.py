"""Which requests are sent again, against a plain reading of the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.models import OUTCOMES, Reason
from streamverify.core.messages.retries import RETRIES, Retries, retries_in, with_one_more

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult

TOPIC = "lean.proofs"


@dataclass(frozen=True)
class Seen:
    """A result as it was read: with the number of retries that its Kafka header says."""

    result: ProofResult
    retries: int


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    request = draw(st.integers(min_value=0, max_value=8))
    # A request is one record: its place says its time, and how often it was sent again.
    result = make_result(
        draw(st.sampled_from("ab")),
        draw(st.sampled_from([Reason.OK, Reason.TIMEOUT, Reason.WORKER_ERROR, Reason.OUT_OF_MEMORY])),
        offset=request,
        timestamp=request // 2,
        run=draw(st.sampled_from([None, "r"])),
    )
    if draw(st.integers(min_value=0, max_value=5)) == 0:
        result = result.model_copy(update={"source": result.source.model_copy(update={"topic": "other"})})
    return Seen(result, request % 4)


def age(result: ProofResult) -> tuple[int, str, int]:
    return result.source.timestamp, result.source.topic, result.source.offset


def retriable_and_not_answered(results: list[ProofResult]) -> set[tuple[str | None, str]]:
    """The rule: the newest request with a retriable answer has no other answer, and no later request has one."""
    names = {(result.run, result.custom_id) for result in results}
    chosen = set()
    for name in names:
        of_it = [result for result in results if (result.run, result.custom_id) == name]
        retriable = [age(result) for result in of_it if result.retriable]
        answered = [age(result) for result in of_it if not result.retriable]
        if retriable and not any(each >= max(retriable) for each in answered):
            chosen.add(name)
    return chosen


def settled(first: list[Seen], second: list[Seen]) -> Retries:
    retries = Retries()
    for each in first:
        retries.collect(each.result, each.retries)
    for each in second:
        retries.strike(each.result)
    return retries


@given(st.lists(seen(), max_size=20), st.randoms(use_true_random=False), st.integers(1, 5), st.integers(1, 4))
def test_the_plan_is_the_rule_whatever_the_order_of_the_results(
    results: list[Seen], random: object, most: int, max_retries: int
) -> None:
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    retries = settled(results, shuffled)
    plan = retries.plan(TOPIC, most=most, max_retries=max_retries)
    every = [*plan.send, *plan.spent, *plan.elsewhere, *plan.left]
    names = [(each.run, each.custom_id) for each in every]
    assert len(names) == len(set(names))
    assert set(names) == retriable_and_not_answered([each.result for each in results])
    assert retries.found == len(every) + retries.answered
    assert all(OUTCOMES[Reason(each.reason)].retriable for each in every)
    assert len(plan.send) <= most
    assert not plan.left or len(plan.send) == most
    assert all(each.source.topic == TOPIC and each.retries < max_retries for each in [*plan.send, *plan.left])
    assert all(each.source.topic == "other" for each in plan.elsewhere)
    assert all(each.retries >= max_retries for each in plan.spent)
    times = [each.source.timestamp for each in [*plan.send, *plan.left]]
    assert times == sorted(times)


@given(st.lists(seen(), max_size=20), st.lists(seen(), max_size=10))
def test_what_came_since_can_only_strike(results: list[Seen], since: list[Seen]) -> None:
    before = settled(results, results).plan(TOPIC, most=100, max_retries=100)
    after = settled(results, [*results, *since]).plan(TOPIC, most=100, max_retries=100)
    assert {(each.run, each.custom_id) for each in after.send} <= {(each.run, each.custom_id) for each in before.send}


HEADERS = st.lists(
    st.tuples(st.sampled_from([RETRIES, "x"]), st.none() | st.binary(max_size=3) | st.just(b"9" * 40)), max_size=5
)


@given(HEADERS)
def test_the_count_goes_up_by_one_and_stands_once(headers: list[tuple[str, bytes | None]]) -> None:
    again = tuple(with_one_more(tuple(headers)))
    assert retries_in(again) == retries_in(tuple(headers)) + 1
    assert [pair for pair in again if pair[0] == RETRIES] == [again[-1]]
    assert [pair for pair in again if pair[0] != RETRIES] == [pair for pair in headers if pair[0] != RETRIES]
