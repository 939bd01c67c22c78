"""Commands, attributes, options and words of terms: what is a finding, by which rule, and what is none."""

from __future__ import annotations

import pytest
from policy_cases import NOTHING, findings_in, knowing, rules_in

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.policy import runs_code


class TestCommands:
    @pytest.mark.parametrize(
        "before",
        [
            "",
            "open Nat in\n",
            "set_option maxHeartbeats 1 in\n",
            "/-- doc -/\n",
            "@[simp] ",
            "theorem t : 1 = 1 := rfl ",
            "local ",
        ],
    )
    def test_a_harmful_command_is_found_wherever_it_stands(self, before: str) -> None:
        assert rules_in(before + 'notation "x" => 1') == {"notation"}

    @pytest.mark.parametrize("modifier", ["private", "protected", "noncomputable", "partial", "nonrec", "public"])
    def test_modifiers_are_harmless(self, modifier: str) -> None:
        assert rules_in(f"{modifier} def x : Nat := 0") == set()

    @pytest.mark.parametrize("modifier", ["unsafe", "meta"])
    def test_two_are_not(self, modifier: str) -> None:
        assert rules_in(f"private {modifier} def x : Nat := 0") == {modifier}

    def test_what_the_environment_knows_and_is_not_harmless_is_found_within_a_line(self) -> None:
        proof = "theorem t : 1 = 1 := rfl frobnicate 3"
        assert rules_in(proof, NOTHING) == set()
        assert rules_in(proof, knowing("frobnicate")) == {"unknown_command"}

    def test_what_it_knows_and_is_harmless_is_not(self) -> None:
        assert rules_in("theorem t : 1 = 1 := rfl", knowing("theorem", "@[", "/--", "$")) == set()

    def test_a_rule_of_its_own_comes_before_unknown(self) -> None:
        assert rules_in("run_cmd x", knowing("run_cmd")) == {"run_code"}

    @pytest.mark.parametrize("command", ["compile_it%", "#find_all!", "⟪⟫", "#count-all"])
    def test_a_command_of_several_tokens_is_known_by_all_of_them(self, command: str) -> None:
        known = knowing(command)
        assert rules_in(f"def x := 1\n {command} x", known) == {"unknown_command"}
        assert rules_in(f"def x := 1\n {command[0]} {command[1:]} x", known) == set()

    @pytest.mark.parametrize("command", ["", " ", '"', "«", "/-"])
    def test_odd_commands_are_no_trouble(self, command: str) -> None:
        assert rules_in("theorem t : 1 = 1 := rfl", knowing(command)) == set()

    def test_an_unknown_word_in_the_first_column_is_a_finding(self) -> None:
        assert rules_in("theorem t : 1 = 1 := rfl\nfrobnicate 3", NOTHING) == {"unknown_command"}

    def test_so_is_one_that_begins_the_file(self) -> None:
        assert rules_in("\n\n   frobnicate 3", NOTHING) == {"unknown_command"}
        assert rules_in("\ufefffrobnicate 3", NOTHING) == {"unknown_command"}

    @pytest.mark.parametrize(
        "proof",
        [
            "theorem t : f (\nx) = 1 := h",
            "theorem t :=\nfoo",
            "theorem t : a ∧\nb := h",
            "theorem t : True := by\nexact trivial",
            "theorem\nt : True := trivial",
            "theorem t : f ⟨\nx, [\ny], {\nz}⟩ := h",
        ],
    )
    def test_a_line_that_goes_on_is_none(self, proof: str) -> None:
        assert rules_in(proof, NOTHING) == set()

    def test_a_bracket_left_open_hides_nothing_after_the_next_command(self) -> None:
        assert rules_in("def x := (1\nfrobnicate\ndef y := 1\nfrobnicate", NOTHING) == {"unknown_command"}

    def test_of_two_commands_that_begin_a_word_the_longer_one_names_the_rule(self) -> None:
        assert rules_in("theorem t : 1 = 1 := rfl #guard_msgsx y") == {"guard_msgs"}
        assert rules_in("theorem t : 1 = 1 := rfl #guardx y") == {"eval"}

    @pytest.mark.parametrize("opener", ["open", "export"])
    def test_opening_what_is_private(self, opener: str) -> None:
        assert rules_in(f"{opener} private foo in Bar") == {"open_private"}

    @pytest.mark.parametrize("proof", ["-- #eval 1", "/- axiom -/", '/-- #eval -/ def x := "#check"', "/-! macro -/"])
    def test_comments_are_no_commands(self, proof: str) -> None:
        assert rules_in(proof) == set()

    def test_a_name_that_contains_a_command_is_none(self) -> None:
        assert rules_in("theorem axiom_of_choice (h : Foo.axiom) (h' : macro') : «axiom» := xs.macro") == set()


