"""A Lean file as tokens, as far as cutting it needs: comments and strings whole, brackets with their partners.

The tokens of a Lean file are known for certain only to Lean. These may be shorter than Lean's (`⌊` and `⌋₊`) without
harm: a cut is made only where a node of the infotree begins or ends and a token of ours does too.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

from streamverify.core.syntax.lexer import BLANKS, IDENTIFIER, comment_end

_BRACKETS = dict(zip("([{⟨⟪‹⦃⌊⌈⟦", ")]}⟩⟫›⦄⌋⌉⟧", strict=True))  # noqa: RUF001 -- Lean's own signs
_CLOSING = frozenset(_BRACKETS.values())
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"|r(#*+)".*?"\1', re.DOTALL)
_CHARACTER = re.compile(r"'(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^'\\\n])'")
_NUMBER = re.compile(r"[0-9]++")
_SYMBOL = re.compile(r"=>|<;>|<\|>|:=|\S", re.DOTALL)


class TextToken(NamedTuple):
    """One token: where it begins and ends in the file, and what it says."""

    start: int
    end: int
    text: str


class Tokens:
    """The tokens of one file, without its comments and blanks."""

    def __init__(self, text: str) -> None:
        self.tokens: list[TextToken] = []
        self.partner: dict[int, int] = {}
        """For the index of an opening bracket the index of the one that closes it."""
        # For each token, and for the end, the index of the innermost bracket that is open before it; -1: none.
        self._open: list[int] = []
        self._read(text)
        self._starts = [token.start for token in self.tokens]

    def at(self, offset: int) -> int:
        """Return the index of the first token that begins at `offset` or later."""
        return bisect_left(self._starts, offset)

    def fits(self, start: int, end: int) -> bool:
        """Tell whether tokens begin and end at these offsets, and each bracket between them has its partner there."""
        first, stop = self.at(start), self.at(end)
        return (
            first < stop
            and self.tokens[first].start == start
            and self.tokens[stop - 1].end == end
            and self._open[first] == self._open[stop]
        )

    def are_in_one_bracket(self, offset: int, other: int) -> bool:
        """Tell whether the innermost bracket around two offsets is the same one, or none around both."""
        return self._open[self.at(offset)] == self._open[self.at(other)]

    def _read(self, text: str) -> None:
        offset, opened = 0, [-1]
        while (offset := _after_blanks(text, offset)) < len(text):
            match = (
                _STRING.match(text, offset)
                or IDENTIFIER.match(text, offset)
                or _CHARACTER.match(text, offset)
                or _NUMBER.match(text, offset)
                or _SYMBOL.match(text, offset)
            )
            end = match.end() if match else offset + 1
            word, index = text[offset:end], len(self.tokens)
            self._open.append(opened[-1])
            if word in _BRACKETS:
                opened.append(index)
            elif word in _CLOSING and opened[-1] >= 0 and _BRACKETS[self.tokens[opened[-1]].text] == word:
                self.partner[opened.pop()] = index
            self.tokens.append(TextToken(offset, end, word))
            offset = end
        self._open.append(opened[-1])


def _after_blanks(text: str, offset: int) -> int:
    """Return the offset of the first character outside of white space and comments; doc comments are comments."""
    while offset < len(text):
        match = BLANKS.match(text, offset)
        offset = match.end() if match else offset
        if text.startswith("/-", offset):
            end = comment_end(text, offset + 3)
            # One without an end takes the rest of the file, as for Lean.
            offset = len(text) if end < 0 else end
        elif text[offset : offset + 1].isspace():
            offset += 1
        else:
            break
    return offset
