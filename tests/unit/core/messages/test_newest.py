"""Which verdict under a custom_id counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cli_fakes import make_result
from hypothesis import given
from hypothesis import strategies as st

from streamverify.client import newest, supersedes
from streamverify.core.messages.models import Reason, Status
from streamverify.core.messages.newest import rank

if TYPE_CHECKING:
    from streamverify.core.messages.models import ProofResult


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


def looked_at(depth: str) -> ProofResult:
    """A result of one and the same request, by its assurance or its reason."""
    if depth in set(Reason):
        return make_result("a", Reason(depth))
    result = make_result("a", Reason.OK)
    if depth == "kernel":
        return result.model_copy(update={"status": Status.REJECTED, "reason": depth, "assurance": "none"})
    return result.model_copy(update={"assurance": depth})


@pytest.mark.parametrize(
    ("shallow", "deep"),
    [
        ("checked", "audited"),
        ("audited", "replayed"),
        ("replayed", "cross_checked"),
        ("checked", "policy"),
        ("lean_error", "audited"),
        ("cross_checked", "kernel"),
        ("out_of_memory", "lean_error"),
        ("some_day", "audited"),
    ],
)
def test_of_one_request_the_deepest_look_counts_whatever_was_read_last(shallow: str, deep: str) -> None:
    one, two = looked_at(shallow), looked_at(deep)
    assert newest([one, two]) == newest([two, one]) == {"a": two}


@pytest.mark.parametrize("equals", [("audited", "policy"), ("checked", "lean_error"), ("timeout", "repl_crash")])
def test_of_two_equally_deep_looks_the_last_read_counts(equals: tuple[str, str]) -> None:
    one, two = map(looked_at, equals)
    assert newest([one, two]) == {"a": two}
    assert newest([two, one]) == {"a": one}


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(["checked", "audited", "kernel", "sorry"])),
        min_size=1,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_the_sequence_does_not_matter_where_ranks_differ(answers: list[tuple[int, int, str]], random: Any) -> None:
    results = {}
    for timestamp, offset, depth in answers:
        source = looked_at(depth).source.model_copy(update={"timestamp": timestamp, "offset": offset})
        result = looked_at(depth).model_copy(update={"source": source})
        results[rank(result)] = result
    shuffled = list(results.values())
    random.shuffle(shuffled)
    assert newest(shuffled) == {"a": results[max(results)]}
