"""What is known of headers: it fades, it follows what is measured, and it is bounded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from streamverify.core import heat as module
from streamverify.core.header import parse_header
from streamverify.core.heat import FIRST_GUESS, LIFE, Heat, Memory

if TYPE_CHECKING:
    from streamverify.core.header import Header


def header(name: str) -> Header:
    return parse_header(f"import {name}\nt")


A, B = header("A"), header("B")


def test_what_was_asked_for_fades() -> None:
    heat = Heat()
    heat.imported(A, 2.0, 0.0)
    for _ in range(10):
        heat.asked(A, 0.0)
    assert heat.worth(A.fingerprint, 0.0) == pytest.approx(20)
    assert heat.worth(A.fingerprint, LIFE) == pytest.approx(20 / math.e)
    heat.asked(A, LIFE)
    assert heat.worth(A.fingerprint, LIFE) == pytest.approx(20 / math.e + 2)


def test_an_unknown_header_costs_what_others_do_and_is_worth_nothing() -> None:
    heat = Heat()
    assert heat.import_seconds(A.fingerprint) == FIRST_GUESS
    assert heat.run_seconds(A.fingerprint) == 0
    heat.imported(B, FIRST_GUESS + 1, 0.0)
    heat.ran(B.fingerprint, 3.0)
    assert FIRST_GUESS < heat.import_seconds(A.fingerprint) < FIRST_GUESS + 1
    assert heat.run_seconds(A.fingerprint) == heat.run_seconds(B.fingerprint) == 3
    assert heat.worth(A.fingerprint, 0.0) == 0


def test_the_hottest_are_those_that_cost_most_to_lose() -> None:
    heat = Heat()
    for each, asked, seconds in ((A, 3, 1.0), (B, 2, 2.0), (header("C"), 1, 1.0)):
        heat.asked(each, 0.0, asked)
        heat.imported(each, seconds, 0.0)
    heat.asked(header("D"), 0.0, 99)
    assert [memory.header for memory in heat.hottest(0.0, 2)] == [B, A]


def test_a_failed_import_makes_a_header_no_candidate_until_one_succeeds() -> None:
    heat = Heat()
    heat.restore([Memory(A, 5.0, 1.0)], 0.0)
    heat.failed(A.fingerprint)
    heat.failed("unknown")
    assert heat.hottest(0.0, 5) == []
    heat.imported(A, 2.0, 0.0)
    assert heat.hottest(0.0, 5) == [Memory(A, 5.0, 2.0)]


def test_it_forgets_the_header_that_was_asked_for_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    heat = Heat()
    for name in ("A", "B", "C", "A", "D"):
        heat.asked(header(name), 0.0)
        heat.imported(header(name), 1.0, 0.0)
    assert {memory.header.canonical for memory in heat.hottest(0.0, 9)} == {"import A\n", "import C\n", "import D\n"}
    assert len(heat) == 3
