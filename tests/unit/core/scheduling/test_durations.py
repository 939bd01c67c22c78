"""How long proofs run: what is long, and what rest is expected."""

from __future__ import annotations

import pytest

from streamverify.core.scheduling.durations import MAX_HISTOGRAMS, MAX_NAMES, ProofDurations
from streamverify.core.scheduling.work import Work

NAMES = ("group:g", "prefix:p")


@pytest.mark.parametrize(("timeout", "long"), [(0.0, False), (120.0, False), (120.1, True), (300.0, True)])
def test_a_timeout_of_the_senders_choice_says_what_is_long(timeout: float, long: bool) -> None:  # noqa: FBT001
    durations = ProofDurations(120.0)
    durations.ran(Work(timeout), "header", 0.1)
    assert durations.is_long(Work(timeout), "header") is long


def test_else_the_first_of_group_prefix_and_header_that_is_known_says_it() -> None:
    durations = ProofDurations(120.0)
    assert not durations.is_long(Work(300.0, NAMES), "header")
    durations.ran(Work(300.0), "header", 200.0)
    assert durations.is_long(Work(300.0, NAMES), "header")
    durations.ran(Work(300.0, ("prefix:p",)), "another", 1.0)
    assert not durations.is_long(Work(300.0, NAMES), "header")
    durations.ran(Work(300.0, ("group:g",)), "another", 300.0)
    assert durations.is_long(Work(300.0, NAMES), "header")


def test_one_slow_proof_makes_its_kind_long_and_some_quick_ones_make_it_short_again() -> None:
    durations = ProofDurations(120.0)
    work = Work(300.0, NAMES)
    for seconds in (1.0, 1.0, 300.0):
        durations.ran(work, "header", seconds)
    assert durations.is_long(work, "header")
    for _ in range(3):
        durations.ran(work, "header", 1.0)
    assert not durations.is_long(work, "header")


def test_the_rest_is_the_mean_rest_of_those_that_ran_for_longer() -> None:
    durations = ProofDurations()
    for seconds in [1.0] * 50 + [64.0] * 50:
        durations.ran(Work(), "header", seconds)
    assert durations.rest("header", 0.0, 1000.0) == pytest.approx(38, rel=0.3)
    assert durations.rest("header", 10.0, 1000.0) == pytest.approx(54, rel=0.3)
    assert durations.rest("header", 10.0, 30.0) == 20.0
    assert durations.rest("header", 200.0, 1000.0) == 200.0
    assert durations.rest("header", 31.0, 30.0) == 0.0


def test_what_is_remembered_is_bounded() -> None:
    durations = ProofDurations()
    for number in range(MAX_NAMES + MAX_HISTOGRAMS + 10):
        durations.ran(Work(300.0, (f"group:{number}",)), f"header{number}", 1.0)
    assert len(durations) == MAX_NAMES + MAX_HISTOGRAMS
