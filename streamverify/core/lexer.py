"""Lean 4's tokens: what is code in a Lean file, and where; comments are left out.

Lean has no lexer of its own: its parser asks, at a place, for the longest entry of a token table that grows with
each `notation`. This one knows identifiers, literals and comments by Lean's exact rules, and the symbols of core
and Mathlib that could be mistaken for the start of a comment or a literal. Where only the token table could tell
code from comment or string, it yields an error token: who reads tokens to find something must object to those.

The rules are those of a current Lean, read in its source (`Lean.Parser.whitespace`, `finishCommentBlock`, `tokenFn`,
`strLitFnAux`); Lean before 4.9 also took a lone carriage return for white space. Every function takes time linear in
the text, and none recurses.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BYTE_ORDER_MARK = "\ufeff"

# Lean's `isIdFirst` and `isIdRest`: Latin, Greek but λ Π Σ, letter-like and mathematical letters; subscripts.
_FIRST = (
    "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9"
    "\u03b1-\u03ba\u03bc-\u03fb\u1f00-\u1ffe\u2100-\u214f\U0001d49c-\U0001d59f"
)
_REST = _FIRST + "0-9'!?\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_PART = rf"(?:[{_FIRST}][{_REST}]*+|«[^»]*+»)"
_IDENTIFIER = rf"{_PART}(?:\.{_PART})*+"

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

INTERPOLATORS = frozenset({"s!", "f!", "m!"})
"""Words after which a string has `{holes}` with code in them. `m!` is one only where Lean itself is imported, and
such words as `throwError` and `dbg_trace` interpolate the plain string after them: only the parser knows."""

# Symbols of core and Mathlib of more than one character that matter here: those with `-`, `/`, `'` or `#` in them,
# and those that people look for.
_SYMBOLS = (
    "<|>", "<;>", ">>=", "=<<", "...", "<->", ":=", "=>", "->", "<-", "//", "..", "@[", "|>", "<|", "<=", ">=",
    "!=", "==", "&&", "||", "++", "::", "⁻¹'", "⁻¹", "∑'", "∏'", "∂'", "⨆'", "⨅'", "''",
)  # fmt: skip
# After these, and after brackets, no longer symbol of a library goes on with a comment's or a literal's first mark.
_CLOSED = frozenset((":=", "=>", "<-", "->", "//", "..", "⁻¹", "<;>")) | frozenset(".,;:|·*▸←→⊢()[]{}⟨⟩⌊⌋⌈⌉")

_TOKEN = re.compile(
    rf"""
      (?P<raw>r\#*+")
    | (?P<identifier>{_IDENTIFIER})
    | (?P<number>0[xX][0-9a-fA-F_]++|0[bB][01_]++|0[oO][0-7_]++|[0-9][0-9_]*+(?:\.[0-9][0-9_]*+)?(?:[eE][+-]?[0-9]++)?)
    | (?P<string>")
    | (?P<character>'(?:\\(?:["'\\rnt]|x[0-9a-fA-F]{{2}}|u[0-9a-fA-F]{{4}})|[^\\'])')
    | (?P<quoted>«)
    | (?P<keyword>\#[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<symbol>{"|".join(map(re.escape, _SYMBOLS))}|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING_REST = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SEGMENT_REST = re.compile(r'[^"\\{]*+(?:\\.[^"\\{]*+)*+["{]', re.DOTALL)


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
    """A string, raw or not; of an interpolated one each piece between holes, its quotes and braces included."""
    CHARACTER = "character"
    NUMBER = "number"
    ERROR = "error"
    """What Lean's grammar has no token for, a literal without an end, or what only the token table could tell."""


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
        offset = _comment_end(text, offset, offset + 3)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, as Lean counts them: lines end with a line feed alone."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset) - 1


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a Lean file, in order; never raises, whatever the text."""
    return iter(_Lexer(text))


def _skip_plain(text: str, offset: int) -> int:
    """Skip blanks and line comments."""
    match = _BLANK.match(text, offset)
    end = match.end() if match else offset
    refusal = _REFUSED.get(text[end : end + 1])
    if refusal is not None:
        raise LexError(refusal, end)
    return end


def _comment_end(text: str, opening: int, inside: int) -> int:
    """The offset after the comment that begins at `opening`, whose nested marks count from `inside` on."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, inside):
        depth += 1 if mark.group() == "/-" else -1
        if depth == 0:
            return mark.end()
    raise LexError("unterminated comment", opening)


class _Lexer:
    """One pass over a text. `holes` has, for each open hole of an interpolated string, the braces open in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = first_offset(text)
        self.line = 1
        self.line_start = 0
        self.seen = 0
        self.holes: list[int] = []
        self.before = Token(Kind.SYMBOL, "", -1, 1, 0)
        self.readers: dict[str, Callable[[int], Token]] = {
            "raw": self._raw_string,
            "identifier": self._identifier,
            "number": lambda end: self._token(Kind.NUMBER, end),
            "string": self._string,
            "character": self._character,
            "quoted": lambda _: self._token(Kind.ERROR, len(self.text)),
            "keyword": lambda end: self._token(Kind.KEYWORD, end),
            "symbol": self._symbol,
        }

    def __iter__(self) -> Iterator[Token]:
        while (trouble := self._skip()) or self.offset < len(self.text):
            token = trouble or self._next()
            self.before = token
            self.offset = token.offset + len(token.text)
            yield token

    def _next(self) -> Token:
        match = _TOKEN.match(self.text, self.offset)
        if match is None or match.lastgroup is None:  # never: the last alternative is any character
            return self._token(Kind.ERROR, self.offset + 1)
        return self.readers[match.lastgroup](match.end())

    def _token(self, kind: Kind, end: int) -> Token:
        start = self.offset
        newlines = self.text.count("\n", self.seen, start)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rfind("\n", self.seen, start) + 1
        self.seen = start
        return Token(kind, self.text[start:end], start, self.line, start - self.line_start)

    def _skip(self) -> Token | None:
        """Go to the next token; what is wrong on the way is returned as an error token."""
        try:
            while True:
                start = self.offset
                self.offset = skip_blank(self.text, start)
                if self.offset > start and self._joined(start):
                    # What looks like a comment may be the end of the symbol before it.
                    end, self.offset = self.offset, start
                    return self._token(Kind.ERROR, end)
                if not self.text.startswith(("/--", "/-!"), self.offset):
                    return None
                if (trouble := self._doc_comment()) is not None:
                    return trouble
        except LexError as error:
            self.offset = error.offset
            comment = self.text.startswith("/-", error.offset)
            return self._token(Kind.ERROR, len(self.text) if comment else error.offset + 1)

    def _joined(self, offset: int) -> bool:
        """Whether a library could have a symbol that goes on at `offset`, seen what stands before it."""
        before = self.before
        return (
            before.kind is Kind.SYMBOL
            and before.offset + len(before.text) == offset
            and before.text not in _CLOSED
            and self.text[offset] in "-/'"
        )

    def _doc_comment(self) -> Token | None:
        """Skip a doc comment.

        Lean skips white space and comments after `/--` as after any token, so that `/-- -- -/` is still open.
        Where that makes a difference the comment is an error token: readers expect it closed.
        """
        end = _comment_end(self.text, self.offset, self.offset + 3)
        if _DOC_TROUBLE.match(self.text, self.offset + 3, end - 2):
            return self._token(Kind.ERROR, end)
        self.offset = end
        return None

    def _identifier(self, end: int) -> Token:
        word = self.text[self.offset : end]
        return self._token(Kind.KEYWORD if word in KEYWORDS else Kind.IDENTIFIER, end)

    def _character(self, end: int) -> Token:
        unsure = self.text[self.offset + 1] == '"' and self._joined(self.offset)
        return self._token(Kind.ERROR if unsure else Kind.CHARACTER, end)

    def _symbol(self, end: int) -> Token:
        symbol = self.text[self.offset : end]
        if self.holes and symbol in {"{", "}"}:
            self.holes[-1] += 1 if symbol == "{" else -1
            if self.holes[-1] < 0:
                self.holes.pop()
                return self._segment(end)
        return self._token(Kind.SYMBOL if symbol.isprintable() else Kind.ERROR, end)

    def _string(self, end: int) -> Token:
        if self.before.text in INTERPOLATORS:
            return self._segment(end)
        match = _STRING_REST.match(self.text, end)
        return self._token(Kind.STRING, match.end()) if match else self._token(Kind.ERROR, len(self.text))

    def _segment(self, inside: int) -> Token:
        """A piece of an interpolated string, up to its next hole or its end."""
        match = _SEGMENT_REST.match(self.text, inside)
        if match is None:
            return self._token(Kind.ERROR, len(self.text))
        if match.group().endswith("{"):
            self.holes.append(0)
        return self._token(Kind.STRING, match.end())

    def _raw_string(self, inside: int) -> Token:
        """`r"…"`, or with as many `#` after the closing quote as before the opening one."""
        closing = '"' + "#" * (inside - self.offset - 2)
        found = self.text.find(closing, inside)
        if found < 0:
            return self._token(Kind.ERROR, len(self.text))
        return self._token(Kind.STRING, found + len(closing))
