"""The policy's rules, one by one: what is a finding, where, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import ROOT

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.findings import MOST_A_RULE
from streamverify.core.audit.policy import Reading, check, module_finding, runs_code, trusted_by
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import SHIPPED, Vocabulary
from streamverify.core.messages.models import Finding
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.lexer import KEYWORDS

NOTHING = Vocabulary(frozenset(), frozenset(), frozenset())


def _check(proof: str, vocabulary: Vocabulary = SHIPPED) -> list[Finding]:
    return check(proof, parse_header(proof), vocabulary)


def _rules(proof: str, vocabulary: Vocabulary = SHIPPED) -> set[str]:
    return {item.rule for item in _check(proof, vocabulary)}


def _knowing(*commands: str, attributes: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Vocabulary:
    return Vocabulary(frozenset(commands), frozenset(attributes), frozenset(options))


class TestRules:
    @pytest.mark.parametrize(
        "rule", [rule for rule in RULES.values() if rule.id != "module_file"], ids=lambda rule: rule.id
    )
    def test_the_example_of_a_rule_is_a_finding_by_it(self, rule: object) -> None:
        known = RULES[getattr(rule, "id", "")]
        assert known.id in _rules(known.example)

    def test_the_page_names_every_rule_with_its_example(self) -> None:
        page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
        for rule in RULES.values():
            assert f"### `{rule.id}`" in page, rule.id
            assert rule.example in page, rule.id
            assert rule.reason in page.replace("\n", " "), rule.id

    def test_every_word_falls_under_a_known_rule(self) -> None:
        named = [
            *words.COMMAND_RULES.values(),
            *words.TERM_RULES.values(),
            *words.NAME_RULES.values(),
            *words.ATTRIBUTE_RULES.values(),
            *(rule for _, rule in words.OPTION_RULES),
        ]
        assert set(named) <= RULES.keys()

    def test_no_word_is_harmless_and_harmful(self) -> None:
        harmful = words.COMMAND_RULES.keys() | words.TERM_RULES.keys() | words.NAME_RULES.keys()
        assert not harmful & words.HARMLESS_COMMANDS
        assert not harmful & words.CONTINUATIONS
        assert not words.ATTRIBUTE_RULES.keys() & words.HARMLESS_ATTRIBUTES
        assert not words.CONTINUATIONS & words.HARMLESS_COMMANDS

    def test_the_shipped_vocabulary_knows_what_the_rules_name(self) -> None:
        assert words.HARMLESS_COMMANDS | words.COMMAND_RULES.keys() <= SHIPPED.commands
        assert words.HARMLESS_ATTRIBUTES | words.ATTRIBUTE_RULES.keys() <= SHIPPED.attributes
        assert SHIPPED.options >= words.HARMLESS_OPTIONS

    def test_only_rules_of_running_code_replace_the_process(self) -> None:
        assert runs_code(_check("#eval 1"))
        assert not runs_code(_check("axiom a : False"))
        assert not runs_code([])
        assert not runs_code([Finding(rule="of a later version", line=1, column=0, excerpt="")])


class TestPlaces:
    def test_line_column_and_excerpt_are_those_of_the_file_as_sent(self) -> None:
        proof = (
            "import Lean\nimport Lean.Meta\n\n/- é -/ theorem t : 1 = 1 := by\n  exact ⟨«é», native_decide ⟩ -- end  \n"
        )
        (finding,) = _check(proof)
        assert (finding.rule, finding.line, finding.column) == ("native", 5, 14)
        assert finding.excerpt == "native_decide ⟩ -- end"

    def test_a_body_on_the_line_of_the_header(self) -> None:
        (finding,) = _check("import Lean #eval 1")
        assert (finding.line, finding.column) == (1, 12)

    def test_a_byte_order_mark_counts_as_a_column(self) -> None:
        (finding,) = _check("\ufeff#eval 1")
        assert (finding.line, finding.column) == (1, 1)

    def test_an_excerpt_is_no_longer_than_a_line_of_a_terminal(self) -> None:
        (finding,) = _check("#eval " + "x" * 1000)
        assert len(finding.excerpt) == 80

    def test_findings_are_in_the_order_of_the_text(self) -> None:
        proof = "private theorem t : 1 = 1 := by native_decide\n#eval 1\n"
        assert [item.rule for item in _check(proof)] == ["private_theorem", "native", "eval"]

    def test_a_rule_is_reported_a_bounded_number_of_times(self) -> None:
        found = _check("#eval 1\n" * 1000 + "axiom a : False\n" * 1000)
        assert [item.rule for item in found] == ["eval"] * MOST_A_RULE + ["axiom"] * MOST_A_RULE

    def test_module_is_found_where_it_stands(self) -> None:
        proof = "-- a comment\n  module\ntheorem t : 1 = 1 := rfl\n"
        item = module_finding(proof)
        assert (item.rule, item.line, item.column, item.excerpt) == ("module_file", 2, 2, "module")
        assert _check(proof) == []


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
        assert _rules(before + 'notation "x" => 1') == {"notation"}

    @pytest.mark.parametrize("modifier", ["private", "protected", "noncomputable", "partial", "nonrec", "public"])
    def test_modifiers_are_harmless(self, modifier: str) -> None:
        assert _rules(f"{modifier} def x : Nat := 0") == set()

    @pytest.mark.parametrize("modifier", ["unsafe", "meta"])
    def test_two_are_not(self, modifier: str) -> None:
        assert _rules(f"private {modifier} def x : Nat := 0") == {modifier}

    def test_what_the_environment_knows_and_is_not_harmless_is_found_within_a_line(self) -> None:
        proof = "theorem t : 1 = 1 := rfl frobnicate 3"
        assert _rules(proof, NOTHING) == set()
        assert _rules(proof, _knowing("frobnicate")) == {"unknown_command"}

    def test_what_it_knows_and_is_harmless_is_not(self) -> None:
        assert _rules("theorem t : 1 = 1 := rfl", _knowing("theorem", "@[", "/--", "$")) == set()

    def test_a_rule_of_its_own_comes_before_unknown(self) -> None:
        assert _rules("run_cmd x", _knowing("run_cmd")) == {"run_code"}

    @pytest.mark.parametrize("command", ["compile_it%", "#find_all!", "⟪⟫", "#count-all"])
    def test_a_command_of_several_tokens_is_known_by_all_of_them(self, command: str) -> None:
        known = _knowing(command)
        assert _rules(f"def x := 1\n {command} x", known) == {"unknown_command"}
        assert _rules(f"def x := 1\n {command[0]} {command[1:]} x", known) == set()

    @pytest.mark.parametrize("command", ["", " ", '"', "«", "/-"])
    def test_odd_commands_are_no_trouble(self, command: str) -> None:
        assert _rules("theorem t : 1 = 1 := rfl", _knowing(command)) == set()

    def test_an_unknown_word_in_the_first_column_is_a_finding(self) -> None:
        assert _rules("theorem t : 1 = 1 := rfl\nfrobnicate 3", NOTHING) == {"unknown_command"}

    def test_so_is_one_that_begins_the_file(self) -> None:
        assert _rules("\n\n   frobnicate 3", NOTHING) == {"unknown_command"}
        assert _rules("\ufefffrobnicate 3", NOTHING) == {"unknown_command"}

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
        assert _rules(proof, NOTHING) == set()

    def test_a_bracket_left_open_hides_nothing_after_the_next_command(self) -> None:
        assert _rules("def x := (1\nfrobnicate\ndef y := 1\nfrobnicate", NOTHING) == {"unknown_command"}

    @pytest.mark.parametrize("opener", ["open", "export"])
    def test_opening_what_is_private(self, opener: str) -> None:
        assert _rules(f"{opener} private foo in Bar") == {"open_private"}

    @pytest.mark.parametrize("proof", ["-- #eval 1", "/- axiom -/", '/-- #eval -/ def x := "#check"', "/-! macro -/"])
    def test_comments_are_no_commands(self, proof: str) -> None:
        assert _rules(proof) == set()

    def test_a_name_that_contains_a_command_is_none(self) -> None:
        assert _rules("theorem axiom_of_choice (h : Foo.axiom) (h' : macro') : «axiom» := xs.macro") == set()


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
        assert _rules(attributes.format(attribute)) == {rule}
        assert _rules(attributes.format("simp")) == set()

    @pytest.mark.parametrize("attribute", sorted(words.WITHOUT_ARGUMENTS))
    def test_some_are_harmless_only_without_a_pattern(self, attribute: str) -> None:
        assert _rules(f"@[{attribute}, simp] theorem t : 1 = 1 := rfl") == set()
        assert _rules(f"@[simp, {attribute}] theorem t : 1 = 1 := rfl") == set()
        assert _rules(f"@[{attribute} _ + _] def x := 1") == {"elaborator_attribute"}

    def test_a_rule_made_of_a_tactic(self) -> None:
        assert _rules("@[aesop safe tactic] def x := 1") == {"run_code"}
        assert _rules("@[aesop safe] def x : Foo := 1") == set()
        assert _rules("open Lean\n@[aesop safe] def x : Foo := 1") == {"metaprogram"}
        assert _rules("add_aesop_rules safe x\ndef x : Lean.Foo := 1") == {"metaprogram"}

    def test_arguments_are_no_attributes(self) -> None:
        assert _rules("@[simps (config := {foo := .bar}) a b, deprecated extern (since := x)] def x := 1") == set()

    def test_what_is_no_word_is_no_attribute_that_we_know(self) -> None:
        assert _rules("@[$x] def x := 1") == {"unknown_attribute"}

    def test_known_attributes_that_nobody_would_call_a_variable_are_found_anywhere(self) -> None:
        proof = "some_library_syntax [term_elab foo]"
        known = _knowing("some_library_syntax", attributes=("term_elab", "init"))
        assert "elaborator_attribute" in _rules(proof, known)
        assert _rules("theorem t (init : Nat) : init = init := rfl", known) == set()

    def test_an_empty_or_unclosed_list_is_no_trouble(self) -> None:
        assert _rules("@[] def x := 1\n@[simp,] def y := 1\n@[") == set()


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
        assert _rules(form.format(option)) == {rule}

    @pytest.mark.parametrize("option", ["maxHeartbeats", "autoImplicit", "linter.all", "trace.Meta", "backward.x"])
    def test_harmless_ones(self, option: str) -> None:
        assert _rules(f"set_option {option} true") == set()

    def test_an_option_is_found_once(self) -> None:
        assert len(_check("set_option debug.skipKernelTC true")) == 1

    def test_known_options_are_found_without_set_option_too(self) -> None:
        proof = "theorem t : 1 = 1 := with_options [debug.skipKernelTC := true] rfl"
        assert _rules(proof, _knowing(options=("debug.skipKernelTC", "x"))) == {"debug_option"}

    def test_a_name_that_looks_like_one_is_none(self) -> None:
        assert _rules("theorem t (pp : Nat.Prime 7) (debug : Foo) : 0 < 7 := pp.pos debug.x") == set()

    def test_what_is_no_name_is_no_option_that_we_know(self) -> None:
        assert _rules("set_option 3 true") == {"unknown_option"}
        assert _rules("set_option") == set()


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
        assert _rules(f"theorem t : 1 = 1 := {term}") == {rule}

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
        assert _rules(f"theorem t : 1 = 1 := {term}") == set()

    @pytest.mark.parametrize(
        "proof", ["def x := a ≠-- b", "/-- -- -/ -/", "open Foo.Jsx", "theorem /-- a -/ t", "def x := a |-- b"]
    )
    def test_what_only_lean_could_tell(self, proof: str) -> None:
        assert "lexical" in _rules("theorem t : 1 = 1 := rfl\n" + proof)

    @pytest.mark.parametrize("proof", ["def x :=\t1", " a\x00", "/- #eval 1", "/-- without an end"])
    def test_what_hides_nothing_costs_no_process(self, proof: str) -> None:
        found = _check("theorem t : 1 = 1 := rfl\n" + proof)
        assert "no_token" in {item.rule for item in found}
        assert runs_code(found) == ("#eval" in proof)


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
        assert _rules(f"theorem t : 1 = 1 := by\n  {tactic}") == set()

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
        assert _rules(f"theorem t : 1 = 1 := by\n  {tactic}") == {"configuration"}

    def test_a_tactic_that_only_the_environment_knows(self) -> None:
        proof = "theorem t : 1 = 1 := by\n  frob (steps := evil)"
        assert _rules(proof) == set()
        assert _rules(proof, replace(SHIPPED, tactics=frozenset({"frob"}))) == {"configuration"}

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
        assert _rules(tactic) == set()
        assert _rules(f"{before}\n{tactic}") == {"configuration"}
        assert _rules(f"{before.replace('evil', 'true')}\n{tactic.replace('.evil', 'true')}") == {"configuration"}

    @pytest.mark.parametrize("made", ["OfNat Nat 3", "Zero Nat", "Inhabited Nat", "Foo.CoeTail Bool Nat"])
    def test_nor_is_a_literal_to_which_the_file_gives_a_meaning(self, made: str) -> None:
        tactic = "theorem t : 1 = 1 := by simp (config := { maxSteps := 3 })"
        assert _rules(f"instance : {made} := ⟨evil⟩\n{tactic}") == {"configuration"}
        assert _rules(f"theorem u : {made.replace(' ', '.')} := x\n{tactic}") == set()
        flag = tactic.replace("3", "true")
        assert _rules(f"instance : {made} := ⟨evil⟩\n{flag}") == ({"configuration"} if "Coe" in made else set())

    def test_those_of_attributes_and_commands(self) -> None:
        assert _rules("@[simps (config := { rhsMd := evil })] def x := 1") == {"configuration"}
        assert _rules("@[simps (config := .lemmasOnly) a] def x := 1") == set()
        assert _rules("#norm_num (maxSteps := evil) 1 + 1") == {"configuration"}


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
        found = _rules(f"theorem t : 1 = 1 := {text} y : False")
        assert "axiom" in found

    @pytest.mark.parametrize("text", ["#evalx", "#eval!x", "#evaluate"])
    def test_a_command_with_a_hash_may_be_shorter_than_its_word(self, text: str) -> None:
        assert _rules(f"theorem t : 1 = 1 := rfl {text} y") == {"eval"}

    def test_harmless_commands_that_change_what_follows(self) -> None:
        assert _rules("theorem t : 1 = 1 := by xset_option debug.x true") == {"debug_option"}
        assert _rules("theorem t : 1 = 1 := by xattribute [extern foo] x") == {"extern"}
        assert _rules("theorem t : 1 = 1 := by #attribute [extern foo] x") == {"extern"}
        assert _rules("theorem t : 1 = 1 := by xopen private foo in Bar") == {"open_private"}

    def test_a_character_may_swallow_the_mark_of_a_string(self) -> None:
        assert "literal" in _rules('theorem t : 1 = 1 := by x\'"a"')
        assert "literal" in _rules('theorem t : 1 = 1 := by x!1\'"a"')
        assert "literal" in _rules("theorem t : 1 = 1 := by x' -- a comment")
        assert _rules("theorem t : 1 = 1 := by simp at x' -- a comment") == set()

    @pytest.mark.parametrize("name", ["hprefix", "#s", "#F'", "h'", "x''", "élan"])
    def test_names_that_people_give_are_none(self, name: str) -> None:
        assert _rules(f"theorem t (a : {name} = 1) : 1 = 1 := f {name}") == set()


class TestAllowed:
    def test_a_sites_words_are_no_findings(self) -> None:
        proof = "problem_file\n@[coe] def x := 1\nset_option google.answer true\n"
        assert _rules(proof) == {"unknown_command", "printing", "unknown_option"}
        allowed = trusted_by("command:problem_file attribute:coe option:google.answer", "4.35.0")
        assert _rules(proof, replace(SHIPPED, trusted=allowed)) == set()

    def test_an_old_lean_or_one_without_a_name_reads_comments_otherwise(self) -> None:
        proof = "/-- a --/\ntheorem t : 1 = 1 := rfl"
        assert _rules(proof, replace(SHIPPED, trusted=trusted_by("", "4.35.0"))) == set()
        for version in ("4.0.0", None):
            assert "lexical" in _rules(proof, replace(SHIPPED, trusted=trusted_by("", version)))


class TestLists:
    def test_a_list_of_attributes_ends_at_its_bracket_alone(self) -> None:
        assert _rules("attribute [specialize\nconstant, extern foo] d") == {"extern"}
        assert _rules("attribute [specialize (a\nconstant), extern foo] d") == {"extern"}
        assert _rules("attribute [specialize ), extern foo] d") == {"extern"}
        assert _rules("@[to_additive (attr := simp\ndef, extern foo)] d") == {"extern"}
        assert _rules("@[to_additive (attr := simp)]\nlemma a : f (b, extern) = 1 := h") == set()


class TestPrivate:
    def test_a_file_of_private_theorems_has_nothing_to_audit(self) -> None:
        found = _check("private theorem a : 1 = 1 := rfl\n@[simp] private nonrec lemma b : 1 = 1 := rfl\n")
        assert [(item.rule, item.line, item.column) for item in found] == [
            ("private_theorem", 1, 8),
            ("private_theorem", 2, 23),
        ]

    def test_a_private_helper_is_none(self) -> None:
        assert _rules("private theorem a : 1 = 1 := rfl\ntheorem b : 1 = 1 := a\n") == set()

    def test_nor_is_a_private_definition(self) -> None:
        assert _rules("private def a := 1\n") == set()


def test_a_reading_answers_as_the_functions_do() -> None:
    proof = "theorem t : 1 = 1 := by native_decide"
    reading = Reading(proof, parse_header(proof))
    assert reading.check(SHIPPED) == _check(proof)
    assert reading.check(SHIPPED) == reading.check(NOTHING)
    assert [item.name for item in reading.declared()] == ["t"]


def test_the_words_of_cores_grammar_are_no_unknown_commands() -> None:
    judged = words.COMMAND_RULES.keys() | words.TERM_RULES.keys()
    for word in KEYWORDS - judged:
        assert _rules(f"theorem t : 1 = 1 := rfl\n{word}", NOTHING) <= {"unknown_option"}, word
