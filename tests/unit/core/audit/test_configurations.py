"""Configurations of tactics and attributes: data passes, anything else is a finding."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_cases import rules_in

from streamverify.core.audit.vocabulary import SHIPPED


class TestConfigurations:
    @pytest.mark.parametrize(
        "tactic",
        [
            "simp (config := { decide := true })",
            "simp (config := {zeta := false, maxSteps := 100000}) only [foo]",
            "simp_all (config := .all)",
            "simp +decide -zeta [foo]",
            "simp (disch := omega) (zeta := false)",
            "field_simp (discharger := positivity)",
            "linear_combination (norm := ring_nf) h",
            "rw (config := { occs := .pos [1, 2] }) [foo]",
            "omega (splitNatSub := false)",
            "aesop (config := { terminal := true }) (add safe foo)",
            "exact foo (n := k + 1)",
            "rw [Finset.sum_congr rfl (g := fun x => x)]",
            "apply le_trans (b := f x)",
            "decide (config := { kernel := true })",
            "grind (splits := 5)",
        ],
    )
    def test_data_and_tactics_and_arguments_of_terms_are_none(self, tactic: str) -> None:
        assert rules_in(f"theorem t : 1 = 1 := by\n  {tactic}") == set()

    @pytest.mark.parametrize(
        "tactic",
        [
            "simp (config := { maxSteps := evil 100000 })",
            "simp (config := evil)",
            "simp (config := { decide := true, maxSteps := (evil) })",
            "simp (maxSteps := evil)",
            "simp +decide (maxSteps := evil)",
            "simp only (maxSteps := evil)",
            "simp (zeta := false) (maxSteps := 3 + evil)",
            "simp (disch := simp) (maxSteps := evil)",
            "omega (config := { splitNatSub := evil })",
            "grind (splits := evil)",
            "decide (config := { kernel := evil })",
            "try decide (kernel := evil)",
            "rw (config := evil) [foo]",
            "ring_nf (config := { red := evil })",
            "norm_num (config := { decide := foo.bar })",
            "aesop (config := { maxRuleApplications := evil })",
            "aesop (simp_config := evil)",
            "linarith (config := io.x)",
            "linarith (discharger := evil)",
            "nlinarith! only (discharger := lean.x)",
            "linarith +splitNe -x (oracle := lean.x)",
            "solve_by_elim* (discharge := lean.x)",
            "apply_rules (proc := lean.x)",
            "some_tactic_of_a_library (config := evil)",
            "conv => rw (config := evil)",
            "(simp (maxSteps := evil))",
            "exact h; simp (maxSteps := evil)",
            "tauto (config := { closer := evil })",
            "simp (motive := 1) (maxSteps := evil)",
            "with_reducible decide (kernel := evil)",
            "simp (disch := decide (kernel := evil))",
            "induction n with decide (kernel := evil)",
            "exact if h : p then decide (kernel := evil) else x",
            "some_tactic (config := { a := default })",
        ],
    )
    def test_anything_else_is_a_finding(self, tactic: str) -> None:
        assert rules_in(f"theorem t : 1 = 1 := by\n  {tactic}") == {"configuration"}

    def test_a_tactic_that_only_the_environment_knows(self) -> None:
        proof = "theorem t : 1 = 1 := by\n  frob (steps := evil)"
        assert rules_in(proof) == set()
        assert rules_in(proof, replace(SHIPPED, tactics=frozenset({"frob"}))) == {"configuration"}

    @pytest.mark.parametrize(
        "before",
        [
            "def Nat.evil : Nat := f 3",
            "namespace Nat\ndef evil : Nat := f 3\nend Nat",
            "def f := g where evil : Nat := f 3",
            "def f := let rec evil : Nat := f 3; g",
            "open Foo renaming f → evil",
            "alias Nat.evil := Foo.f",
            "irreducible_def evil (n := 1) : Nat := f n",
            "@[to_additive Nat.evil] def f : Nat := 1",
            "def f := let rec a : Nat := 1, evil : Nat := 2; g",
            "def f := g where\n  a := 1\n  evil (n : Nat := 3) : Nat := n",
        ],
    )
    def test_a_constructor_that_the_file_makes_itself_is_none(self, before: str) -> None:
        tactic = "theorem t : 1 = 1 := by simp (config := { maxSteps := .evil })"
        assert rules_in(tactic) == set()
        assert rules_in(f"{before}\n{tactic}") == {"configuration"}
        assert rules_in(f"{before.replace('evil', 'true')}\n{tactic.replace('.evil', 'true')}") == {"configuration"}

    @pytest.mark.parametrize("made", ["OfNat Nat 3", "Zero Nat", "Inhabited Nat", "Foo.CoeTail Bool Nat"])
    def test_nor_is_a_literal_to_which_the_file_gives_a_meaning(self, made: str) -> None:
        tactic = "theorem t : 1 = 1 := by simp (config := { maxSteps := 3 })"
        assert rules_in(f"instance : {made} := ⟨evil⟩\n{tactic}") == {"configuration"}
        assert rules_in(f"theorem u : {made.replace(' ', '.')} := x\n{tactic}") == set()
        flag = tactic.replace("3", "true")
        assert rules_in(f"instance : {made} := ⟨evil⟩\n{flag}") == ({"configuration"} if "Coe" in made else set())

    def test_those_of_attributes_and_commands(self) -> None:
        assert rules_in("@[simps (config := { rhsMd := evil })] def x := 1") == {"configuration"}
        assert rules_in("@[simps (config := .lemmasOnly) a] def x := 1") == set()
        assert rules_in("#norm_num (maxSteps := evil) 1 + 1") == {"configuration"}
