"""Which verdict under a custom_id counts."""

from __future__ import annotations

from cli_fakes import make_result

from streamverify.client import newest, supersedes
from streamverify.core.messages.models import Reason


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