class TestAttributes:
    @pytest.mark.parametrize(
        "attributes",
        [
            "@[{}] def x := 1",
            "@[simp, {}] def x := 1",
            "@[simp high, local {} 10] def x := 1",
            "@[ simp\n , scoped {} foo] def x := 1",
            "attribute [{}] x",
            "attribute [local {}] x",
            "attribute /- why -/ [simp, -{}] x in theorem t : 1 = 1 := rfl",
            "@[to_additive (attr := {})] def x := 1",
            "@[to_additive (attr := simp, {}) foo] def x := 1",
            "alias (attr := {}) a := b",
            "structure A where\n  @[{}] x : Nat",
            "theorem t : 1 = 1 := let rec @[{}] f := 1; rfl",
        ],
    )
    @pytest.mark.parametrize(
        ("attribute", "rule"),
        [
            ("implemented_by", "implemented_by"),
            ("«implemented_by»", "implemented_by"),
            ("extern", "extern"),
            ("export", "extern"),
            ("csimp", "csimp"),
            ("init", "elaborator_attribute"),
            ("macro", "elaborator_attribute"),
            ("app_unexpander", "printing"),
            ("coe", "printing"),
            ("no_such_attribute", "unknown_attribute"),
            ("Some.attribute", "unknown_attribute"),
        ],
    )
    def test_every_attribute_is_judged(self, attributes: str, attribute: str, rule: str) -> None:
        assert rules_in(attributes.format(attribute)) == {rule}
        assert rules_in(attributes.format("simp")) == set()

    @pytest.mark.parametrize("attribute", sorted(words.WITHOUT_ARGUMENTS))
    def test_some_are_harmless_only_without_a_pattern(self, attribute: str) -> None:
        assert rules_in(f"@[{attribute}, simp] theorem t : 1 = 1 := rfl") == set()
        assert rules_in(f"@[simp, {attribute}] theorem t : 1 = 1 := rfl") == set()
        assert rules_in(f"@[{attribute} _ + _] def x := 1") == {"elaborator_attribute"}

    def test_a_rule_made_of_a_tactic(self) -> None:
        assert rules_in("@[aesop safe tactic] def x := 1") == {"run_code"}
        assert rules_in("@[aesop safe] def x : Foo := 1") == set()
        assert rules_in("open Lean\n@[aesop safe] def x : Foo := 1") == {"metaprogram"}
        assert rules_in("add_aesop_rules safe x\ndef x : Lean.Foo := 1") == {"metaprogram"}

    def test_arguments_are_no_attributes(self) -> None:
        assert rules_in("@[simps (config := {foo := .bar}) a b, deprecated extern (since := x)] def x := 1") == set()

    def test_what_is_no_word_is_no_attribute_that_we_know(self) -> None:
        assert rules_in("@[$x] def x := 1") == {"unknown_attribute"}

    def test_known_attributes_that_nobody_would_call_a_variable_are_found_anywhere(self) -> None:
        proof = "some_library_syntax [term_elab foo]"
        known = knowing("some_library_syntax", attributes=("term_elab", "init"))
        assert "elaborator_attribute" in rules_in(proof, known)
        assert rules_in("theorem t (init : Nat) : init = init := rfl", known) == set()

    def test_an_empty_or_unclosed_list_is_no_trouble(self) -> None:
        assert rules_in("@[] def x := 1\n@[simp,] def y := 1\n@[") == set()


class TestLists:
    def test_a_list_of_attributes_ends_at_its_bracket_alone(self) -> None:
        assert rules_in("attribute [specialize\nconstant, extern foo] d") == {"extern"}
        assert rules_in("attribute [specialize (a\nconstant), extern foo] d") == {"extern"}
        assert rules_in("attribute [specialize ), extern foo] d") == {"extern"}
        assert rules_in("@[to_additive (attr := simp\ndef, extern foo)] d") == {"extern"}
        assert rules_in("@[to_additive (attr := simp)]\nlemma a : f (b, extern) = 1 := h") == set()


