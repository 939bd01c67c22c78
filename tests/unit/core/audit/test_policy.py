"""The rules as a whole: their table, where findings are, what a site allows, what is private."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_cases import NOTHING, findings_in, rules_in
from support import ROOT

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.findings import MAX_PER_RULE
from streamverify.core.audit.policy import TokenizedProof, module_finding, runs_code, trusted_by
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import SHIPPED
from streamverify.core.messages.models import Finding
from streamverify.core.syntax.header import parse_header
from streamverify.core.syntax.lexer import KEYWORDS


class TestRules:
    @pytest.mark.parametrize(
        "rule", [rule for rule in RULES.values() if rule.id != "module_file"], ids=lambda rule: rule.id
    )
    def test_the_example_of_a_rule_is_a_finding_by_it(self, rule: object) -> None:
        known = RULES[getattr(rule, "id", "")]
        assert known.id in rules_in(known.example)

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
        assert runs_code(findings_in("#eval 1"))
        assert not runs_code(findings_in("axiom a : False"))
        assert not runs_code([])
        assert not runs_code([Finding(rule="of a later version", line=1, column=0, excerpt="")])


class TestPlaces:
    def test_line_column_and_excerpt_are_those_of_the_file_as_sent(self) -> None:
        proof = (
            "import Lean\nimport Lean.Meta\n\n/- é -/ theorem t : 1 = 1 := by\n  exact ⟨«é», native_decide ⟩ -- end  \n"
        )
        (finding,) = findings_in(proof)
        assert (finding.rule, finding.line, finding.column) == ("native", 5, 14)
        assert finding.excerpt == "native_decide ⟩ -- end"

    def test_a_body_on_the_line_of_the_header(self) -> None:
        (finding,) = findings_in("import Lean #eval 1")
        assert (finding.line, finding.column) == (1, 12)

    def test_a_byte_order_mark_counts_as_a_column(self) -> None:
        (finding,) = findings_in("\ufeff#eval 1")
        assert (finding.line, finding.column) == (1, 1)

    def test_an_excerpt_is_no_longer_than_a_line_of_a_terminal(self) -> None:
        (finding,) = findings_in("#eval " + "x" * 1000)
        assert len(finding.excerpt) == 80

    def test_findings_are_in_the_order_of_the_text(self) -> None:
        proof = "private theorem t : 1 = 1 := by native_decide\n#eval 1\n"
        assert [item.rule for item in findings_in(proof)] == ["private_theorem", "native", "eval"]

    def test_a_rule_is_reported_a_bounded_number_of_times(self) -> None:
        found = findings_in("#eval 1\n" * 1000 + "axiom a : False\n" * 1000)
        assert [item.rule for item in found] == ["eval"] * MAX_PER_RULE + ["axiom"] * MAX_PER_RULE

    def test_module_is_found_where_it_stands(self) -> None:
        proof = "-- a comment\n  module\ntheorem t : 1 = 1 := rfl\n"
        item = module_finding(proof)
        assert (item.rule, item.line, item.column, item.excerpt) == ("module_file", 2, 2, "module")
        assert findings_in(proof) == []


class TestAllowed:
    def test_a_sites_words_are_no_findings(self) -> None:
        proof = "problem_file\n@[coe] def x := 1\nset_option google.answer true\n"
        assert rules_in(proof) == {"unknown_command", "printing", "unknown_option"}
        allowed = trusted_by("command:problem_file attribute:coe option:google.answer", "4.35.0")
        assert rules_in(proof, replace(SHIPPED, trusted=allowed)) == set()

    def test_an_old_lean_or_one_without_a_name_reads_comments_otherwise(self) -> None:
        proof = "/-- a --/\ntheorem t : 1 = 1 := rfl"
        assert rules_in(proof, replace(SHIPPED, trusted=trusted_by("", "4.35.0"))) == set()
        for version in ("4.0.0", None):
            assert "lexical" in rules_in(proof, replace(SHIPPED, trusted=trusted_by("", version)))


class TestPrivate:
    def test_a_file_of_private_theorems_has_nothing_to_audit(self) -> None:
        found = findings_in("private theorem a : 1 = 1 := rfl\n@[simp] private nonrec lemma b : 1 = 1 := rfl\n")
        assert [(item.rule, item.line, item.column) for item in found] == [
            ("private_theorem", 1, 8),
            ("private_theorem", 2, 23),
        ]

    def test_a_private_helper_is_none(self) -> None:
        assert rules_in("private theorem a : 1 = 1 := rfl\ntheorem b : 1 = 1 := a\n") == set()

    def test_nor_is_a_private_definition(self) -> None:
        assert rules_in("private def a := 1\n") == set()


def test_a_reading_answers_as_the_functions_do() -> None:
    proof = "theorem t : 1 = 1 := by native_decide"
    reading = TokenizedProof(proof, parse_header(proof))
    assert reading.check(SHIPPED) == findings_in(proof)
    assert reading.check(SHIPPED) == reading.check(NOTHING)
    assert [item.name for item in reading.declared()] == ["t"]


def test_the_words_of_cores_grammar_are_no_unknown_commands() -> None:
    judged = words.COMMAND_RULES.keys() | words.TERM_RULES.keys()
    for word in KEYWORDS - judged:
        assert rules_in(f"theorem t : 1 = 1 := rfl\n{word}", NOTHING) <= {"unknown_option"}, word
