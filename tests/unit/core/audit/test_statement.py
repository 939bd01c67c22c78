"""What a statement is, and how it is compared with what a file declares."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from streamverify.core.audit.statement import (
    BadStatement,
    ComparedConstant,
    ask_for_kinds,
    first_mismatch,
    look_up,
    look_up_imitations,
    print_in_full,
    read_statement,
    refuse_hidden,
)
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.messages.models import Message


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
    assert caught.value.sentence.startswith("`statement` cannot be compared with: ")


KINDS = {"t": "theorem", "f": "def", "T": "inductive", "gone": "def"}


def test_of_a_theorem_the_type_is_compared_of_a_definition_the_value_of_a_type_what_follows_from_it() -> None:
    printing = print_in_full(KINDS, {"pp.all", "pp.maxSteps"})
    lines = printing.text.split("\n")
    assert lines[2:8] == [
        *("#check @_root_.t", "#check @_root_.f", "#check @_root_.T", "#check @_root_.gone"),
        *("#print _root_.f", "#print _root_.gone"),
    ]
    assert lines[-2:] == ["set_option pp.maxSteps 1", "#print _root_.T"]
    at = {line: number for number, line in enumerate(lines, 1)}
    found = printing.printed(
        [
            info(at["#check @_root_.t"], "@t : ∀ (n : N), P n"),
            info(at["#check @_root_.f"], "f : N"),
            info(at["#print _root_.f"], "@[reducible] protected def f : N :=\ng.{0} N"),
            info(at["#check @_root_.T"], "T.{u} : Type u → Type u"),
            info(at["#print _root_.T"], "inductive T.{u} : ⋯"),
            info(at["#check @_root_.gone"], "unknown constant", "error"),
        ]
    )
    assert {name: (each.kind, each.type, each.value) for name, each in found.items()} == {
        "t": ("theorem", ": (#: N ) → P #0", ""),
        "f": ("@[reducible] protected def", ": N", ": N := g .{ 0 } N"),
        "T": ("inductive", ".{ %0 } : (#: Type %0 ) → Type %0", ""),
    }
    assert {name: set(each.mentions) for name, each in found.items()} == {
        "t": {"N", "P"},
        "f": {"N", "g"},
        "T": {"T.rec"},
    }


@pytest.mark.parametrize(
    "said", [["t : True", "t : False"], ["u : True"], ["t.u : True"], ["t✝ : True"], ["#t : True"], []]
)
def test_anything_but_one_answer_about_the_very_name_is_none(said: list[str]) -> None:
    printing = print_in_full({"t": "theorem"}, ())
    assert printing.printed([info(1, each) for each in said]) == {}


def test_what_cannot_be_read_is_equal_to_nothing_that_can() -> None:
    printing = print_in_full({"t": "theorem"}, ())
    found = printing.printed([info(1, "t : P ⋯")])["t"]
    assert found.unreadable == "`⋯`"
    assert found != printing.printed([info(1, "t : P")])["t"]


def test_a_constant_that_is_printed_like_another_under_a_variable_is_looked_for() -> None:
    printing = print_in_full({"t": "theorem", "s": "theorem"}, ())
    found = printing.printed([info(1, "t : ∀ (f : N), P f _root_.f"), info(2, "s : f")])
    assert found["t"].type == ": (#: N ) → P #0 f"
    question = look_up_imitations(found.values(), ())
    lines = question.text.split("\n")
    assert lines[:3] == ["#check @_root_._root_.f", "#check @_root_.«Prop»", "#check @_root_.«Type»"]
    unknown = [info(line, "unknown identifier", "error") for line in range(1, len(lines) + 1)]
    assert not question.not_ruled_out(unknown)
    assert question.not_ruled_out(unknown[1:]) == {"_root_.f"}
    # A constant of a namespace that was left open, and several of them, are no answers about this one.
    for said in (info(1, "_root_.f : N"), info(1, "A._root_._root_.f : N"), info(1, "ambiguous, f or f", "error")):
        assert question.not_ruled_out([said, *unknown[1:]]) == {"_root_.f"}
        assert question.not_ruled_out([said, *unknown]) == {"_root_.f"}


def test_names_are_looked_up_a_line_each() -> None:
    question = look_up(["f", "g", "h"], {"maxHeartbeats"})
    assert question.text == "set_option maxHeartbeats 0\n#check @_root_.f\n#check @_root_.g\n#check @_root_.h"
    # The last is no constant, but a field of what `h`'s first part names.
    said = [info(2, "@f.{u} : Nat"), info(3, "unknown identifier", "error"), info(4, "S.h s : Nat")]
    assert question.known(said) == {"f"}


@pytest.mark.parametrize("name", ["_private.0.f", "_private.A.B.0.f", "f✝", "f✝¹", "A._hyg.3.f", "_auxLemma.3.x"])
def test_what_has_no_name_to_ask_for_makes_the_statement_invalid(name: str) -> None:
    with pytest.raises(BadStatement, match="cannot be asked for by name") as caught:
        refuse_hidden(["f", name])
    assert name in str(caught.value)
    refuse_hidden(["f", "A.g", "«odd name».x", "f.match_1", "f._proof_1"])


def test_in_a_module_the_files_own_private_names_can_be_asked_for() -> None:
    refuse_hidden(["_private.0.f"], "_private.0.")
    with pytest.raises(BadStatement, match=re.escape("_private.B.0.f")):
        refuse_hidden(["_private.B.0.f"], "_private.0.")
    assert ask_for_kinds(["_private.0.f", "t"], (), "_private.0.").text == "#print _root_.f\n#print _root_.t"
    printing = print_in_full({"_private.0.f": "def", "t": "theorem"}, (), "_private.0.")
    assert printing.text.split("\n") == ["#check @_root_.f", "#check @_root_.t", "#print _root_.f"]
    found = printing.printed(
        [info(1, "_private.0.f : N"), info(2, "_private.0.t : N"), info(3, "private def f : N :=\n_private.0.g")]
    )
    assert found.keys() == {"_private.0.f", "t"}
    # With `pp.privateNames`, which is set, Lean 4.35 prints the whole name here, too.
    whole = info(3, "private def _private.0.f : N :=\n_private.0.g")
    assert printing.printed([info(1, "_private.0.f : N"), whole]).keys() == {"_private.0.f"}
    other = info(3, "private def _private.B.0.f : N :=\n_private.0.g")
    assert printing.printed([info(1, "_private.0.f : N"), other]) == {}
    assert found["_private.0.f"].mentions == {"N", "_private.0.g"}


def test_what_is_asked_must_be_there_and_the_same() -> None:
    f, t = (
        ComparedConstant("def", ": Nat", ": Nat := 1", "def f : Nat :=\n1"),
        ComparedConstant("theorem", ": f = 1", "", "t : f = 1"),
    )
    asked = {"f": f, "t": t}
    assert first_mismatch(asked, {**asked, "more": t}) is None
    assert first_mismatch(asked, {**asked, "f": replace(f, said="anything")}) is None
    other = first_mismatch(asked, {**asked, "f": replace(f, value=": Nat := 2", said="def f : Nat :=\n2")})
    assert other is not None
    assert other.sentence() == "f is not what the statement says."
    assert other.excerpt() == "statement: def f : Nat :=\n1\nproof: def f : Nat :=\n2"
    assert first_mismatch(asked, {**asked, "f": replace(f, kind="opaque")}) is not None
    lacking = first_mismatch(asked, {"f": f})
    assert lacking is not None
    assert lacking.sentence() == "The file does not declare t, which the statement declares."
    assert lacking.excerpt().endswith("proof: (not declared)")
