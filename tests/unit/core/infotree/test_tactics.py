from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cli_fakes import make_result
from support import DATA

from streamverify import tactics as exported
from streamverify.core.errors import NoInfotree
from streamverify.core.infotree import Tactic, tactics
from streamverify.core.infotree.cut import split_tactics
from streamverify.core.messages.models import Response

FOLDER = DATA / "infotrees"
RECORDINGS = {
    line["file"]: line["infotree"] for line in map(json.loads, (FOLDER / "recordings.jsonl").read_text().splitlines())
}
# What the REPL leaves out of `"infotree": "substantive"`; the last three as the Lean of 2021 names them.
NOT_SUBSTANTIVE = {
    "null",
    "Lean.cdot",
    "Lean.cdotTk",
    "Lean.Parser.Term.byTactic",
    "Lean.Parser.Tactic.tacticSeq",
    "Lean.Parser.Tactic.tacticSeq1Indented",
    "Lean.Parser.Tactic.«tactic_<;>_»",
    "Lean.Parser.Tactic.paren",
    "Lean.Parser.Tactic.«tactic·._»",
    "Lean.Parser.Tactic.tacticSeqBracketed",
    "Lean.Parser.Tactic.seq1",
}


def source(name: str) -> str:
    return (FOLDER / "files" / name).read_text()


def recorded(name: str) -> list[Tactic]:
    return split_tactics(source(name), RECORDINGS[name])


def steps(found: list[Tactic]) -> list[tuple[str, list[str], list[str]]]:
    """Text, targets before, targets after."""

    def targets(goals: tuple[str, ...]) -> list[str]:
        return [goal.rpartition("⊢ ")[2] for goal in goals]

    return [(each.text, targets(each.goals_before), targets(each.goals_after)) for each in found]


def node(text: str, part: str, kind: str, before: list[str], after: list[str], *children: Any) -> dict[str, Any]:
    """A node of the REPL of today at the place where `part` last stands in `text`."""
    at = text.rindex(part)

    def place(offset: int) -> dict[str, int]:
        return {"line": text.count("\n", 0, offset) + 1, "column": offset - text.rfind("\n", 0, offset) - 1}

    return {
        "node": {
            "stx": {
                "range": {"synthetic": False, "start": place(at), "finish": place(at + len(part))},
                "pp": part,
                "kind": kind,
                "argKinds": [],
            },
            "name": kind,
            "goalsBefore": [f"⊢ {goal}" for goal in before],
            "goalsAfter": [f"⊢ {goal}" for goal in after],
        },
        "kind": "TacticInfo",
        "children": list(children),
    }


def only(trees: list[Any], keep: Any) -> list[Any]:
    """A tree without the nodes that `keep` refuses; their children take their place, as in the REPL."""
    kept: list[Any] = []
    for tree in trees:
        children = only(tree["children"], keep)
        kept += [{**tree, "children": children}] if keep(tree["node"]) else children
    return kept


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_joined_again_they_are_the_file(name: str) -> None:
    assert "".join(map(str, recorded(name))) == source(name)


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_every_kind_of_infotree_gives_the_same_tactics(name: str) -> None:
    recording, expected = RECORDINGS[name], recorded(name)
    original = only(recording, lambda one: not one["stx"]["range"]["synthetic"])
    substantive = only(recording, lambda one: one["name"] is not None and one["stx"]["kind"] not in NOT_SUBSTANTIVE)
    term = {"stx": {"kind": "ident", "range": {}}, "expr": "h", "isBinder": False}
    full = [
        {"node": None, "kind": "CustomInfo", "children": [{"goalState": "⊢ p"}, *recording]},
        {"node": term, "kind": "TermInfo", "children": []},
    ]
    assert split_tactics(source(name), original) == expected
    assert split_tactics(source(name), substantive) == expected
    assert split_tactics(source(name), full) == expected


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_positions_are_those_of_the_text(name: str) -> None:
    lines = source(name).splitlines(keepends=True)
    for each in recorded(name):
        first, last = each.start["line"] - 1, each.end["line"] - 1
        text = "".join(lines[first : last + 1])[each.start["column"] :]
        assert text[: len(text) - (len(lines[last]) - each.end["column"])] == each.text


def test_have_is_cut_and_comments_are_kept_whole() -> None:
    found = recorded("have.lean")[:6]
    assert steps(found) == [
        ("have h : p := by", ["p ∧ q"], ["p"]),
        ("exact hp", ["p"], []),
        ("have g : q := hq", ["p ∧ q"], ["p ∧ q"]),
        ("have k : p := by", ["p ∧ q"], ["p"]),
        ("exact h", ["p"], []),
        ("exact And.intro k g", ["p ∧ q"], []),
    ]
    assert found[0].lead.endswith(":= by\n  -- first we show (p\n  ")
    assert found[1].lead == "\n    /- nested /- comment -/ with ⟨ brackets -/\n    "
    assert found[2].lead == " -- trailing )\n  "
    assert found[3].lead == "; "
    assert found[5].goals_before == ("p q : Prop\nhp : p\nhq : q\nh : p\ng : q\nk : p\n⊢ p ∧ q",)


