"""The policy's rules, one by one: what is a finding, where, and what is not."""

from __future__ import annotations

import pytest
from support import ROOT

from streamverify.core import policy_words as words
from streamverify.core.header import parse_header
from streamverify.core.lexer import KEYWORDS
from streamverify.core.models import Finding
from streamverify.core.policy import MOST_A_RULE, RULES, SHIPPED, Reading, Vocabulary, check, module_finding, runs_code

NOTHING = Vocabulary(frozenset(), frozenset(), frozenset())


def _check(proof: str, vocabulary: Vocabulary = SHIPPED) -> list[Finding]:
    return check(proof, parse_header(proof), vocabulary)


def _rules(proof: str, vocabulary: Vocabulary = SHIPPED) -> set[str]:
    return {item.rule for item in _check(proof, vocabulary)}


def _knowing(*commands: str, attributes: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Vocabulary:
    return Vocabulary(frozenset(commands), frozenset(attributes), frozenset(options))


class TestRules:
    @pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
    def test_the_example_of_a_rule_is_a_finding_by_it(self, rule: object) -> None:
        known = RULES[getattr(rule, "id", "")]
        if known.id == "module_file":
            pytest.skip("Lean must be asked whether a file that begins with `module` can be audited")
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
            *words.PERCENT_RULES.values(),
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
        proof = "module\nprivate theorem t : 1 = 1 := by native_decide\n#eval 1\n"
        assert [item.rule for item in _check(proof)] == ["private_theorem", "native", "eval"]

    def test_a_rule_is_reported_a_bounded_number_of_times(self) -> None:
        found = _check("#eval 1\n" * 1000 + "axiom a : False\n" * 1000)
        assert [item.rule for item in found] == ["eval"] * MOST_A_RULE + ["axiom"] * MOST_A_RULE

    def test_module_is_found_where_it_stands(self) -> None:
        found = module_finding("-- a comment\n  module\ntheorem t : 1 = 1 := rfl\n")
        assert (found.rule, found.line, found.column, found.excerpt) == ("module_file", 2, 2, "module")


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

    @pytest.mark.parametrize("proof", ["-- #eval 1", "/- axiom -/", '/-- #eval -/ def x := "#eval 1"', "/-! macro -/"])
    def test_comments_and_strings_are_no_commands(self, proof: str) -> None:
        assert _rules(proof) == set()

    def test_a_name_that_contains_a_command_is_none(self) -> None:
        assert _rules("theorem axiom_of_choice (h : Foo.axiom) (h' : macro') : «axiom» := x.macro") == set()


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
        assert _rules("open Lean\n@[aesop safe] def x : Foo := 1") == {"run_code"}
        assert _rules("add_aesop_rules safe x\ndef x : Lean.Foo := 1") == {"run_code"}

    def test_arguments_are_no_attributes(self) -> None:
        assert _rules("@[simps (config := {foo := bar}) a b, deprecated extern (since := x)] def x := 1") == set()

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
            ("dbg_trace x; y", "interpolated_string"),
            ('trace[x] "a"', "interpolated_string"),
            ('m!"a"', "interpolated_string"),
            ('foo "{x}"', "interpolated_string"),
            ('(f x) "{x}"', "interpolated_string"),
            ('s!"{by native_decide}"', "native"),
            ("`sorryAx", "sorry_axiom"),
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
            '"{x}"',
            "by exact (x : Foo)",
            "by decide +kernel",
            "sorry",
            'f! "{x}"',
            "by linarith (splitNe := true)",
            "by linarith [IO.foo]",
            "IO.println x",
        ],
    )
    def test_what_looks_like_it(self, term: str) -> None:
        assert _rules(f"theorem t : 1 = 1 := {term}") == set()

    @pytest.mark.parametrize(
        "tactic",
        [
            "linarith (config := IO.x)",
            "nlinarith! only (discharger := Lean.x)",
            "linarith +splitNe -x (oracle := Lean.x)",
            "solve_by_elim* (discharge := Lean.x)",
            "apply_rules (proc := Lean.x)",
            "aesop (add safe Lean.x)",
        ],
    )
    def test_configurations_that_hold_code(self, tactic: str) -> None:
        assert _rules(f"theorem t : 1 = 1 := by {tactic}") == {"run_code"}

    @pytest.mark.parametrize(
        "proof", ["def x := a ≠-- b", "/-- -- -/ -/", "def x :=\t1", "«", '"', "open Foo.Jsx", "a\x00"]
    )
    def test_what_only_lean_could_tell(self, proof: str) -> None:
        assert "lexical" in _rules("theorem t : 1 = 1 := rfl\n" + proof)


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
