"""What is known of headers: it fades, it follows what is measured, and it is bounded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from streamverify.core.scheduling import header_stats as module
from streamverify.core.scheduling.header_stats import DEMAND_WINDOW, INITIAL_IMPORT_SECONDS, HeaderStat, HeaderStats
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from streamverify.core.syntax.header import Header


def header(name: str) -> Header:
    return parse_header(f"import {name}\nt")


A, B = header("A"), header("B")


def test_what_was_asked_for_fades() -> None:
    stats = HeaderStats()
    stats.imported(A, 2.0, 0.0)
    for _ in range(10):
        stats.asked(A, 0.0)
    assert stats.worth(A.fingerprint, 0.0) == pytest.approx(20)
    assert stats.worth(A.fingerprint, DEMAND_WINDOW) == pytest.approx(20 / math.e)
    stats.asked(A, DEMAND_WINDOW)
    assert stats.worth(A.fingerprint, DEMAND_WINDOW) == pytest.approx(20 / math.e + 2)


def test_an_unknown_header_costs_what_others_do_and_is_worth_nothing() -> None:
    stats = HeaderStats()
    assert stats.import_seconds(A.fingerprint) == INITIAL_IMPORT_SECONDS
    assert stats.run_seconds(A.fingerprint) == 0
    stats.imported(B, INITIAL_IMPORT_SECONDS + 1, 0.0)
    stats.ran(B.fingerprint, 3.0)
    assert INITIAL_IMPORT_SECONDS < stats.import_seconds(A.fingerprint) < INITIAL_IMPORT_SECONDS + 1
    assert stats.run_seconds(A.fingerprint) == stats.run_seconds(B.fingerprint) == 3
    assert stats.worth(A.fingerprint, 0.0) == 0


def test_the_hottest_are_those_that_cost_most_to_lose() -> None:
    stats = HeaderStats()
    for each, asked, seconds in ((A, 3, 1.0), (B, 2, 2.0), (header("C"), 1, 1.0)):
        stats.asked(each, 0.0, asked)
        stats.imported(each, seconds, 0.0)
    stats.asked(header("D"), 0.0, 99)
    assert [memory.header for memory in stats.hottest(0.0, 2)] == [B, A]


def test_a_failed_import_makes_a_header_no_candidate_until_one_succeeds() -> None:
    stats = HeaderStats()
    stats.restore([HeaderStat(A, 5.0, 1.0)], 0.0)
    stats.failed(A.fingerprint)
    stats.failed("unknown")
    assert stats.hottest(0.0, 5) == []
    stats.imported(A, 2.0, 0.0)
    assert stats.hottest(0.0, 5) == [HeaderStat(A, 5.0, 2.0)]


def test_it_forgets_the_header_that_was_asked_for_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADERS", 3)
    stats = HeaderStats()
    for name in ("A", "B", "C", "A", "D"):
        stats.asked(header(name), 0.0)
        stats.imported(header(name), 1.0, 0.0)
    assert {memory.header.canonical for memory in stats.hottest(0.0, 9)} == {"import A\n", "import C\n", "import D\n"}
    assert len(stats) == 3
