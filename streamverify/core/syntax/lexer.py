"""Lean 4's tokens, as far as a file cannot be read in two ways; comments are left out.

Lean has no lexer of its own: its parser asks, at a place, for the longest entry of a token table that grows with
each `notation`, and after an error it goes on a character or a token further. So this lexer reads a small language, in
which the places of strings, characters, quoted names and comments do not depend on the table, on the version of Lean,
or on an error before them. Whatever else a mark of these could begin is an error token of that mark alone, and the
text after it is read on as code: no word is skipped but those of comments whose ends are certain.

The rules of what is certain were read in Lean's source (`Lean.Parser.whitespace`, `finishCommentBlock`, `tokenFn`,
`charLitFnAux`, `strLitFnAux`, and `parseCommand` for where it goes on), of 2021 and of today. Every function takes time
linear in the text, and none recurses.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"

# Lean's `isIdFirst` and `isIdRest`: Latin, Greek but λ Π Σ, letter-like and mathematical letters; subscripts.
_FIRST = (
    "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9"
    "\u03b1-\u03ba\u03bc-\u03fb\u1f00-\u1ffe\u2100-\u214f\U0001d49c-\U0001d59f"
)
_REST = _FIRST + "0-9'!?\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_PART = rf"(?:[{_FIRST}][{_REST}]*+|«[^»]*+»)"
_IDENTIFIER = rf"{_PART}(?:\.{_PART})*+"
# In the small language a quoted part stands on one line, has no mark of a string, a comment or a quotation, and
# nothing of the names that only Lean itself makes, which are printed like it.
_PLAIN_QUOTED = r"""«(?!\.|[^«»\n]*?(?:--|/-|-/|_hyg|_@|_inaccessible))[^«»\n\r\t"'`\\✝#?]++»"""
_PLAIN_PART_OF_NAME = rf"(?:[{_FIRST}][{_REST}]*+|{_PLAIN_QUOTED})"
_PLAIN_NAME = rf"{_PLAIN_PART_OF_NAME}(?:\.{_PLAIN_PART_OF_NAME})*+"

IDENTIFIER = re.compile(_IDENTIFIER)
"""A name, dots and «quoted parts» included, as long as Lean would take it; keywords match too."""

PLAIN_PART = re.compile(rf"[{_FIRST}][{_REST}]*+")
"""A part of a name that needs no «quotes»."""

# What Lean skips: blanks, `\r\n` (which it reads as `\n`) and line comments. Of all other white space it says
# that it is no token.
_BLANK = re.compile(r"(?:[ \n]++|\r\n|--[^\n]*+)*+")
_COMMENT_MARK = re.compile(r"/-|-/")
_DOC_TROUBLE = re.compile(r"(?:[ \n]++|\r\n|--[^\n]*+\n)*+(?:--|/-|[\t\r])")
_REFUSED = {
    "\t": "tabs are not allowed; please configure your editor to expand them",
    "\r": "isolated carriage returns are not allowed",
}

KEYWORDS = frozenset(
    """
    Prop Sort Type _ abbrev at attribute axiom break builtin_initialize by calc catch class
    continue dbg_trace declare_syntax_cat decreasing_by def deriving do elab elab_rules else end example export
    extends finally for forall from fun generalizing have haveI hiding if import in include inductive infix
    infixl infixr init_quot initialize instance leading_parser let letI let_delayed let_fun local macro macro_rules
    match meta module mut mutual namespace no_index nofun nomatch noncomputable nonrec notation omit opaque open
    partial postfix prefix prelude private protected public rec register_parser_alias renaming return scoped
    section set_option show sorry structure suffices syntax termination_by then theorem trailing_parser try
    universe unless unsafe using variable where with
    """.split()  # noqa: SIM905 -- a list literal of as many words is a page
)
"""Words that core's own grammar reserves in every file. Libraries reserve more."""

# Symbols of core and Mathlib of more than one character that matter here: those with `-`, `/` or `#` in them, and
# those that people look for.
_SYMBOLS = (
    "<|>", "<;>", ">>=", "=<<", "...", "<->", ":=", "=>", "->", "<-", "//", "..", "@[", "|>", "<|", "<=", ">=",
    "!=", "==", "&&", "||", "++", "::", "⁻¹",
)  # fmt: skip
# Symbols of core and Mathlib that end with a `'`. A Lean that does not know one of them reads the `'` as the beginning
# of a character, and goes on up to two characters further: these may not be the mark of a string, a name or a comment.
_PRIMED = r"""(?:⁻¹'|''|∑'|∏'|∂'|⨆'|⨅'|\]')(?!.?["\\'«`]|.?(?:--|/-))"""
# After these, and after brackets, no longer symbol of a library goes on with a comment's or a literal's first mark.
_CLOSED = frozenset((":=", "=>", "<-", "->", "..", "⁻¹", "<;>")) | frozenset(".,;:·*▸←→⊢()[]{}⟨⟩⌊⌋⌈⌉")

# After these Lean expects a name, and where a doc comment stands instead it goes on within it (seen on 4.35).
_NAMING = frozenset(
    """
    theorem lemma def abbrev axiom instance example structure class inductive coinductive opaque constant alias
    namespace open export universe universes variable variables set_option attribute import macro syntax notation
    let have fun from show by do
    """.split()  # noqa: SIM905 -- as in KEYWORDS
)

_BRACES = frozenset("{}")

_TOKEN = re.compile(
    rf"""
      (?P<doubt>r"|\#")
    | (?P<identifier>{_PLAIN_NAME})
    # Numbers at whose end versions of Lean disagree, and after which one of them goes on within a word or a comment.
    | (?P<cut>0[xX](?![0-9a-fA-F])|0[bB](?![01])|0[oO](?![0-7])|[0-9][0-9_]*+(?:\.[0-9_]*+)?[eE]-(?![0-9]))
    | (?P<number>0[xX][0-9a-fA-F_]++|0[bB][01_]++|0[oO][0-7_]++|[0-9][0-9_]*+(?:\.[0-9][0-9_]*+)?(?:[eE][+-]?[0-9]++)?)
    | (?P<string>"(?![^"\n]*?(?:--|/-|-/))[^"\\{{}}\n\r\t]*+")
    # After a symbol the mark could be the end of a longer one, that of a library.
    | (?P<character>(?<=[\s(\[{{⟨,])'[^\\'"`«»\n\r\t]')
    | (?P<primed>{_PRIMED})
    | (?P<mark>["'`«])
    | (?P<keyword>\#[{_FIRST}][{_REST}]*+)
    # Lean may begin to read at the second character of a symbol, and see a comment there: `//- a -/`, `<-- a`.
    | (?P<symbol>(?!//-|<--)(?:{"|".join(map(re.escape, _SYMBOLS))})|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class LexError(Exception):
    """White space that Lean refuses, or a comment without an end; `offset` is an index into the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class Kind(Enum):
    """What a token is."""

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

    kind: Kind
    text: str
    offset: int
    line: int
    column: int


def first_offset(text: str) -> int:
    """Where a file begins: after its byte-order mark, which is the encoding's and no part of the Lean text."""
    return int(text.startswith(BYTE_ORDER_MARK))


def skip_blank(text: str, offset: int) -> int:
    """The offset of the first character from `offset` on that is neither white space nor comment.

    Doc comments (`/--`, `/-!`) are tokens to Lean, and end the skipping.

    Raises:
        LexError: for a tab, a carriage return without a line feed, or a comment without an end.
    """
    while True:
        offset = _skip_plain(text, offset)
        if not text.startswith("/-", offset) or text.startswith(("-", "!"), offset + 2):
            return offset
        # Lean steps over the character after `/-` unseen: `/-/` is not yet closed.
        end = _comment_end(text, offset + 3)
        if end < 0:
            raise LexError("unterminated comment", offset)
        offset = end


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, as Lean counts them: lines end with a line feed alone."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset) - 1


def tokens(text: str, *, old_comments: bool = False) -> Iterator[Token]:
    """The tokens of a Lean file, in order; never raises, whatever the text.

    Args:
        text: The file, or a part of it that begins with a token.
        old_comments: Lean before the end of 2022, to which `--/` does not end a comment: where one has it, the text
            after its opening mark is read as code.
    """
    offset, size = first_offset(text), len(text)
    line, line_start, seen = 1, 0, 0
    universes = False  # within `.{u, v}`, which belongs to a name
    named = True  # whether Lean expects no name after the token before
    open_ended = False  # whether a library may have a symbol that begins with the token before and goes on
    # Once the end of a comment was in doubt, what looks like another one is read as code.
    comments = True
    while True:
        offset, kind, end = _skip(
            text, offset, docs=named, open_ended=open_ended, comments=comments, old_comments=old_comments
        )
        if kind is Kind.ERROR:
            comments = False
        if kind is None:
            if offset >= size:
                return
            match = _TOKEN.match(text, offset)
            assert match is not None  # noqa: S101 -- the last alternative is any character
            assert match.lastgroup is not None  # noqa: S101
            kind, end = _KINDS[match.lastgroup], match.end()
        word = text[offset:end]
        if kind is Kind.IDENTIFIER:
            if word in KEYWORDS:
                kind = Kind.KEYWORD
        elif kind is Kind.SYMBOL and not word.isprintable():
            kind = Kind.STRAY
        newlines = text.count("\n", seen, offset)
        if newlines:
            line += newlines
            line_start = text.rfind("\n", seen, offset) + 1
        seen = offset
        yield Token(kind, word, offset, line, offset - line_start)
        if kind is Kind.SYMBOL and word in _BRACES:
            universes = word == "{" and text.startswith(".", offset - 1)
        named = word not in _NAMING and not universes
        open_ended = kind is Kind.SYMBOL and word not in _CLOSED
        offset = end


_KINDS = {
    "doubt": Kind.ERROR,
    "identifier": Kind.IDENTIFIER,
    "cut": Kind.ERROR,
    "number": Kind.NUMBER,
    "string": Kind.STRING,
    "character": Kind.CHARACTER,
    "primed": Kind.SYMBOL,
    "mark": Kind.ERROR,
    "keyword": Kind.KEYWORD,
    "symbol": Kind.SYMBOL,
}


def _skip(  # noqa: PLR0913 -- what the tokens before left behind
    text: str, start: int, *, docs: bool, open_ended: bool, comments: bool, old_comments: bool
) -> tuple[int, Kind | None, int]:
    """Go over blanks and comments: where the next token begins, and its kind and end if something is wrong there."""
    offset = start
    while True:
        match = _BLANK.match(text, offset)
        after = match.end() if match else offset
        if open_ended and after > start and text[start] == "-":
            # What looks like a comment may be the end of the symbol before it.
            return start, Kind.ERROR, start + 2
        offset = after
        if text[offset : offset + 1] in _REFUSED:
            return offset, Kind.STRAY, offset + 1
        if not comments or not text.startswith("/-", offset):
            return offset, None, offset
        if open_ended and offset == start:
            return offset, Kind.ERROR, offset + 2
        # Lean steps over the character after `/-` unseen: `/-/` is not yet closed.
        end = _comment_end(text, offset + 3)
        if end < 0:
            return offset, Kind.STRAY, len(text)
        # Lean skips white space and comments after `/--` as after any token, so that `/-- -- -/` is still open.
        doc = text.startswith(("-", "!"), offset + 2)
        in_doubt = (
            (doc and not docs)
            or (doc and _DOC_TROUBLE.match(text, offset + 3, end - 2))
            or (old_comments and text.find("--/", offset + 3, end) >= 0)
        )
        if in_doubt:
            return offset, Kind.ERROR, offset + 2
        offset = end


def _skip_plain(text: str, offset: int) -> int:
    """Skip blanks and line comments."""
    match = _BLANK.match(text, offset)
    end = match.end() if match else offset
    refusal = _REFUSED.get(text[end : end + 1])
    if refusal is not None:
        raise LexError(refusal, end)
    return end


def _comment_end(text: str, inside: int) -> int:
    """The offset after the comment whose nested marks count from `inside` on; -1 where it has no end."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, inside):
        depth += 1 if mark.group() == "/-" else -1
        if depth == 0:
            return mark.end()
    return -1
