"""The policy on any text whatever: it never raises, points into the text, and what is harmful stays found."""

from __future__ import annotations

import re
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.audit import language
from streamverify.core.audit import policy_words as words
from streamverify.core.audit.findings import MAX_PER_RULE
from streamverify.core.audit.policy import TokenizedProof, check
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import SHIPPED, Vocabulary, VocabularyError, parse_vocabulary
from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import Header, parse_header
from streamverify.core.syntax.names import parts, spelled

WORDS = sorted(
    words.HARMLESS_COMMANDS
    | words.COMMAND_RULES.keys()
    | words.TERM_RULES.keys()
    | words.ATTRIBUTE_RULES.keys()
    | words.HARMLESS_ATTRIBUTES
    | set(words.ASKING_FOR_MORE)
)
MARKS = [
    *("@[", "]", "(", ")", "{", "}", "⟩", "attr", ":=", ",", "«", "»", '"', "--", "/-", "-/", "/--", 's!"', "%", "'"),
    *("private", "namespace", "A.b", "_root_.x", "end", "mutual", "linarith", "set_option", "debug.x", "x"),
]
PIECES = st.sampled_from([*WORDS, *MARKS, "\n"])
SEPARATORS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n", "\t"])
LEAN_LIKE = st.lists(st.tuples(PIECES, SEPARATORS), max_size=40).map(lambda all_: "".join(a + b for a, b in all_))
TEXTS = st.text(max_size=200) | LEAN_LIKE
VOCABULARIES = st.builds(
    Vocabulary,
    st.frozensets(st.text(max_size=8) | PIECES, max_size=5),
    st.frozensets(PIECES, max_size=3),
    st.frozensets(st.sampled_from(["debug.x", "pp.all", "x", ""]), max_size=3),
)


def _header(proof: str) -> Header | None:
    try:
        return parse_header(proof)
    except HeaderError:
        return None


@given(TEXTS, VOCABULARIES)
def test_any_text_is_judged_and_findings_point_into_it(proof: str, vocabulary: Vocabulary) -> None:
    header = _header(proof)
    if header is None:
        return
    lines = proof.split("\n")
    found = check(proof, header, vocabulary)
    for item in found:
        assert item.rule in RULES
        assert 1 <= item.line <= len(lines)
        assert 0 <= item.column < len(lines[item.line - 1])
        assert lines[item.line - 1][item.column :].startswith(item.excerpt)
    assert [(item.line, item.column) for item in found] == sorted((item.line, item.column) for item in found)
    assert len(found) <= MAX_PER_RULE * len(RULES)


@given(TEXTS)
def test_any_text_declares_something_or_nothing(proof: str) -> None:
    header = _header(proof)
    if header is None:
        return
    lines = proof.split("\n")
    for item in TokenizedProof(proof, header).declared():
        assert lines[item.line - 1].startswith(item.kind, item.column)
        assert spelled(parts(item.name)) == item.name


@given(LEAN_LIKE, st.sampled_from(["#eval x", "axiom a : False", "run_cmd x", "@[extern x] def y := 1"]))
def test_nothing_before_it_hides_a_harmful_command_but_comments_and_strings(before: str, command: str) -> None:
    if "--" in before or "/-" in before:
        return
    proof = f"def x := 1\n{before}\n{command}\n"
    rules = {item.rule for item in check(proof, parse_header(proof), SHIPPED)}
    alone = {item.rule for item in check(command, parse_header(command), SHIPPED)}
    # After an open `@[` the word is that of an attribute, and none of the harmless ones.
    assert alone <= rules or rules & {"unknown_attribute", "unknown_option", "literal"}


@given(LEAN_LIKE, st.sampled_from(['"', "'", "«", "`", 'r"', "/-- --", "+--", "+/-", "theorem /-- a"]))
def test_after_a_mark_in_doubt_there_is_a_finding_and_the_next_line_is_judged(before: str, mark: str) -> None:
    if "--" in before or "/-" in before:
        return
    proof = f"def x := 1\n{before} {mark}\n#eval x\n"
    rules = {item.rule for item in check(proof, parse_header(proof), SHIPPED)}
    assert rules & {"literal", "quotation", "lexical", "no_token"}
    assert rules & {"eval", "unknown_attribute", "unknown_option", "literal"}


@given(text=TEXTS, old=st.booleans())
def test_the_short_way_to_a_token_is_the_long_one(*, text: str, old: bool) -> None:
    short = list(language.tokens(text, old_comments=old))
    with patch.object(language, "_BLANKS_AND_TOKEN", re.compile("(?!)")):
        assert list(language.tokens(text, old_comments=old)) == short


@given(LEAN_LIKE)
def test_knowing_more_never_finds_less(proof: str) -> None:
    header = _header(proof)
    if header is None:
        return
    less = check(proof, header, Vocabulary(frozenset(), frozenset(), frozenset()))
    more = check(proof, header, SHIPPED)
    assert {(item.line, item.column) for item in less if item.rule != "unknown_command"} <= {
        (item.line, item.column) for item in more
    } or len(more) >= MAX_PER_RULE


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["streamverify-vocabulary ", "commands", "end", "\n", "x", "«@[»"])).map("".join)
)
def test_any_answer_is_a_vocabulary_or_refused(text: str) -> None:
    try:
        known = parse_vocabulary(text)
    except VocabularyError:
        return
    assert known.commands
    assert known.attributes
    assert known.options


@given(
    st.lists(st.text(st.characters(exclude_characters="«»"), min_size=1, max_size=5), min_size=1, max_size=4).map(tuple)
)
def test_a_name_is_read_back_as_it_is_spelled(name: tuple[str, ...]) -> None:
    assert parts(spelled(name)) == name
