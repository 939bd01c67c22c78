"""The pure parts of benchmarks/peers: the cases, what an answer is worth, the table."""

from __future__ import annotations

import pytest

from benchmarks.peers.cases import (
    HEADERS_OF_2021,
    HEADERS_OF_SYNTHETIC,
    Answer,
    Case,
    Judgement,
    from_lines,
    judge,
    timed,
    to_lines,
    traps,
)
from benchmarks.peers.figures import HEADINGS, Run, Said, cells, markdown, row
from streamverify.core.syntax.header import parse_header
from streamverify.standins.directives import MARK, parse_directives

HOLDS = Case("a", "theorem t : 1 = 1 := rfl", (Answer.VALID,))
FAILS = Case("b", "theorem t : 1 = 2 := rfl", (Answer.INVALID,))
ENDLESS = Case("c", "#eval loop 0", (Answer.INVALID, Answer.NONE), "never ends")
UNKNOWN = Case("d", "theorem t : P := h")


@pytest.mark.parametrize(
    ("case", "answer", "judgement"),
    [
        (HOLDS, Answer.VALID, Judgement.RIGHT),
        (HOLDS, Answer.INVALID, Judgement.REJECTED),
        (HOLDS, Answer.NONE, Judgement.UNANSWERED),
        (FAILS, Answer.VALID, Judgement.ACCEPTED),
        (FAILS, Answer.INVALID, Judgement.RIGHT),
        (FAILS, Answer.NONE, Judgement.UNANSWERED),
        (ENDLESS, Answer.VALID, Judgement.ACCEPTED),
        (ENDLESS, Answer.INVALID, Judgement.RIGHT),
        (ENDLESS, Answer.NONE, Judgement.RIGHT),
        (UNKNOWN, Answer.NONE, Judgement.RIGHT),
    ],
)
def test_an_answer_is_judged_by_what_is_right_for_the_proof(case: Case, answer: Answer, judgement: Judgement) -> None:
    assert judge(case.expected, answer) is judgement


def test_figures_count_timed_proofs_for_speed_and_all_for_verdicts() -> None:
    said = [
        Said("a", Answer.VALID, 0.1),
        Said("b", Answer.VALID, 0.3, "valid"),
        Said("c", Answer.NONE, 9.0, "timeout_error"),
    ]
    run = Run("theirs", elapsed=4.0, said=said, pss=3 << 20, rss=5 << 20)
    found = row(run, [HOLDS, FAILS, ENDLESS, UNKNOWN], {"a": 1.0, "b": 2.0, "c": 100.0, "d": 4.0}, slots=2)
    # The fourth is a timed proof of which nothing was said: it counts neither for the rate nor for Lean's time.
    assert (found.rate, found.useful) == (0.5, 0.375)
    assert (found.p50_ms, found.pss_mib, found.rss_mib) == (200, 3, 5)
    assert (found.accepted, found.rejected, found.unanswered) == (1, 0, 0)
    assert found.wrong == ("timed: accepted (valid)",)


def test_a_system_that_said_nothing_has_answered_nothing() -> None:
    found = row(Run("silent", elapsed=0.0, said=[]), [HOLDS, FAILS, ENDLESS], {}, slots=2)
    assert (found.rate, found.useful, found.unanswered) == (0.0, 0.0, 2)


def test_the_table_has_a_cell_for_each_heading() -> None:
    found = row(Run("theirs", elapsed=1.0, said=[]), [HOLDS], {}, slots=1)
    assert len(cells(found)) == len(HEADINGS)
    heading, rule, line = markdown([found]).splitlines()
    assert heading.count("|") == rule.count("|") == line.count("|") == len(HEADINGS) + 1


@pytest.mark.parametrize("synthetic", [True, False])
def test_our_own_cases_survive_the_file(synthetic: bool) -> None:  # noqa: FBT001
    headers = HEADERS_OF_SYNTHETIC if synthetic else HEADERS_OF_2021
    cases = [
        *timed(40, headers, synthetic=synthetic),
        *traps(headers, synthetic=synthetic, timeout=5, reports_sorries=True),
    ]
    assert from_lines(to_lines(cases)) == cases
    assert len({parse_header(case.proof).canonical for case in cases if not case.trap}) == len(headers)
    assert all(case.expected for case in cases)
    # A directive that the synthetic REPL does not understand would be an error where none is meant.
    assert not [problem for case in cases for found in parse_directives(case.proof) for problem in found.problems]
    assert any(MARK in case.proof for case in cases) is synthetic


def test_a_rest_that_is_false_is_not_expected_to_be_valid() -> None:
    cases = traps(HEADERS_OF_2021, synthetic=False, timeout=5, reports_sorries=False)
    assert not [case.trap for case in cases if "1 = 2" in case.proof and Answer.VALID in case.expected]
    assert not [case.trap for case in cases if case.trap == "sorry"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": "a"}', '{"proof": "x"}', '{"id": "a", "proof": "x", "expected": ["perhaps"]}']
)
def test_a_line_that_is_no_case_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        from_lines(f'{{"id": "z", "proof": "x"}}\n{line}\n')


def test_an_id_may_come_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        from_lines('{"id": 1, "proof": "x"}\n{"id": "1", "proof": "y"}\n')
