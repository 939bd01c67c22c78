"""The small language of audited proofs: the one module that says what is in it, and what its tokens are.

Lean goes on with the next command after any error, a character or a token further, and what a mark begins depends on
its token table, which grows with each `notation`, and on its version. In this language the places of strings,
characters, quoted names and comments depend on none of these. `FORMS` lists its tokens; `rule_of` says which rule
stands for what is outside: a mark that could begin anything else is an error token of that mark alone, and the text
after it is read on as code, so that no word is skipped but those of comments whose ends are certain. `Brackets` knows
where a list of attributes ends; `configurations` has what a tactic may be configured with. The policy judges the words.

The rules were read in Lean's source (`Lean.Parser.whitespace`, `finishCommentBlock`, `tokenFn`, `charLitFnAux`,
`strLitFnAux`, `parseCommand` for where it goes on), of 2021 and of today, and are tried against both (`tests/oracle`).
Every function takes time linear in the text, and none recurses.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.syntax.lexer import (
    BLANKS,
    FIRST_OF_NAME,
    KEYWORDS,
    REFUSED,
    REST_OF_NAME,
    comment_end,
    first_offset,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class TokenKind(Enum):
    """The kind of a token."""

    IDENTIFIER = "identifier"
    """A name; also a word that only a library reserves, such as `lemma`."""
    KEYWORD = "keyword"
    """One of KEYWORDS, or a word that begins with `#`."""
    SYMBOL = "symbol"
    """Known symbols whole, others character by character."""
    STRING = "string"
    """A string on one line, without `\\`, `{`, `}` or the marks of a comment."""
    CHARACTER = "character"
    NUMBER = "number"
    STRAY = "stray"
    """What Lean has no token for, and goes on after: a tab, a control character; a comment without an end, whole."""
    ERROR = "error"
    """A mark after which Lean, or some version of it, may read other tokens than this lexer."""


class Token(NamedTuple):
    """A token; `line` counts line feeds from 1, `column` code points from 0, `offset` indexes the text."""

    kind: TokenKind
    text: str
    offset: int
    line: int
    column: int


class Form(NamedTuple):
    """A form of token: the kind of what matches, before any form that is listed after it."""

    name: str
    kind: TokenKind
    pattern: str


# A quoted part stands on one line, has no mark of a string, a comment or a quotation, and nothing of the names that
# only Lean itself makes, which are printed like it. Nor is it a word with which a term begins: Lean of 2021 prints
# `«Prop»` without its quotes.
_TERM_WORDS = (
    "Prop|Type|Sort|fun|forall|let|let_fun|have|letI|haveI|show|suffices|if|match|by|do|sorry|nat_lit|nomatch|nofun"
)
_QUOTED_PART = rf"""«(?!\.|(?:{_TERM_WORDS})»|[^«»\n]*?(?:--|/-|-/|_hyg|_@|_inaccessible))[^«»\n\r\t"'`\\✝#?]++»"""
_PART = rf"(?:[{FIRST_OF_NAME}][{REST_OF_NAME}]*+|{_QUOTED_PART})"

_SYMBOLS = (
    "<|>", "<;>", ">>=", "=<<", "...", "<->", ":=", "=>", "->", "<-", "//", "..", "@[", "|>", "<|", "<=", ">=",
    "!=", "==", "&&", "||", "++", "::", "⁻¹",
)  # fmt: skip
# Symbols of core and Mathlib that end with a `'`. A Lean that does not know one of them reads the `'` as the beginning
# of a character, and goes on up to two characters further: these may not be the mark of a string, a name or a comment.
# Nor may a number follow: within `''0xaxiom` Lean 4.35 goes on at the `x`, and from there at the command (seen).
_PRIMED = r"""(?:⁻¹'|''|∑'|∏'|∂'|⨆'|⨅'|\]')(?!(?s:.)?(?:["\\'«`]|--|/-)|[0-9])"""

FORMS = (
    # Raw strings, which older versions do not have, and the end of one.
    Form("raw", TokenKind.ERROR, r'r"|\#"'),
    Form("name", TokenKind.IDENTIFIER, rf"{_PART}(?:\.{_PART})*+"),
    # Numbers at whose end versions of Lean disagree, and after which one of them goes on within a word or a comment.
    Form(
        "cut_number",
        TokenKind.ERROR,
        r"0[xX](?![0-9a-fA-F])|0[bB](?![01])|0[oO](?![0-7])|[0-9][0-9_]*+(?:\.[0-9_]*+)?[eE]-(?![0-9])",
    ),
    Form(
        "number",
        TokenKind.NUMBER,
        r"0[xX][0-9a-fA-F_]++|0[bB][01_]++|0[oO][0-7_]++|[0-9][0-9_]*+(?:\.[0-9][0-9_]*+)?(?:[eE][+-]?[0-9]++)?",
    ),
    # On one line: no escapes, no gaps, no holes, no marks of comments.
    Form("string", TokenKind.STRING, r'''"(?![^"\n]*?(?:--|/-|-/))[^"\\{}\n\r\t]*+"'''),
    # After a blank or a bracket: after a symbol the mark could be the end of a longer one, that of a library.
    Form("character", TokenKind.CHARACTER, r"""(?<=[\s(\[{⟨,])'[^\\'"`«»\n\r\t]'"""),
    Form("primed", TokenKind.SYMBOL, _PRIMED),
    # Any other mark of a string, a character, a quotation or a quoted name.
    Form("mark", TokenKind.ERROR, r"""["'`«]"""),
    Form("hash_word", TokenKind.KEYWORD, rf"\#[{FIRST_OF_NAME}][{REST_OF_NAME}]*+"),
    # Lean may begin to read at the second character of a symbol, and see a comment there: `//- a -/`, `<-- a`.
    Form("symbol", TokenKind.SYMBOL, rf"(?!//-|<--)(?:{'|'.join(map(re.escape, _SYMBOLS))})|(?s:.)"),
)
"""The tokens of the language, and the marks of what is outside of it, in the order in which they are tried."""

_KINDS = {form.name: form.kind for form in FORMS}
_ANY_TOKEN = "|".join(f"(?P<{form.name}>{form.pattern})" for form in FORMS)
_TOKEN = re.compile(_ANY_TOKEN)
# Nearly every token: after blanks alone, with no comment nor a refused character before it.
_BLANKS_AND_TOKEN = re.compile(rf"[ \n]*+(?![-/\t\r])(?:{_ANY_TOKEN})")

_RULES_OF_MARKS = {"`": "quotation", "--": "lexical", "/-": "lexical"}


def rule_of(token: Token) -> str:
    """Return the rule of a token that is outside of the language; empty for one that is in it."""
    if token.kind is TokenKind.ERROR:
        return _RULES_OF_MARKS.get(token.text, "literal")
    return "no_token" if token.kind is TokenKind.STRAY else ""


# After these, and after brackets, no longer symbol of a library goes on with a comment's or a literal's first mark.
_CLOSED = frozenset((":=", "=>", "<-", "->", "..", "⁻¹", "<;>")) | frozenset(".,;:·*▸←→⊢()[]{}⟨⟩⌊⌋⌈⌉")
# After these Lean expects a name, and where a doc comment stands instead it goes on within it (seen on 4.35).
_NAMING = frozenset(
    """
    theorem lemma def abbrev axiom instance example structure class inductive coinductive opaque constant alias
    namespace open export universe universes variable variables set_option attribute import macro syntax notation
    let have fun from show by do
    """.split()  # noqa: SIM905 -- a list literal of as many words is a page
)
_DOC_TROUBLE = re.compile(r"(?:[ \n]++|\r\n|--[^\n]*+\n)*+(?:--|/-|[\t\r])")


class _Comments(Enum):
    """The rule by which the end of a comment between marks is found."""

    NEW = "new"
    OLD = "old"
    """Before the end of 2022: `--/` ends none, and one that has it may be longer than it looks."""
    NONE = "none"
    """Once the end of one was in doubt, what looks like another is read as code."""


def tokens(text: str, *, old_comments: bool = False) -> Iterator[Token]:
    """Yield the tokens of a Lean file, in order; never raises, whatever the text.

    Args:
        text: The file, or a part of it that begins with a token.
        old_comments: Lean before the end of 2022, to which `--/` does not end a comment: where one has it, the text
            after its opening mark is read as code.
    """
    line, line_start, seen = 1, 0, 0
    for kind, offset, end in _spans(text, _Comments.OLD if old_comments else _Comments.NEW):
        newlines = text.count("\n", seen, offset)
        if newlines:
            line += newlines
            line_start = text.rfind("\n", seen, offset) + 1
        seen = offset
        yield Token(kind, text[offset:end], offset, line, offset - line_start)


def _spans(text: str, comments: _Comments) -> Iterator[tuple[TokenKind, int, int]]:
    """Yield the kind of each token, and the offsets where it begins and ends."""
    offset, size = first_offset(text), len(text)
    universes = False  # within `.{u, v}`, which belongs to a name
    named = True  # whether Lean expects no name after the token before
    open_ended = False  # whether a library may have a symbol that begins with the token before and goes on
    while True:
        kind: TokenKind | None = None
        match = _BLANKS_AND_TOKEN.match(text, offset)
        if match is None:
            offset, kind, end = _skip(text, offset, docs=named, open_ended=open_ended, comments=comments)
            if kind is TokenKind.ERROR:
                comments = _Comments.NONE
            elif kind is None and offset >= size:
                return
            match = _TOKEN.match(text, offset)
        if kind is None:
            assert match is not None  # noqa: S101 -- the last form is any character
            assert match.lastgroup is not None  # noqa: S101
            kind = _KINDS[match.lastgroup]
            offset, end = match.span(match.lastgroup)
        word = text[offset:end]
        if kind is TokenKind.IDENTIFIER and word in KEYWORDS:
            kind = TokenKind.KEYWORD
        open_ended = False
        if kind is TokenKind.SYMBOL:
            if word in "{}":
                universes = word == "{" and text.startswith(".", offset - 1)
            if word.isprintable():
                open_ended = word not in _CLOSED
            else:
                kind = TokenKind.STRAY
        named = word not in _NAMING and not universes
        yield kind, offset, end
        offset = end


def _skip(
    text: str, start: int, *, docs: bool, open_ended: bool, comments: _Comments
) -> tuple[int, TokenKind | None, int]:
    """Go over blanks and comments.

    Returns:
        The offset of the next token, and its kind and end if something is wrong there.
    """
    offset = start
    while True:
        match = BLANKS.match(text, offset)
        after = match.end() if match else offset
        if open_ended and after > start and text[start] == "-":
            # What looks like a comment may be the end of the symbol before it.
            return start, TokenKind.ERROR, start + 2
        offset = after
        if text[offset : offset + 1] in REFUSED:
            return offset, TokenKind.STRAY, offset + 1
        if comments is _Comments.NONE or not text.startswith("/-", offset):
            return offset, None, offset
        if open_ended and offset == start:
            return offset, TokenKind.ERROR, offset + 2
        # Lean steps over the character after `/-` unseen: `/-/` is not yet closed.
        end = comment_end(text, offset + 3)
        if end < 0:
            return offset, TokenKind.STRAY, len(text)
        # Lean skips white space and comments after `/--` as after any token, so that `/-- -- -/` is still open.
        doc = text.startswith(("-", "!"), offset + 2)
        in_doubt = (
            (doc and not docs)
            or (doc and _DOC_TROUBLE.match(text, offset + 3, end - 2))
            or (comments is _Comments.OLD and text.find("--/", offset + 3, end) >= 0)
        )
        if in_doubt:
            return offset, TokenKind.ERROR, offset + 2
        offset = end


WORDS = (TokenKind.IDENTIFIER, TokenKind.KEYWORD)
"""The kinds of tokens that are words: what a library reserves is a name to core, so both are judged alike."""

OPENING = frozenset({"(", "[", "{", "⟨", "@["})
CLOSING = frozenset({")", "]", "}", "⟩", "]'"})


class Brackets:
    """The brackets that are open at a place, and which of them are lists of attributes.

    `@[…]`, `attribute […]` and `(attr := …)`, the argument of `to_additive`. Such a list ends at its own bracket and
    nowhere else: in it too stand words that could begin a command. `attribute` says that the next word names one.
    """

    def __init__(self) -> None:
        # For each open bracket: what closes it if it is a list of attributes, else nothing.
        self._open: list[str] = []
        self._lists = 0
        self.attribute = False

    def __bool__(self) -> bool:
        return bool(self._open)

    def read(self, token: Token, before: Token, before_that: str) -> None:
        """Follow a bracket, a comma or a `:=`; the tokens before it tell what it opens."""
        text = token.text
        if text in CLOSING:
            if self._open and self._open[-1] in {"", text}:
                self._lists -= bool(self._open.pop())
                self.attribute = False
        elif text == ",":
            self.attribute = bool(self._open and self._open[-1])
        elif text == ":=":
            if before.text == "attr" and before_that == "(" and self._open and not self._open[-1]:
                self._open[-1] = ")"
                self._lists += 1
                self.attribute = True
        else:
            self.attribute = text == "@[" or (text == "[" and before.text.endswith("attribute"))
            self._open.append("]" if self.attribute else "")
            self._lists += self.attribute

    def command_begins(self) -> None:
        """Close whatever bracket was left open, as a harmless command does; a list of attributes stays open."""
        if not self._lists:
            self._open.clear()