def test_let_and_suffices() -> None:
    assert steps(recorded("let.lean")) == [
        ("let m := n", ["n = n"], ["n = n"]),
        ("let k : Nat := by", ["n = n"], ["Nat"]),
        ("exact m", ["Nat"], []),
        ("suffices h : m = m by", ["n = n"], ["n = n"]),
        ("exact h", ["n = n"], []),
        ("rfl", ["m = m"], []),
    ]


def test_a_bullet_belongs_to_the_first_tactic_behind_it() -> None:
    assert steps(recorded("bullets.lean")) == [
        ("apply And.intro", ["p ∧ q ∧ r"], ["p", "q ∧ r"]),
        ("· exact hp", ["p"], []),
        ("· -- the pair\n    apply And.intro", ["q ∧ r"], ["q", "r"]),
        ("· have h := hq", ["q"], ["q"]),
        ("exact h", ["q"], []),
        (". exact hr", ["r"], []),
    ]


def test_combinators_and_parentheses_are_kept_whole() -> None:
    assert steps(recorded("combinators.lean")) == [
        ("apply And.intro <;> assumption", ["p ∧ q"], []),
        ("(apply And.intro; exact hp; exact hq)", ["p ∧ q"], []),
        ("apply And.intro", ["p ∧ q"], ["p", "q"]),
        ("allGoals (try rfl)", ["p", "q"], ["p", "q"]),
        ("allGoals\n    first\n      | rfl\n      | assumption", ["p", "q"], []),
        ("(apply And.intro; skip) <;> try exact hp", ["(p ∧ q) ∧ p"], ["p ∧ q"]),
        ("· apply And.intro <;> (try rfl) <;> assumption", ["p ∧ q"], []),
    ]


def test_cases_are_cut_at_their_alternatives() -> None:
    found = steps(recorded("cases.lean"))
    assert [text for text, _, _ in found[:7]] == [
        "cases h with",
        "| inl hp =>",
        "exact Or.inr hp",
        "| inr hq =>",
        "have k : q := by",
        "exact hq",
        "exact Or.inl k",
    ]
    assert found[9:11] == [
        ("rfl", ["0 + Nat.zero = Nat.zero"], []),
        ("| succ n ih =>", ["0 + Nat.succ n = Nat.succ n"], ["0 + Nat.succ n = Nat.succ n"]),
    ]
    assert ("rw [ih]", ["Nat.succ (0 + n) = Nat.succ n"], []) in found
    assert ("match h with\n  | ⟨a, b⟩ =>", ["q ∧ p"], ["q ∧ p"]) in found
    assert ("case left =>", ["p", "q"], ["p"]) in found


def test_no_bracket_is_cut() -> None:
    assert steps(recorded("terms.lean")) == [
        ("exact ⟨by exact hp, (by\n    exact hq)⟩", ["p ∧ q"], []),
        ("exact hp", ["p"], []),
        ("exact hq", ["q"], []),
        ("exact fun n => by", ["∀ (n : Nat), p n"], ["p n"]),
        ("exact h n", ["p n"], []),
        ("rw [h,\n    g]", ["a = c"], []),
        ("cases h with", ["«a b»"], ["«a b»"]),
        ("| intro α₁ β' =>", ["«a b»"], ["«a b»"]),
        ('exact (fun (s : String) (c : Char) => α₁) "a \\"(" \'(\'', ["«a b»"], []),
    ]


def test_what_did_not_run_is_in_the_lead_of_what_did() -> None:
    found = recorded("errors.lean")
    assert found[3].text == "exact hp"
    assert found[3].goals_after == found[3].goals_before
    assert found[4].text == "skip"
    assert found[4].lead.startswith("\n    exact h\n\ntheorem unfinished")


def test_calc_is_cut_at_its_steps() -> None:
    text = "example : 3 = 5 := by calc\n  3 = 4 := by simp\n  _ = 5 := by\n    -- the rest\n    ring\n"
    steps_, prefix = text[text.index("3 = 4") : -1], "Lean.Parser.Tactic."
    tree = node(
        text,
        text[text.index("calc") : -1],
        "Lean.calcTactic",
        ["3 = 5"],
        [],
        node(text, steps_, "Lean.calcSteps", [], []),
        node(
            text,
            "by simp",
            "Lean.Parser.Term.byTactic",
            ["3 = 4"],
            [],
            node(text, "simp", prefix + "simp", ["3 = 4"], []),
        ),
        node(text, "ring", "Mathlib.Tactic.RingNF.ring", ["4 = 5"], []),
    )
    found = split_tactics(text, [tree])
    assert "".join(map(str, found)) == text
    assert steps(found) == [
        ("calc\n  3 = 4 := by", ["3 = 5"], ["3 = 4"]),
        ("simp", ["3 = 4"], []),
        ("_ = 5 := by", [], ["4 = 5"]),
        ("ring", ["4 = 5"], []),
    ]
    assert found[3].lead == "\n    -- the rest\n    "


