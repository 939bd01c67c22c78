"""Which verdict under a custom_id counts."""

from __future__ import annotations

from random import Random  # noqa: TC003 - Hypothesis reads the annotations

import pytest
from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.messages.models import Assurance, Checker, ProofResult, Reason
from streamverify.core.messages.newest import newest, supersedes, weight


def test_the_later_request_counts_whatever_was_read_last() -> None:
    late = make_result("a", Reason.OK, offset=9, timestamp=2_000)
    early = make_result("a", Reason.LEAN_ERROR, offset=1, timestamp=1_000)
    assert newest([late, early]) == {"a": late}
    assert newest([early, late]) == {"a": late}


def test_of_one_millisecond_the_higher_offset_counts() -> None:
    first, second = make_result(offset=1), make_result(offset=2)
    assert supersedes(second, first)
    assert not supersedes(first, second)


def test_a_verdict_is_not_replaced_by_an_inconclusive_repeat() -> None:
    verdict = make_result("a", Reason.OK)
    crash = make_result("a", Reason.REPL_CRASH)
    assert newest([verdict, crash]) == {"a": verdict}
    assert newest([crash, verdict]) == {"a": verdict}


def test_a_verdict_beats_superseded_for_the_same_record_and_not_for_a_later_one() -> None:
    verdict, superseded = make_result("a", Reason.LEAN_ERROR), make_result("a", Reason.SUPERSEDED)
    assert newest([verdict, superseded]) == {"a": verdict}
    assert newest([superseded, verdict]) == {"a": verdict}
    again = make_result("a", Reason.SUPERSEDED, offset=7, timestamp=9_000)
    assert newest([verdict, again]) == {"a": again}


def test_of_two_equal_repeats_the_last_read_counts() -> None:
    first = make_result("a", summary="first")
    second = make_result("a", summary="second")
    assert newest([first, second])["a"].summary == "second"


def test_the_order_is_that_of_first_appearance() -> None:
    results = [make_result("b"), make_result("a"), make_result("b", offset=5)]
    assert list(newest(results)) == ["b", "a"]


RESULTS = st.builds(
    make_result,
    st.just("a"),
    st.sampled_from([Reason.OK, Reason.LEAN_ERROR, Reason.KERNEL, Reason.TIMEOUT]),
    assurance=st.sampled_from([*Assurance, "newer"]),
    checkers=st.sampled_from([[], [Checker(name="nanoda", outcome="accepted")]]),
)


@given(st.lists(RESULTS, min_size=1, max_size=5), st.randoms())
def test_of_several_answers_to_one_request_the_weightiest_counts_in_any_order(
    results: list[ProofResult], random: Random
) -> None:
    shuffled = list(results)
    random.shuffle(shuffled)
    [first], [second] = newest(results).values(), newest(shuffled).values()
    assert weight(first) == weight(second) == max(map(weight, results))


@pytest.mark.parametrize("order", [1, -1])
def test_a_higher_assurance_replaces_a_lower_one_of_the_same_request(order: int) -> None:
    tiers = ["checked", "audited", "replayed", "cross_checked"]
    results = [make_result("a", Reason.OK, assurance=tier) for tier in tiers][::order]
    assert newest(results)["a"].assurance == "cross_checked"


@pytest.mark.parametrize("order", [1, -1])
def test_a_refusal_by_a_checker_counts_more_than_any_acceptance_of_the_same_request(order: int) -> None:
    refused = make_result("a", Reason.KERNEL, checkers=[Checker(name="nanoda", outcome="refused")])
    results = [make_result("a", Reason.OK, assurance="cross_checked"), refused][::order]
    assert newest(results)["a"] is refused


@pytest.mark.parametrize("order", [1, -1])
def test_a_tier_that_was_not_reached_takes_nothing_from_what_was(order: int) -> None:
    audited = make_result("a", Reason.OK, assurance="audited")
    results = [audited, make_result("a", Reason.TIMEOUT, reached="audited")][::order]
    assert newest(results)["a"] is audited


def test_a_later_request_counts_whatever_its_assurance_is() -> None:
    early = make_result("a", Reason.OK, assurance="cross_checked", timestamp=1_000)
    late = make_result("a", Reason.OK, assurance="checked", timestamp=2_000)
    assert newest([late, early]) == {"a": late}
