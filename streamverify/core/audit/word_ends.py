"""The ends of a word at which some Lean goes on reading, where it does not take the word as we do. Pure.

Where no tactic has a name, Lean of today goes on after its first character; versions differ in what a letter is, and in
where a number or a character ends. What stands there could begin a command, so the policy judges it as a word, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamverify.core.audit.language import TokenKind

if TYPE_CHECKING:
    from streamverify.core.audit.language import Token

# What no word begins with, or an exponent, a base or a separator of a number: where Lean goes on within a word, the
# rest after any of these may be the next one.
_NO_LETTERS = "[0-9!?'\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c]"
_BREAKS = re.compile(rf"{_NO_LETTERS}|(?<={_NO_LETTERS})\.|(?<=[0-9])[_eExXbBoO][_.]*")
_NO_BEGINNING = "0123456789!?'.\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F_]++\.?")
_PRIMES = re.compile("(?s:.)[0-9!?'.\u2080-\u209c]*'")
# Letters that only newer versions of Lean take for letters: an older one goes on with the text after them.
_NEW_LETTERS = re.compile("[\u00c0-\u017f\u2c7c]")


def ends_of(token: Token, before: Token, body: str, longest: int) -> list[str]:
    """Return the ends of a word from which some Lean may read on, without what no word begins with.

    Args:
        token: The word.
        before: The token before it.
        body: The text that both stand in.
        longest: Characters of the longest end that matters: no command is longer.
    """
    text, offset = token.text, token.offset
    # Where no tactic has this name, Lean goes on after its first character (seen on 4.35: `by xaxiom y : False`),
    # and from there over what is no word (`by x!1axiom`).
    far = max(len(text) - longest, 1)
    ends = [text[1:], *(text[at.end() :] for at in _BREAKS.finditer(text, far))]
    if "'" in text:
        # There it may read a character, of which it takes up to two further ones, right or wrong.
        ends += [text[at + more :] for at in range(far, len(text)) if text[at] == "'" for more in (2, 3)]
    if "0" in text:
        ends += [text[at.end() :] for at in _HEXADECIMAL.finditer(text, far)]
    if before.text[-1:] == "'" and before.kind is TokenKind.SYMBOL:
        # The same after a symbol that this Lean does not know.
        end = before.offset + len(before.text)
        ends += [body[at : offset + len(text)] for at in (end + 1, end + 2) if at > offset]
    if not text.isascii():
        ends += _NEW_LETTERS.split(text)[1:]
    # Wherever it goes on, what no word begins with is passed over first (seen: `by h'?_.axiom y : False`).
    return [end.lstrip(_NO_BEGINNING) for end in ends]


def prime_swallows(token: Token, body: str, *, is_tactic: bool) -> bool:
    """Tell whether the mark of a string or of a comment could be taken for part of a character that begins in a word.

    Args:
        token: The word; a character could begin with a prime near its beginning.
        body: The text that it stands in.
        is_tactic: Whether the word stands where a tactic may, in which a comment could be hidden.
    """
    primes = _PRIMES.match(token.text)
    if primes is None:
        return False
    end = token.offset + primes.end()
    for after in range(max(token.offset + 2, end - 4), end + 1):
        next_ones = body[after : after + 4]
        if body[after - 1] != "'":
            continue
        if '"' in next_ones[:3] or next_ones.startswith(("\\x", "\\u")):
            return True
        if is_tactic and any(mark in next_ones for mark in ("--", "/-")):
            return True
    return False
