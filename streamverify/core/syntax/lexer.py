"""The parts that all of Lean 4's grammar shares: blanks, comments, names, the words that core reserves, positions.

Lean has no lexer of its own: its parser asks, at a place, for the longest entry of a token table that grows with
each `notation`. The tokens of a file can be known only where it keeps to a small language (`core/audit/language.py`);
what is here holds in any file. The rules were read in Lean's source (`Lean.Parser.whitespace`, `finishCommentBlock`,
`identFn`), of 2021 and of today. Every function takes time linear in the text, and none recurses.
"""

from __future__ import annotations

import re

BYTE_ORDER_MARK = "\ufeff"

# Lean's `isIdFirst` and `isIdRest`: Latin, Greek but λ Π Σ, letter-like and mathematical letters; subscripts.
FIRST_OF_NAME = (
    "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9"
    "\u03b1-\u03ba\u03bc-\u03fb\u1f00-\u1ffe\u2100-\u214f\U0001d49c-\U0001d59f"
)
REST_OF_NAME = FIRST_OF_NAME + "0-9'!?\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_PART = rf"(?:[{FIRST_OF_NAME}][{REST_OF_NAME}]*+|«[^»]*+»)"

IDENTIFIER = re.compile(rf"{_PART}(?:\.{_PART})*+")
"""A name, dots and «quoted parts» included, as long as Lean would take it; keywords match too."""

PLAIN_PART = re.compile(rf"[{FIRST_OF_NAME}][{REST_OF_NAME}]*+")
"""A part of a name that needs no «quotes»."""

BLANKS = re.compile(r"(?:[ \n]++|\r\n|--[^\n]*+)*+")
"""What Lean skips: blanks, `\\r\\n` (which it reads as `\\n`) and line comments. Other white space is no token."""

REFUSED = {
    "\t": "tabs are not allowed; please configure your editor to expand them",
    "\r": "isolated carriage returns are not allowed",
}
"""White space that Lean refuses, and what it says."""

_COMMENT_MARK = re.compile(r"/-|-/")

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


class LexError(Exception):
    """White space that Lean refuses, or a comment without an end; `offset` is an index into the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def first_offset(text: str) -> int:
    """Return where a file begins: after its byte-order mark, which is the encoding's and no part of the Lean text."""
    return int(text.startswith(BYTE_ORDER_MARK))


def skip_blank(text: str, offset: int) -> int:
    """Return the offset of the first character from `offset` on that is neither white space nor comment.

    Doc comments (`/--`, `/-!`) are tokens to Lean, and end the skipping.

    Raises:
        LexError: For a tab, a carriage return without a line feed, or a comment without an end.
    """
    while True:
        match = BLANKS.match(text, offset)
        offset = match.end() if match else offset
        refusal = REFUSED.get(text[offset : offset + 1])
        if refusal is not None:
            raise LexError(refusal, offset)
        if not text.startswith("/-", offset) or text.startswith(("-", "!"), offset + 2):
            return offset
        # Lean steps over the character after `/-` unseen: `/-/` is not yet closed.
        end = comment_end(text, offset + 3)
        if end < 0:
            raise LexError("unterminated comment", offset)
        offset = end


def position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of an offset, as Lean counts them: lines end with a line feed alone."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset) - 1


def comment_end(text: str, inside: int) -> int:
    """Return the offset after the comment whose nested marks count from `inside` on; -1 where it has no end."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, inside):
        depth += 1 if mark.group() == "/-" else -1
        if depth == 0:
            return mark.end()
    return -1
