"""Places within a word at which some Lean begins to read, and the words there."""

from __future__ import annotations

import pytest
from policy_cases import rules_in


class TestOtherReadings:
    """Places within a token at which some Lean begins to read, after an error or because it knows another table."""

    @pytest.mark.parametrize(
        "text",
        [
            "by xaxiom",
            "by h.axiom",
            "f '' axiom",
            "f '' xaxiom",
            "f ∑' xaxiom",
            "x'abaxiom",
            "1eaxiom",
            "1.eaxiom",
            "éaxiom",
            "xⱼaxiom",
            "0b«axiom y»",
            "#axiom",
            "##axiom",
            "x#axiom",
            "by «axiom foo»",
            "by «x axiom foo»",
            '"axiom"',
            "(x).axiom",
            "by x!axiom",
            "by x?!axiom",
            "by x00axiom",
            "by x0baxiom",
            "by x0x1_axiom",
            "by x1.axiom",
            "by x?.axiom",
            "by x1e5axiom",
            "by x''₁1axiom",
            "by _0axiom",
            "1e?axiom",
            "by x!'abaxiom",
        ],
    )
    def test_the_words_there_are_judged(self, text: str) -> None:
        found = rules_in(f"theorem t : 1 = 1 := {text} y : False")
        assert "axiom" in found

    @pytest.mark.parametrize("text", ["#evalx", "#eval!x", "#evaluate"])
    def test_a_command_with_a_hash_may_be_shorter_than_its_word(self, text: str) -> None:
        assert rules_in(f"theorem t : 1 = 1 := rfl {text} y") == {"eval"}

    def test_harmless_commands_that_change_what_follows(self) -> None:
        assert rules_in("theorem t : 1 = 1 := by xset_option debug.x true") == {"debug_option"}
        assert rules_in("theorem t : 1 = 1 := by xattribute [extern foo] x") == {"extern"}
        assert rules_in("theorem t : 1 = 1 := by #attribute [extern foo] x") == {"extern"}
        assert rules_in("theorem t : 1 = 1 := by xopen private foo in Bar") == {"open_private"}

    def test_a_character_may_swallow_the_mark_of_a_string(self) -> None:
        assert "literal" in rules_in('theorem t : 1 = 1 := by x\'"a"')
        assert "literal" in rules_in('theorem t : 1 = 1 := by x!1\'"a"')
        assert "literal" in rules_in("theorem t : 1 = 1 := by x' -- a comment")
        assert rules_in("theorem t : 1 = 1 := by simp at x' -- a comment") == set()

    @pytest.mark.parametrize("name", ["hprefix", "#s", "#F'", "h'", "x''", "élan"])
    def test_names_that_people_give_are_none(self, name: str) -> None:
        assert rules_in(f"theorem t (a : {name} = 1) : 1 = 1 := f {name}") == set()
