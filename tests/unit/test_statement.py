"""What a statement is, and how it is compared with what a file declares."""

from __future__ import annotations

import pytest

from streamverify.core.models import Message
from streamverify.core.policy import SHIPPED
from streamverify.core.statement import (
    BadStatement,
    difference,
    look_up,
    mentioned,
    print_in_full,
    read_statement,
)


def info(line: int, data: str, severity: str = "info") -> Message:
    return Message(severity=severity, pos={"line": line, "column": 0}, endPos=None, data=data)


def test_a_statement_declares_theorems_and_what_they_are_about() -> None:
    text = "import A\nnamespace N\ndef f : Nat := 1\nstructure S where\n  a : Nat\ntheorem t : f = 1 := sorry\nend N\n"
    statement = read_statement(text, SHIPPED)
    assert statement.theorems == ("N.t",)
    assert statement.others == ("N.f", "N.S")
    assert statement.header.canonical == "import A\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it declares no theorem"),
        ("example : True := sorry", "it declares no theorem"),
        ("def f : Nat := 1", "it declares no theorem"),
        ("prelude\ntheorem t : True := sorry", "prelude"),
        ("import 5\ntheorem t : True := sorry", "line 1, column 7"),
        ("#eval 1\ntheorem t : True := sorry", "line 1, column 0: eval"),
        ("private def f : Nat := 1\ntheorem t : f = 1 := sorry", "private declaration"),
        ("macro_rules | `($_ = $_) => `(True)\ntheorem t : 1 = 2 := sorry", "macro"),
    ],
)
def test_what_is_no_statement_is_the_senders_to_know(text: str, says: str) -> None:
    with pytest.raises(BadStatement, match=says) as caught:
        read_statement(text, SHIPPED)
    assert caught.value.sentence.startswith("`statement` is none to compare with: ")


def test_of_a_theorem_the_type_is_compared_and_of_all_else_the_whole() -> None:
    printing = print_in_full(["t", "f", "gone"], {"pp.all"})
    assert printing.text.split("\n")[:3] == ["set_option pp.all true", "#check @_root_.t", "#print _root_.t"]
    messages = [
        info(2, "t : True"),
        info(3, "@[simp] protected theorem t : True :=\ntrivial"),
        info(4, "f : Nat"),
        info(5, "def f : Nat :=\n1"),
        info(6, "unknown constant", "error"),
    ]
    assert printing.printed(messages) == {"t": "t : True", "f": "def f : Nat :=\n1"}


def test_two_answers_to_one_question_are_none() -> None:
    printing = print_in_full(["t"], ())
    assert printing.printed([info(1, "t : True"), info(1, "t : False")]) == {}


def test_names_are_looked_up_a_line_each() -> None:
    question = look_up(["f", "g"], {"maxHeartbeats"})
    assert question.text == "set_option maxHeartbeats 0\n#check @_root_.f\n#check @_root_.g"
    assert question.known([info(2, "f : Nat"), info(3, "unknown identifier", "error")]) == {"f"}


def test_whatever_could_be_a_constant_is_looked_up() -> None:
    printed = "def f : Nat → Nat :=\nfun (n : Nat) =>\n  f.match_1.{1} (fun (n : Nat) => Nat) n «odd name».x"
    assert {"f.match_1", "Nat", "f", "«odd name».x"} <= mentioned([printed])


def test_what_is_asked_must_be_there_and_the_same() -> None:
    asked = {"f": "def f : Nat :=\n1", "t": "t : f = 1"}
    assert difference(asked, {**asked, "more": "more : True"}) is None
    other = difference(asked, {**asked, "f": "def f : Nat :=\n2"})
    assert other is not None
    assert other.sentence() == "f is not what the statement says."
    assert other.excerpt() == "statement: def f : Nat :=\n1\nproof: def f : Nat :=\n2"
    lacking = difference(asked, {"f": asked["f"]})
    assert lacking is not None
    assert lacking.sentence() == "The file does not declare t, which the statement declares."
    assert lacking.excerpt().endswith("proof: (not declared)")
