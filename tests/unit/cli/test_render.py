"""Verdicts for people."""

from __future__ import annotations

import pytest
from cli_fakes import make_message, make_result
from rich.cells import cell_len
from rich.console import Console

from streamverify.cli import tables
from streamverify.cli.output import epilog, one_line, plural, printable
from streamverify.cli.render import excerpt, first_message, report
from streamverify.cli.tables import Column, StreamedTable
from streamverify.core.messages.models import Cached, Finding, ProofResult, Reason


def shown(result: ProofResult, proof: str) -> list[str]:
    return [line for text in report(result, proof) for line in text.plain.split("\n")]


def test_a_message_has_its_source_line_and_a_caret_under_it() -> None:
    message = make_message("type mismatch\n  rfl", line=2, column=21)
    message["endPos"] = {"line": 2, "column": 24}
    result = make_result("p.lean", Reason.LEAN_ERROR, messages=[message], summary="Lean reports an error")
    proof = "import Lean\ntheorem t : 1 = 2 := rfl\n"
    assert shown(result, proof) == [
        "rejected (lean_error)  p.lean  0.25 s",
        "p.lean:2:21: error: type mismatch",
        "  rfl",
        "    2 | theorem t : 1 = 2 := rfl",
        "      |                      ^^^",
    ]


def test_a_message_over_several_lines_is_marked_to_the_end_of_its_first() -> None:
    message = make_message("m", line=1, column=3)
    message["endPos"] = {"line": 3, "column": 1}
    lines = shown(make_result(messages=[message]), "by simp\r\n  rfl\r\nx")
    assert lines[-2:] == ["    1 | by simp", "      |    ^^^^"]


@pytest.mark.parametrize("line", [0, 4, 99])
def test_a_place_that_the_file_has_not_gets_no_source_line(line: int) -> None:
    lines = shown(make_result("p", messages=[make_message("m", line=line)]), "a\nb\nc")
    assert lines[1:] == [f"p:{line}:0: error: m"]


def test_a_line_separator_in_a_string_is_no_line_break() -> None:
    message = make_message("m", line=2, column=0)
    assert shown(make_result(messages=[message]), 'def s := "\u2028"\nsecond')[-2] == "    2 | second"


def test_the_workers_sentence_is_shown_where_lean_has_no_error() -> None:
    result = make_result("p", Reason.TIMEOUT, summary="it ran longer than 60 s")
    assert shown(result, "") == ["inconclusive (timeout)  p  0.25 s", "  it ran longer than 60 s"]


def test_a_cached_verdict_says_how_old_it_is_in_place_of_a_time() -> None:
    result = make_result("p").model_copy(update={"cached": Cached(age_seconds=75.2)})
    assert shown(result, "")[0] == "verified  p  cached 75 s ago"


def test_what_was_left_out_is_said() -> None:
    result = make_result().model_copy(update={"truncated": ["infotree"]})
    assert "left out, because Lean's answer was too large: infotree" in shown(result, "")[-1]


def test_how_often_a_message_came_is_said() -> None:
    message = make_message("wrong", line=1, column=0)
    assert shown(make_result(messages=[message | {"count": 9000}]), "x")[1].endswith(
        "error: wrong (9,000 times, the others left out)"
    )
    assert shown(make_result(messages=[message | {"count": 1}]), "x")[1].endswith("error: wrong")


@pytest.mark.parametrize(
    ("line", "start", "end", "source", "marks"),
    [
        ("\tx := y", 1, 2, "    x := y", "    ^"),
        ("证明 x", 3, 4, "证明 x", "     ^"),
        ("a 证明", 2, 4, "a 证明", "  ^^^^"),
        ("e\u0301 x", 3, 4, "e\u0301 x", "  ^"),
        ("rfl", 3, 3, "rfl", "   ^"),
        ("rfl", 9, 12, "rfl", "   ^"),
        ("rfl", 2, 1, "rfl", "  ^"),
        ("a\x1b[31mb", 0, 1, "a␛[31mb", "^"),
    ],
)
def test_excerpt(line: str, start: int, end: int, source: str, marks: str) -> None:
    assert excerpt(line, start, end) == (source, marks)


def test_a_long_line_is_cut_round_the_place() -> None:
    line = "a" * 500 + "HERE" + "b" * 500
    source, marks = excerpt(line, 500, 504)
    assert source.startswith("…")
    assert source.endswith("…")
    assert len(source) == 102
    assert source[marks.index("^") : len(marks)] == "HERE"


def test_the_first_error_is_told_before_an_earlier_warning() -> None:
    messages = [make_message("unused", severity="warning"), make_message("\n type mismatch\nmore")]
    assert first_message(make_result(messages=messages)) == "type mismatch"
    assert first_message(make_result(messages=messages[:1])) == "unused"
    assert first_message(make_result("p", Reason.WORKER_ERROR, summary="no broker")) == "no broker"
    assert first_message(make_result()) == ""


def test_of_a_verified_proof_to_which_an_audit_objects_the_sentence_is_told() -> None:
    finding = Finding(rule="axiom", line=1, column=0, excerpt="axiom cheat")
    result = make_result(messages=[make_message("it depends", severity="info")], summary="an audit would reject it")
    assert first_message(result) == "it depends"
    doubtful = result.model_copy(update={"findings": [finding]})
    assert first_message(doubtful) == "an audit would reject it"
    assert shown(doubtful, "")[-1] == "  an audit would reject it"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_streamed_table_fits_its_width_and_takes_text_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool
) -> None:
    console = Console(width=80, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(tables, "stdout", lambda: console)
    table = StreamedTable([Column("id", 20), Column("seconds", 8, right=True), Column("message", 0)])
    table.add("[red]" + "x" * 100, "1.500", "[/] unsolved\ngoals " * 9, styles=["red"])
    table.add("証明" * 20, "22.000", "e\u0301 \x1b[31m 証")
    head, first, second = capsys.readouterr().out.splitlines()
    assert max(cell_len(line) for line in (head, first, second)) <= 80
    assert first.startswith("[red]x")
    assert "unsolved goals" in first
    assert cell_len(first.partition("1.500")[0]) == cell_len(second.partition("22.000")[0]) + 1 == 25
    assert cell_len(head.partition("message")[0]) == cell_len(second.partition("e\u0301")[0]) == 32
    assert "\x1b" not in second


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a\tb\nc", "a\tb\nc"), ("\x1b]0;x\x07", "␛]0;x␇"), ("\x7f\x9b", "��"), ("\u202e", "�"), ("é→∀", "é→∀")],
)
def test_printable(text: str, safe: str) -> None:
    assert printable(text) == safe


def test_one_line_and_plural() -> None:
    assert one_line("\n  \n abc\ndef", 9) == "abc"
    assert one_line("abcdef", 3) == "ab…"
    assert one_line(" \n", 3) == ""
    assert [plural(count, "proof") for count in (0, 1, 2000)] == ["0 proofs", "1 proof", "2,000 proofs"]


def test_help_keeps_the_line_breaks_of_an_epilog() -> None:
    assert epilog("a\n  b", "c [x]") == "\b\na\n  b\n\n\b\nc \\[x]"
