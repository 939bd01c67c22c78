from __future__ import annotations

import pytest

from streamverify.core.lexer import KEYWORDS, Kind, LexError, Token, first_offset, position, skip_blank, tokens

LIMIT = 512 * 1024


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
        "«»",
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
    "literal",
    [
        '""',
        '"a"',
        r'"\""',
        r'"\\"',
        '"a\nb"',
        '"a\\\n   b"',
        '"-- no comment /-"',
        '"\u2028"',
        'r"\\"',
        'r#"a"b"#',
        'r##"a"#b"##',
        '"{a}"',
        '"it\'s"',
    ],
)
def test_a_string_is_one_token(literal: str) -> None:
    assert kinds(f"{literal} x") == [("string", literal), ("identifier", "x")]


def test_r_without_a_quote_is_a_name() -> None:
    assert texts('r#x r r"a"') == ["r", "#x", "r", 'r"a"']


@pytest.mark.parametrize("literal", ["'a'", "'\"'", r"'\''", r"'\\'", r"'\x41'", r"'\u03b1'", "'-'", "' '", "'🙂'"])
def test_a_character_is_one_token(literal: str) -> None:
    assert kinds(f"({literal} x") == [("symbol", "("), ("character", literal), ("identifier", "x")]


def test_a_prime_belongs_to_the_identifier_or_symbol_before_it() -> None:
    assert texts("f '' s") == ["f", "''", "s"]
    assert texts("f ⁻¹' s ∑' i, g' i") == ["f", "⁻¹'", "s", "∑'", "i", ",", "g'", "i"]
    assert texts("h'a'") == ["h'a'"]


@pytest.mark.parametrize("number", ["0", "12", "1_000", "0xFF", "0b01", "0o17", "1.5", "2e10", "1.5e-3"])
def test_a_number_is_one_token(number: str) -> None:
    assert kinds(number) == [("number", number)]


def test_interpolated_strings_show_the_code_in_their_holes() -> None:
    assert texts('s!"a {f "}" {x}} b {y} \\{ c" z') == [
        "s!",
        '"a {',
        "f",
        '"}"',
        "{",
        "x",
        "}",
        "} b {",
        "y",
        '} \\{ c"',
        "z",
    ]
    assert texts('s! "{s!"{a}"}" b') == ["s!", '"{', "s!", '"{', "a", '}"', '}"', "b"]
    assert kinds('m!"{a') == [("identifier", "m!"), ("string", '"{'), ("identifier", "a")]
    assert kinds('x!"{" a') == [("identifier", "x!"), ("string", '"{"'), ("identifier", "a")]


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
    text = 'a\r\n 🙂é "x\ny" z\u2028b\x0b\x85c\n\nd'
    found = [(token.text, token.line, token.column) for token in tokens(text) if token.kind is not Kind.ERROR]
    assert found == [
        ("a", 1, 0), ("🙂", 2, 1), ("é", 2, 2), ('"x\ny"', 2, 4), ("z", 3, 3), ("b", 3, 5), ("c", 3, 8), ("d", 5, 0),
    ]  # fmt: skip
    assert all(text[token.offset :].startswith(token.text) for token in tokens(text))
    assert all(position(text, token.offset) == (token.line, token.column) for token in tokens(text))


def test_a_byte_order_mark_is_skipped_at_the_start_only() -> None:
    assert list(tokens("\ufeffa")) == [Token(Kind.IDENTIFIER, "a", 1, 1, 1)]
    assert kinds("a \ufeff") == [("identifier", "a"), ("error", "\ufeff")]
    assert first_offset("\ufeff") == 1
    assert first_offset("a\ufeff") == 0


@pytest.mark.parametrize("bad", ["\t", "\r", "\x00", "\x0c", "\xa0", "\u2028", "\ufeff"])
def test_what_is_no_token_is_an_error_token(bad: str) -> None:
    assert kinds(f"a {bad}b") == [("identifier", "a"), ("error", bad), ("identifier", "b")]


@pytest.mark.parametrize("opening", ['"a', '"\\"', 'r#"a"', "/- a", "/- /- -/", "/-- a", "/-! a", "«a", '"\\'])
def test_what_has_no_end_is_one_error_token_to_the_end(opening: str) -> None:
    text = f"a {opening} b\nc"
    assert kinds(text)[-1] == ("error", text[2:])
    assert len(kinds(text)) == 2


def test_an_interpolated_string_without_an_end_is_an_error() -> None:
    assert kinds('s!"a {b} c') == [("identifier", "s!"), ("string", '"a {'), ("identifier", "b"), ("error", "} c")]


@pytest.mark.parametrize(
    "text",
    ["a +-- b", "a ⊗/- b -/ c", "a +'\"' b", "/-- -- -/ a", "/-- /- -/ -/ a", "/-------- a --------/ b", "/--\ta -/"],
)
def test_what_only_the_token_table_could_tell_is_an_error_token(text: str) -> None:
    assert "error" in [kind for kind, _ in kinds(text)]


@pytest.mark.parametrize(
    "text", [")-- b", "a-- b", "[1]/- b -/", "x := -- b", "x :=-- b", "⟨'\"'⟩", "x⁻¹-- b", "a <-- b", "a //-1"]
)
def test_a_comment_or_literal_right_after_what_is_surely_ended_is_none(text: str) -> None:
    assert "error" not in [kind for kind, _ in kinds(text)]


def test_a_known_symbol_is_not_cut_by_a_comment_mark() -> None:
    assert texts("{x //-1 < x}") == ["{", "x", "//", "-", "1", "<", "x", "}"]


def test_blanks_are_those_of_lean() -> None:
    assert skip_blank(" \n\r\n -- a\n/- b -/ c", 0) == 18
    assert skip_blank("  /-- a -/", 0) == 2
    assert skip_blank("\x0b", 0) == 0
    assert skip_blank("-- a", 0) == 4
    assert skip_blank("- a", 0) == 0
    assert skip_blank("", 0) == 0


@pytest.mark.parametrize(("text", "offset"), [("  \ta", 2), (" \ra", 1), ("\r\r\n", 0), (" /- /- -/", 1), ("/-", 0)])
def test_what_blanks_may_not_hold(text: str, offset: int) -> None:
    with pytest.raises(LexError) as caught:
        skip_blank(text, 0)
    assert caught.value.offset == offset


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
    ],
)
def test_the_largest_file_of_any_one_thing_is_read_to_its_end(unit: str) -> None:
    text = "a " + unit * (LIMIT // len(unit))
    last = None
    for token in tokens(text):
        assert last is None or token.offset >= last.offset + len(last.text)
        last = token
    assert last is not None