class TestOptions:
    @pytest.mark.parametrize(
        "form",
        [
            "set_option {} true",
            "set_option {} true in\ntheorem t : 1 = 1 := rfl",
            "theorem t : 1 = 1 := set_option {} true in rfl",
            "theorem t : 1 = 1 := by\n  set_option {} true in\n  rfl",
            "set_option /- why -/\n  {} true",
        ],
    )
    @pytest.mark.parametrize(
        ("option", "rule"),
        [
            ("debug.skipKernelTC", "debug_option"),
            ("«debug».«skipKernelTC»", "debug_option"),
            ("warn.sorry", "warn_sorry"),
            ("pp.all", "printing"),
            ("format.width", "printing"),
            ("trace.profiler.output", "unknown_option"),
            ("doc.verso", "unknown_option"),
            ("sat.solver", "unknown_option"),
            ("noSuchOption", "unknown_option"),
        ],
    )
    def test_every_option_is_judged(self, form: str, option: str, rule: str) -> None:
        assert rules_in(form.format(option)) == {rule}

    @pytest.mark.parametrize("option", ["maxHeartbeats", "autoImplicit", "linter.all", "trace.Meta", "backward.x"])
    def test_harmless_ones(self, option: str) -> None:
        assert rules_in(f"set_option {option} true") == set()

    def test_an_option_is_found_once(self) -> None:
        assert len(findings_in("set_option debug.skipKernelTC true")) == 1

    def test_known_options_are_found_without_set_option_too(self) -> None:
        proof = "theorem t : 1 = 1 := with_options [debug.skipKernelTC := true] rfl"
        assert rules_in(proof, knowing(options=("debug.skipKernelTC", "x"))) == {"debug_option"}

    def test_a_name_that_looks_like_one_is_none(self) -> None:
        assert rules_in("theorem t (pp : Nat.Prime 7) (debug : Foo) : 0 < 7 := pp.pos debug.x") == set()

    def test_what_is_no_name_is_no_option_that_we_know(self) -> None:
        assert rules_in("set_option 3 true") == {"unknown_option"}
        assert rules_in("set_option") == set()


class TestTerms:
    @pytest.mark.parametrize(
        ("term", "rule"),
        [
            ("by native_decide", "native"),
            ("by decide +native", "native"),
            ("by decide (config := { native := true })", "native"),
            ("by bv_decide", "native"),
            ("Lean.ofReduceBool a b h", "native"),
            ("by run_tac x", "run_code"),
            ("by_elab x", "run_code"),
            ("autoParam p x", "run_code"),
            ('include_str "x"', "include_file"),
            ("sorryAx _ false", "sorry_axiom"),
            ("«sorryAx» _ false", "sorry_axiom"),
            ("_root_.sorryAx _ false", "sorry_axiom"),
            ("@sorryAx.{0} _ false", "sorry_axiom"),
            ("Lean.«sorryAx» _", "sorry_axiom"),
            ("lcProof", "sorry_axiom"),
            ("unsafe x", "unsafe"),
            ("unsafeCast x", "unsafe"),
            ("env.addDeclCore 0 d", "environment"),
            ("eval% x", "eval"),
            ("by polyrith", "external_tool"),
            ('foo "{x}"', "literal"),
            ('"run_cmd"', "run_code"),
            ("`foo", "quotation"),
            ("by trace foo", "run_code"),
            ("by plausible", "run_code"),
            ("by skip with trace foo", "run_code"),
            ("IO.println x", "metaprogram"),
            ("by linarith [IO.foo]", "metaprogram"),
            ("«Lean».Grind.foo", "metaprogram"),
            ("x Lean.Grind.foo", "metaprogram"),
            ("(Lean.Grind.Syntax.x)", "metaprogram"),
            ("x.setArgs", "metaprogram"),
            (".atom x", "metaprogram"),
            ("«Prop»", "literal"),
            ("A._root_.b", "literal"),
        ],
    )
    def test_code_and_ways_round_the_kernel(self, term: str, rule: str) -> None:
        assert rules_in(f"theorem t : 1 = 1 := {term}") == {rule}

    @pytest.mark.parametrize(
        "term",
        [
            "eval % 2",
            "trace [x]",
            "x.native",
            "sorryAx'",
            "foo.bar",
            '"x" s!"y"',
            'by trace "x"',
            "(f x).trace y",
            "by exact (x : Foo)",
            "by decide +kernel",
            "sorry",
            "by linarith (splitNe := true)",
            "by linarith [io.foo]",
            "by simp [Lean.Grind.toInt_fin, ← Lean.Elab.WF.paramLet]",
            '"by Lean and IO"',
            "Tree.node l r",
        ],
    )
    def test_what_looks_like_it(self, term: str) -> None:
        assert rules_in(f"theorem t : 1 = 1 := {term}") == set()

    @pytest.mark.parametrize(
        "proof", ["def x := a ≠-- b", "/-- -- -/ -/", "open Foo.Jsx", "theorem /-- a -/ t", "def x := a |-- b"]
    )
    def test_what_only_lean_could_tell(self, proof: str) -> None:
        assert "lexical" in rules_in("theorem t : 1 = 1 := rfl\n" + proof)

    @pytest.mark.parametrize("proof", ["def x :=\t1", " a\x00", "/- #eval 1", "/-- without an end"])
    def test_what_hides_nothing_costs_no_process(self, proof: str) -> None:
        found = findings_in("theorem t : 1 = 1 := rfl\n" + proof)
        assert "no_token" in {item.rule for item in found}
        assert runs_code(found) == ("#eval" in proof)
