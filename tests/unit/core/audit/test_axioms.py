"""What an audit asks and what Lean's answers mean, in the words of its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamverify.core.audit.axioms import (
    EXPLICIT,
    Challenge,
    Questions,
    Sum,
    audit_of,
    read_axioms,
    read_private_prefix,
    read_type,
    theorems_to_audit,
    verdict_on_theorems,
)
from streamverify.core.audit.declarations import Declared
from streamverify.core.audit.policy_words import HARMLESS_OPTIONS
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Message, Reason, Theorem

if TYPE_CHECKING:
    from collections.abc import Callable


def info(line: int, data: str, severity: str = "info") -> Message:
    return Message(severity=severity, pos={"line": line, "column": 0}, endPos=None, data=data)


def declared(name: str, *, private: bool = False) -> Declared:
    return Declared("theorem", name, private, 1, 0)


@pytest.mark.parametrize(
    ("said", "axioms"),
    [
        ("'A.t' does not depend on any axioms", set()),
        ("`A.t` does not depend on any axioms", set()),
        ("'A.t' depends on axioms: [propext]", {"propext"}),
        (
            "'A.t' depends on axioms: [propext, Classical.choice, Quot.sound]",
            {"propext", "Classical.choice", "Quot.sound"},
        ),
        (
            "'A.t' depends on axioms: [propext,\n Classical.choice,\n Quot.sound]",
            {"propext", "Classical.choice", "Quot.sound"},
        ),
        ("'A.t' depends on axioms:\n  [sorryAx]\n", {"sorryAx"}),
        ("'A.t' depends on axioms: [t._native.native_decide.ax_1_1]", {"t._native.native_decide.ax_1_1"}),
        ("'«A».t' depends on axioms: [«odd name»]", {"«odd name»"}),
    ],
)
def test_the_axioms_in_every_wording(said: str, axioms: set[str]) -> None:
    assert read_axioms("A.t", [said]) == frozenset(axioms)


@pytest.mark.parametrize(
    "said",
    [
        "'t' does not depend on any axioms",
        "'B.t' does not depend on any axioms",
        "'A.t' does not depend on any axioms, or so it says",
        "see: 'A.t' does not depend on any axioms",
        "'A.t' depends on axioms: [propext",
        "",
    ],
)
def test_what_is_said_of_another_name_does_not_count(said: str) -> None:
    assert read_axioms("A.t", [said]) is None


def test_of_two_answers_about_one_name_both_count() -> None:
    said = ["'t' does not depend on any axioms", "'t' depends on axioms: [cheat]"]
    assert read_axioms("t", said) == frozenset({"cheat"})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("t : 1 + 1 = 2", "1 + 1 = 2"),
        ("@t.{u_1} : ∀ {A : Type u_1}, A = A", "∀ {A : Type u_1}, A = A"),
        ("t :\n  ∀ (n : Nat),\n    n = n", "∀ (n : Nat),\n    n = n"),
        ("nothing of the kind", None),
    ],
)
def test_the_type_stands_after_the_name(said: str, shown: str | None) -> None:
    assert read_type([said]) == shown


def test_options_are_set_only_where_lean_knows_them_and_before_the_questions() -> None:
    audit = audit_of(["A.t"], {"pp.fullNames", "maxHeartbeats", "pp.maxSteps", "other"})
    assert audit.text.split("\n") == [
        "set_option maxHeartbeats 0",
        "set_option pp.fullNames true",
        "#print axioms _root_.A.t",
        "#check @_root_.A.t",
        "set_option pp.maxSteps 1",
        "#print _root_.A.t",
    ]
    assert audit.lines == {"A.t": (3, 6)}


def test_only_what_stands_at_the_question_is_its_answer() -> None:
    audit = audit_of(["a", "b"], ())
    messages = [
        info(1, "'a' does not depend on any axioms"),
        info(2, "a : True"),
        info(2, "'b' does not depend on any axioms"),
        info(3, "unknown constant '_root_.b'", "error"),
        info(5, "theorem a : True :=\n⋯"),
        info(6, "theorem b : True :=\n⋯"),
    ]
    assert audit.theorems(messages) == [Theorem(name="a", type="True", axioms=[])]


@pytest.mark.parametrize(
    ("said", "is_theorem"),
    [
        (["theorem A.t : True :=\ntrivial"], True),
        (["@[simp] protected theorem A.t.{u} : True :=\ntrivial"], True),
        (["@[reducible, defeq] private meta theorem A.«t» : True :=\n⋯"], True),
        (["def A.t : Prop :=\nTrue"], False),
        (["axiom A.t : True"], False),
        (["opaque A.t : Nat"], False),
        (["inductive A.t : Prop\nnumber of parameters: 0\nconstructors:\n"], False),
        (["theorem t : True :=\ntrivial"], False),
        (["theorem A.t.u : True :=\ntrivial"], False),
        (["theorem A.t : True :=\ntrivial", "theorem A.t : False :=\nx"], False),
        (["my theorem A.t : True"], False),
        ([], False),
    ],
)
def test_lean_itself_says_that_a_name_is_a_theorem(said: list[str], is_theorem: bool) -> None:  # noqa: FBT001
    audit = audit_of(["A.t"], ())
    messages = [info(1, "'A.t' does not depend on any axioms"), *(info(3, each) for each in said)]
    assert [each.name for each in audit.theorems(messages)] == ["A.t"] * is_theorem


def test_what_is_private_to_a_module_is_the_answer_for_its_name_and_no_other_modules_is() -> None:
    own, other = "'_private.0.A.t' does not depend on any axioms", "'_private.B.0.A.t' depends on axioms: [cheat]"
    assert read_axioms("A.t", [own], "_private.0.") == frozenset()
    assert read_axioms("A.t", [own]) is None
    assert read_axioms("A.t", [other], "_private.0.") is None


@pytest.mark.parametrize(
    ("said", "prefix"),
    [
        ("'_private.0.streamverify_probe' does not depend on any axioms", "_private.0."),
        ("'_private.Main.0.streamverify_probe' does not depend on any axioms", "_private.Main.0."),
        ("`streamverify_probe` does not depend on any axioms", ""),
        ("'_private.0.streamverify_probe' depends on axioms: [sorryAx]", None),
        ("'A.streamverify_probe' does not depend on any axioms", None),
        ("'other' does not depend on any axioms", None),
    ],
)
def test_lean_tells_how_names_are_private_in_a_module(said: str, prefix: str | None) -> None:
    assert read_private_prefix([info(2, said)]) == prefix
    assert read_private_prefix([info(2, said, "error")]) is None


CHALLENGES = [
    Challenge("abc", Sum(48271, 993, 50000), ["t", "A.u"], false_first=False),
    Challenge("abc", Sum(48271, 993, 50000), ["t", "A.u"], false_first=True),
]


def answers_to(challenge: Challenge) -> list[Message]:
    """What Lean says where all is well."""
    false_line = 2 if challenge.false_first else 3
    return [info(1, "abc"), *(info(line, "no", "error") for line in (false_line, 4, 5))]


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_a_prover_rejects_what_is_false_and_nothing_else(challenge: Challenge) -> None:
    true, false = "(Nat.add 48271 993) 49264", "(Nat.add 48271 993) 50000"
    lines = challenge.text.split("\n")
    assert lines[0] == '#print "abc"'
    assert [true in lines[1], false in lines[1]] == [not challenge.false_first, challenge.false_first]
    assert [true in lines[2], false in lines[2]] == [challenge.false_first, not challenge.false_first]
    assert lines[3:] == ["#check @_root_.t", "#check @_root_.A.u"]
    assert challenge.is_met(answers_to(challenge))
    assert challenge.not_new(answers_to(challenge)) is None


@pytest.mark.parametrize("challenge", CHALLENGES)
@pytest.mark.parametrize(
    "change",
    [
        lambda said: said[1:],
        lambda said: said[:1],
        lambda said: [said[0], *said],
        lambda said: [info(1, "abd"), *said[1:]],
        lambda said: [*said[:1], info(5 - said[1]["pos"]["line"], "no", "error"), *said[2:]],
        lambda said: [*said[:1], info(2, "no", "error"), info(3, "no", "error"), *said[2:]],
        lambda said: [*said[:1], info(said[1]["pos"]["line"], "no", "warning"), *said[2:]],
        lambda said: [said[0], said[0], *said[2:]],
        lambda _: [],
    ],
)
def test_any_other_answer_is_not_that_of_a_prover(
    challenge: Challenge, change: Callable[[list[Message]], list[Message]]
) -> None:
    assert not challenge.is_met(change(answers_to(challenge)))


def test_a_name_that_the_header_has_is_not_new() -> None:
    challenge = CHALLENGES[0]
    said = answers_to(challenge)
    assert challenge.not_new([*said[:2], info(4, "t : True"), said[3]]) == "t"
    assert challenge.not_new(said[:3]) == "A.u"
    assert challenge.not_new([*said, info(5, "A.u : True")]) == "A.u"


def test_an_error_is_no_answer_whatever_it_says() -> None:
    audit = audit_of(["a"], ())
    assert audit.theorems([info(1, "'a' does not depend on any axioms", "error")]) == []


@pytest.mark.parametrize(
    "axiom", ["sorryAx", "Lean.ofReduceBool", "propext'", "A.propext", "Quot", "", "Classical.choice_1"]
)
def test_axioms_are_allowed_by_exact_name(axiom: str) -> None:
    verdict = verdict_on_theorems([Theorem(name="t", axioms=["propext", axiom])], ["t"])
    assert verdict.reason is Reason.AXIOM
    assert verdict.summary.startswith("The proof of t depends on ")


def test_the_three_of_mathlib_are_allowed() -> None:
    theorem = Theorem(name="t", axioms=["Classical.choice", "Quot.sound", "propext"])
    said = "Lean accepted the whole file, and the audit found nothing against the theorem t."
    assert verdict_on_theorems([theorem], ["t"]) == Verdict(Reason.OK, said, theorems=[theorem])
    other = Theorem(name="u", axioms=[])
    assert verdict_on_theorems([theorem, other], ["t"]).summary.endswith("nothing against its 2 theorems.")


def test_what_lean_does_not_know_is_no_theorem_but_an_axiom_comes_first() -> None:
    assert verdict_on_theorems([], ["t"]).reason is Reason.NO_THEOREM
    assert verdict_on_theorems([Theorem(name="a", axioms=["cheat"])], ["a", "t"]).reason is Reason.AXIOM


def test_by_default_all_theorems_but_private_ones_are_audited() -> None:
    names, missing = theorems_to_audit(
        [declared("a"), declared("b", private=True), declared("A.c"), declared("")], None
    )
    assert (names, missing) == (["a", "A.c"], None)


@pytest.mark.parametrize("wanted", ["A.c", "_root_.A.c", "«A».c"])
def test_a_named_theorem_is_found_by_its_full_name(wanted: str) -> None:
    assert theorems_to_audit([declared("a"), declared("A.c")], wanted) == (["A.c"], None)


@pytest.mark.parametrize("wanted", ["c", "A", "b", "", "A.c.d"])
def test_a_theorem_that_the_file_does_not_declare_is_none(wanted: str) -> None:
    names, missing = theorems_to_audit([declared("a"), declared("b", private=True), declared("A.c")], wanted)
    assert names == []
    assert missing


def test_a_file_without_theorems_has_none() -> None:
    assert theorems_to_audit([], None) == ([], "The file declares no theorem.")


def test_no_file_that_is_audited_can_set_how_types_are_printed() -> None:
    assert not {name for name in HARMLESS_OPTIONS if name in EXPLICIT}
    assert not {name for name in HARMLESS_OPTIONS if name.startswith(("pp.", "format."))}


def test_limits_are_lifted_for_every_question() -> None:
    questions = Questions({}, {"maxHeartbeats", "maxRecDepth"})
    assert questions.ask("#check 1") == 3
    assert "set_option maxHeartbeats 0\n" in questions.text