def test_conv_is_cut_at_the_steps_inside() -> None:
    text = "example (h : a = b) : a + 0 = b := by\n  conv =>\n    lhs\n    rw [h]; skip\n  simp\n"
    conv, prefix = "conv =>\n    lhs\n    rw [h]; skip", "Lean.Parser.Tactic."
    tree = [
        node(
            text,
            conv,
            prefix + "Conv.conv",
            ["a + 0 = b"],
            ["b + 0 = b"],
            node(text, "lhs\n    rw [h]; skip", prefix + "Conv.convSeq", ["a + 0 = b"], []),
            node(text, "lhs", prefix + "Conv.lhs", ["a + 0 = b"], ["a + 0"]),
            node(
                text,
                "rw [h]",
                prefix + "Conv.convRw__",
                ["a + 0"],
                ["b + 0"],
                node(text, "h", prefix + "rwRule", ["a + 0"], ["b + 0"]),
            ),
            node(text, "skip", prefix + "Conv.skip", ["b + 0"], ["b + 0"]),
        ),
        node(text, "simp", prefix + "simp", ["b + 0 = b"], []),
    ]
    found = split_tactics(text, tree)
    assert "".join(map(str, found)) == text
    assert steps(found) == [
        ("conv =>", ["a + 0 = b"], ["a + 0 = b"]),
        ("lhs", ["a + 0 = b"], ["a + 0"]),
        ("rw [h]", ["a + 0"], ["b + 0"]),
        ("skip", ["b + 0"], ["b + 0"]),
        ("simp", ["b + 0 = b"], []),
    ]


def test_if_is_cut_at_its_branches() -> None:
    text, prefix = "example : q := by\n  if h : p then exact f h else\n    simp\n", "Lean.Parser.Tactic."
    whole = text[text.index("if") : -1]
    exact = node(text, "exact f h", prefix + "exact", ["q"], [])
    tree = node(
        text, whole, "Lean.Parser.Tactic.tacDepIfThenElse", ["q"], [], exact, node(text, "simp", "x", ["q"], [])
    )
    assert [each.text for each in split_tactics(text, [tree])] == ["if h : p then", "exact f h", "else", "simp"]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        # Its goals of one run would be wrong for the other.
        ("case inl | inr => simp", 2),
        # It may have failed, or have run for other goals, and nothing in the tree says so.
        ("all_goals\n    simp", 1),
        ("try\n    simp", 1),
        ("first\n  | rfl\n  | simp", 1),
        ("rfl <|>\n    simp", 1),
    ],
)
def test_what_runs_several_times_or_perhaps_not_is_kept_whole(text: str, runs: int) -> None:
    file = f"example : p := by\n  {text}\n"
    inner = [node(file, "simp", "Lean.Parser.Tactic.simp", ["p"], []) for _ in range(runs)]
    tree = node(file, text, "Lean.Parser.Tactic.outer", ["p", "q"], [], *inner)
    assert steps(split_tactics(file, [tree])) == [(text, ["p", "q"], [])]


def test_a_proof_deeper_than_pythons_stack() -> None:
    depth = 3000
    text = "".join(f"{'  ' * 0}have h{i} : p := by\n" for i in range(depth)) + "simp\n"
    tree = node(text, "simp", "Lean.Parser.Tactic.simp", ["p"], [])
    for i in reversed(range(depth)):
        start = text.index(f"have h{i} ")
        tree = node(text, text[start:-1], "Lean.Parser.Tactic.tacticHave_", ["p"], ["p"], tree)
    found = split_tactics(text, [tree])
    assert len(found) == depth + 1
    assert "".join(map(str, found)) == text


def result(name: str = "have.lean", **changes: Any) -> dict[str, Any]:
    return {
        "custom_id": "1",
        "response": {"messages": [], "infotree": RECORDINGS[name]},
        "truncated": [],
        "proof_sha256": hashlib.sha256(source(name).encode()).hexdigest(),
        **changes,
    }


def test_a_result_gives_its_tactics() -> None:
    assert tactics(result(), source("have.lean")) == recorded("have.lean")
    assert exported is tactics


def test_a_result_of_our_client_knows_its_file() -> None:
    made = make_result().model_copy(update={"response": Response(infotree=RECORDINGS["have.lean"])})
    with pytest.raises(NoInfotree, match="hand it in"):
        tactics(made)
    assert tactics(made.of_proof(source("have.lean"))) == recorded("have.lean")


def test_a_result_without_infotree_says_how_to_ask_for_one() -> None:
    with pytest.raises(NoInfotree, match="infotree_type='tactics'"):
        tactics(result(response={"messages": []}), "")
    with pytest.raises(NoInfotree, match="infotree_type='tactics'"):
        tactics(result(response=None), "")
    with pytest.raises(NoInfotree, match="too large"):
        tactics(result(response={"infotree": None}, truncated=["infotree"]), "")


def test_another_file_than_the_checked_one_is_refused() -> None:
    with pytest.raises(NoInfotree, match="another file"):
        tactics(result(), source("let.lean"))
    with pytest.raises(NoInfotree, match="hand it in"):
        tactics(result())


def test_a_proof_by_terms_has_no_tactics() -> None:
    assert split_tactics("theorem t (p : Prop) (h : p) : p := h", []) == []
