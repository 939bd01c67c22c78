"""The tokens of the small language: comments and strings end where Lean ends them, and positions are Lean's."""

from __future__ import annotations

import re

import pytest

from streamverify.core.audit.language import Token, TokenKind, tokens
from streamverify.core.syntax.lexer import KEYWORDS, first_offset, position

LARGE = 128 * 1024
"""Characters: what took quadratic time, or a level of recursion for each of them, would not come to its end."""


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind.value, token.text) for token in tokens(text)]


def texts(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


@pytest.mark.parametrize(
    "name",
    [
        "h'",
        "h''",
        "Nat.succ",
        "x₁",
        "α",  # noqa: RUF001 -- a letter to Lean
        "α'",  # noqa: RUF001 -- a letter to Lean
        "foo!",
        "bar?",
        "_root_.a",
        "a.«b c».d",
        "«weird name»",
        "ℝ",  # noqa: RUF001 -- a letter to Lean
        "aₙ",
        "é",
        "𝒜",  # noqa: RUF001 -- a letter to Lean
        "import_foo",
        "imported",
        "theorem'",
        "Foo.theorem",
        "«theorem»",
        "r",
        "s!x",
    ],
)
def test_a_name_is_one_identifier(name: str) -> None:
    assert kinds(name) == [("identifier", name)]


@pytest.mark.parametrize(
    "text", ["a b", "a.1", "a .b", "a. b", "λa", "a⟨b", "Πa", "aλ", "a\u00d7b", "a.", "a«b»", "1a"]
)
def test_a_name_ends_where_lean_ends_it(text: str) -> None:
    assert len(texts(text)) > 1


def test_keywords_are_told_from_identifiers() -> None:
    assert kinds("theorem t := by") == [
        ("keyword", "theorem"),
        ("identifier", "t"),
        ("symbol", ":="),
        ("keyword", "by"),
    ]
    assert kinds("#eval #print_axioms") == [("keyword", "#eval"), ("keyword", "#print_axioms")]
    assert {"import", "prelude", "module", "public", "meta"} <= KEYWORDS


@pytest.mark.parametrize(
    "literal", ['""', '"a"', '"no comment - / "', '"\u2028"', '"it\'s"', '"`a"', '"«a"', '"#eval x"']
)
def test_a_plain_string_is_one_token(literal: str) -> None:
    assert kinds(f"{literal} x") == [("string", literal), ("identifier", "x")]


@pytest.mark.parametrize(
    "literal",
    [
        r'"\""', r'"\\"', r'"\n"', '"a\nb"', '"a\\\n   b"', '"a -/"', '"{a}"', '"}"', '"a\tb"', '"a\rb"',
        r'r"\"', 'r"a"', 'r#"a"b"#', 'xr#"a"#', '#"a"#', 'r##"a"#b"##', 's!"{a}"', 's! "{a}"', '"a',
    ],
)  # fmt: skip
def test_the_marks_of_any_other_string_are_errors_and_the_rest_is_read_as_code(literal: str) -> None:
    found = kinds(f"{literal} x")
    assert "error" in [kind for kind, _ in found]
    assert found[-1] == ("identifier", "x")
    assert set(re.findall("[ab]", literal)) <= {letter for _, text in found for letter in text}


@pytest.mark.parametrize("text", ['"-- a"', '"/- a"', '"a -/"', "+' '", "x := a+'a'"])
def test_a_literal_that_could_be_something_else_is_an_error(text: str) -> None:
    assert "error" in [kind for kind, _ in kinds(text)]


def test_r_without_a_quote_is_a_name() -> None:
    assert texts("r#x r") == ["r", "#x", "r"]


@pytest.mark.parametrize("literal", ["'a'", "'-'", "' '", "'🙂'", "'{'", "'('"])
def test_a_plain_character_is_one_token(literal: str) -> None:
    assert kinds(f"({literal} x") == [("symbol", "("), ("character", literal), ("identifier", "x")]


@pytest.mark.parametrize(
    "literal", ["'\"'", r"'\''", r"'\\'", r"'\n'", r"'\x41'", "'\n'", "'`'", "'«'", "'ab'", "'a", "'", "\x27" * 3]
)
def test_any_other_is_an_error(literal: str) -> None:
    assert "error" in [kind for kind, _ in kinds(f"({literal} x")]


@pytest.mark.parametrize(
    "name", ["«»", "«a\nb»", "«a✝»", "«a#»", "«.a»", "«_hyg»", '«a"»', "«a--»", "«`»", "«a", "a.«b\n»", "«a.«b»"]
)
def test_a_quoted_name_that_is_not_plain_begins_with_an_error(name: str) -> None:
    assert ("error", "«") in kinds(name)


def test_a_prime_belongs_to_the_identifier_or_symbol_before_it() -> None:
    assert texts("f '' s") == ["f", "''", "s"]
    assert texts("f ⁻¹' s ∑' i, g' i") == ["f", "⁻¹'", "s", "∑'", "i", ",", "g'", "i"]
    assert texts("h'a'") == ["h'a'"]
    assert texts("xs[i]'h #t'") == ["xs", "[", "i", "]'", "h", "#t'"]


@pytest.mark.parametrize("symbol", ["''", "⁻¹'", "∑'", "]'"])
@pytest.mark.parametrize("after", ['"a"', ' "a"', "\\x41", " '", " ' '", "-- a", " -- a", "/- a -/", "«a»", " `a"])
def test_after_a_symbol_with_a_prime_no_mark_may_be_swallowed(symbol: str, after: str) -> None:
    assert ("error", "'") in kinds(f"f {symbol}{after}")


@pytest.mark.parametrize("number", ["0", "12", "1_000", "0xFF", "0b01", "0o17", "1.5", "2e10", "1.5e-3"])
def test_a_number_is_one_token(number: str) -> None:
    assert kinds(number) == [("number", number)]


@pytest.mark.parametrize("number", ["0x", "0xg", "0b2", "0B", "0o8", "1e-", "1.5e-x", "1.e- x"])
def test_numbers_at_whose_end_versions_disagree_are_errors(number: str) -> None:
    assert kinds(number)[0][0] == "error"


@pytest.mark.parametrize(
    "comment",
    [
        "-- a",
        "--",
        "-- \u2028 \x0b \x85 a",
        "/- a -/",
        "/- a /- b -/ c -/",
        "/--a-/",
        "/-! a -/",
        "/-/ a -/",
        "/-a-/",
        "/---/",
        "/- a --/",
        '/- " -/',
        "/-- a\n -- b -/",
        "/------\n a \n------/",
        "/- -- -/",
    ],
)
def test_comments_are_left_out(comment: str) -> None:
    assert texts(f"a {comment}\nb") == ["a", "b"]


def test_the_rest_of_a_line_comment_is_no_code_but_the_next_line_is() -> None:
    assert texts("a -- b\rc\u2028d\x85e\nf") == ["a", "f"]


def test_positions_count_line_feeds_and_code_points() -> None:
    text = 'a\r\n 🙂é "xy"\n z\u2028b\x0b\x85c\n\nd'
    found = [(token.text, token.line, token.column) for token in tokens(text) if token.kind is not TokenKind.STRAY]
    assert found == [
        ("a", 1, 0), ("🙂", 2, 1), ("é", 2, 2), ('"xy"', 2, 4), ("z", 3, 1), ("b", 3, 3), ("c", 3, 6), ("d", 5, 0),
    ]  # fmt: skip
    assert all(text[token.offset :].startswith(token.text) for token in tokens(text))
    assert all(position(text, token.offset) == (token.line, token.column) for token in tokens(text))


def test_a_byte_order_mark_is_skipped_at_the_start_only() -> None:
    assert list(tokens("\ufeffa")) == [Token(TokenKind.IDENTIFIER, "a", 1, 1, 1)]
    assert kinds("a \ufeff") == [("identifier", "a"), ("stray", "\ufeff")]
    assert first_offset("\ufeff") == 1
    assert first_offset("a\ufeff") == 0


@pytest.mark.parametrize("bad", ["\t", "\r", "\x00", "\x0c", "\xa0", "\u2028", "\ufeff"])
def test_what_lean_goes_on_after_is_stray(bad: str) -> None:
    assert kinds(f"a {bad}b") == [("identifier", "a"), ("stray", bad), ("identifier", "b")]


@pytest.mark.parametrize("opening", ["/- a", "/- /- -/", "/-- a", "/-! a"])
def test_a_comment_without_an_end_is_one_stray_token_to_the_end(opening: str) -> None:
    text = f"a {opening} b\nc"
    assert kinds(text) == [("identifier", "a"), ("stray", text[2:])]


def test_after_a_doubtful_comment_all_others_are_code() -> None:
    assert "b" in texts("a +/- x -/ /- b -/")
    assert "b" not in texts("a /- x -/ /- b -/")


@pytest.mark.parametrize("comment", ["/- a --/", "/-- a --/", "/- a ---/"])
def test_two_dashes_end_a_comment_for_newer_leans_alone(comment: str) -> None:
    assert kinds(f"{comment} b") == [("identifier", "b")]
    assert next(tokens(f"{comment} b", old_comments=True)).kind is TokenKind.ERROR


@pytest.mark.parametrize(
    "text",
    [
        "a +-- b",
        "a ⊗/- b -/ c",
        "a //-- b",
        "a |-- b",
        "/-- -- -/ a",
        "/-- /- -/ -/ a",
        "/-------- a --------/ b",
        "/--\ta -/",
    ],
)
def test_what_only_the_token_table_could_tell_is_an_error(text: str) -> None:
    assert "error" in [kind for kind, _ in kinds(text)]


@pytest.mark.parametrize(
    "text", [")-- b", "a-- b", "[1]/- b -/", "x := -- b", "x :=-- b", "⟨'x'⟩", "x⁻¹-- b", "a ->-- b"]
)
def test_a_comment_or_literal_right_after_what_is_surely_ended_is_none(text: str) -> None:
    assert "error" not in [kind for kind, _ in kinds(text)]


def test_a_known_symbol_is_not_cut_by_a_comment_mark() -> None:
    assert texts("{x // -1 < x} a <- -b") == ["{", "x", "//", "-", "1", "<", "x", "}", "a", "<-", "-", "b"]


@pytest.mark.parametrize(
    "unit",
    [
        "/-",
        "-/",
        '"',
        "'",
        "«",
        "a.«",
        "r#",
        'r##"',
        "--",
        "/-- -- -/ ",
        "/-- -/",
        "\t",
        's!"{',
        "{",
        "\\",
        "#",
        "a.",
        "+--\n",
        "/--\n",
        "- /",
        "1_",
        '"{',
        "public\n",
        "'«",
        "(a := ",
        "simp (config := ",
        "!(a:=1)",
        "«a ",
        "x''",
        "@[a(",
    ],
)
def test_a_large_file_of_any_one_thing_is_read_to_its_end(unit: str) -> None:
    text = "a " + unit * (LARGE // len(unit))
    last = None
    for token in tokens(text):
        assert last is None or token.offset >= last.offset + len(last.text)
        last = token
    assert last is not None
