"""Properties of headers: any text has one, and it and its body are the whole text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streamverify.core.audit.language import TokenKind, tokens
from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import Header, body_of, parse_header
from streamverify.core.syntax.lexer import position, skip_blank
from streamverify.lean.import_errors import import_position

# Texts made of what matters to the header and the lexer, and of anything at all.
PIECES = st.sampled_from(
    [
        "import",
        "import ",
        "module ",
        "public ",
        "meta ",
        "all ",
        "prelude",
        "Mathlib",
        "A.B",
        "«a b»",
        "«",
        "»",
        ".",
        "..",
        "theorem ",
        "x'",
        " ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "--",
        "/-",
        "-/",
        "/--",
        "/-!",
        "/",
        "-",
        '"',
        "'",
        "\\",
        "{",
        "}",
        's!"',
        'r#"',
        '"#',
        "#",
        "5",
        "é",
        "🙂",
        "\u2028",
        "\x85",
        "\x0b",
        "\x00",
        "\ufeff",
        "-- c\n",
        "/- c -/",
        "/- /- n -/ -/",
        "'\"'",
        "⁻¹'",
    ],
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)

GAPS = st.lists(
    st.sampled_from(
        [" ", "\n", "\r\n", "-- import C\n", "--\n", "/- import C -/", "/- /- -/ -- -/", "/-/ -/", "/- é🙂\n -/"]
    ),
    min_size=1,
    max_size=4,
).map("".join)
NAMES = st.sampled_from(["Mathlib", "A", "A.B", "«A»", "«weird name».X", "theorem.x", "«all»", "Ünï.α₁"])
BODIES = st.sampled_from(
    ["", "theorem t : 1 = 1 := rfl\n", "/-- d -/ def x := 1", "public section\n", "#eval 1", "importer", "5", "\x00"]
)


def parsed(text: str) -> Header | None:
    try:
        return parse_header(text)
    except HeaderError as error:
        line, column = error.line, error.column
    # An error is at a character of the text, or at its end.
    assert 1 <= line <= text.count("\n") + 1
    assert 0 <= column <= len(text.split("\n")[line - 1])
    return None


@given(TEXTS)
@example("import A\r\r\n")
@example("public /-")
def test_any_text_parses_or_raises_header_error(text: str) -> None:
    header = parsed(text)
    if header is not None:
        assert 0 <= header.end <= len(text)
        assert all(
            position(text, _offset(text, item.line, item.column)) == (item.line, item.column) for item in header.imports
        )
        assert all(
            text.startswith(("import", "public", "meta"), _offset(text, item.line, item.column))
            for item in header.imports
        )


def _offset(text: str, line: int, column: int) -> int:
    return sum(len(row) + 1 for row in text.split("\n")[: line - 1]) + column


@given(TEXTS)
@example("/- é\n-/ import A /- 🙂 -/ theorem\r\n x")
@example("\ufeffx\ny")
def test_each_character_of_the_body_stands_where_it_stood(text: str) -> None:
    header = parsed(text)
    if header is None or header.end == len(text):
        return
    sent = body_of(text, header)
    padding = len(sent) - (len(text) - header.last)
    assert sent[padding:] == text[header.last :]
    assert not sent[:padding].strip(" \n")
    for index in range(header.last, len(text)):
        assert position(sent, index - header.last + padding) == position(text, index)


@given(TEXTS)
@example("import A import B-- c\n/- d -/theorem")
def test_all_that_stands_between_the_last_import_and_the_body_is_white_space_and_comments(text: str) -> None:
    header = parsed(text)
    if header is None:
        return
    assert header.last <= header.end
    assert skip_blank(text, header.last) == header.end
    # and nothing of the header is sent with the body
    assert parse_header(text[: header.last]).canonical == header.canonical


@given(TEXTS)
@example("import «all» import «theorem» import «A».«b»")
def test_the_canonical_form_is_its_own(text: str) -> None:
    header = parsed(text)
    if header is None:
        return
    again = parse_header(header.canonical)
    assert (again.canonical, again.fingerprint) == (header.canonical, header.fingerprint)
    assert again.is_module == header.is_module
    assert again.end == len(header.canonical)
    assert [str(item) for item in again.imports] == list(dict.fromkeys(map(str, header.imports)))


@given(
    st.booleans(),
    st.lists(st.tuples(NAMES, st.lists(GAPS, min_size=4, max_size=4)), max_size=5),
    GAPS,
    BODIES,
    st.booleans(),
)
def test_gaps_between_the_words_of_a_header_change_nothing(
    is_module: bool,  # noqa: FBT001 -- Hypothesis passes it
    imports: list[tuple[str, list[str]]],
    start: str,
    body: str,
    marked: bool,  # noqa: FBT001 -- Hypothesis passes it
) -> None:
    words = "public meta import" if is_module else "import"
    loose = "".join(gap[0].join(words.split()) + gap[1] + name + gap[2] for name, gap in imports)
    tight = "".join(f"{words} {name}\n" for name, _ in imports)
    module = "module " if is_module else ""
    text = ("\ufeff" if marked else "") + start + module + loose
    header = parse_header(text + body)
    assert header.canonical == parse_header(module + tight + body).canonical
    assert header.end == len(text)


@given(TEXTS, st.text())
def test_any_message_has_a_place_at_an_import(text: str, message: str) -> None:
    header = parsed(text)
    if header is None:
        return
    found = import_position(header, message + text)
    assert (found["line"], found["column"]) in {(item.line, item.column) for item in header.imports} | (
        set() if header.imports else {(1, 0)}
    )


@given(TEXTS)
@example('s!"{"{"}')
@example("a +-- b\n/-- -- -/")
def test_tokens_stand_in_order_where_they_say(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert token.text
        assert token.offset >= end
        assert text.startswith(token.text, token.offset)
        assert position(text, token.offset) == (token.line, token.column)
        end = token.offset + len(token.text)


@given(TEXTS)
def test_a_comment_in_front_changes_no_token(text: str) -> None:
    shifted = [
        token._replace(offset=token.offset - 13, line=token.line - 1) for token in tokens("/- a -/ -- b\n" + text)
    ]
    if not text.startswith("\ufeff"):
        assert shifted == list(tokens(text))


@given(TEXTS)
def test_the_body_begins_with_a_token_or_a_doc_comment(text: str) -> None:
    header = parsed(text)
    if header is None or text.startswith(("/--", "/-!"), header.end):
        return
    first = next(iter(tokens(" " * header.end + text[header.end :])), None)
    assert (first is None) == (header.end == len(text))
    assert first is None or first.offset == header.end
    assert first is None or first.kind is not TokenKind.KEYWORD or first.text != "import"
