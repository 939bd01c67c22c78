"""Cuts what Lean prints of a constant under `pp.all` into tokens. Pure, and linear in the text."""

from __future__ import annotations

import re

from streamverify.core.errors import StreamVerifyError
from streamverify.core.syntax.lexer import PLAIN_PART

# A name as Lean prints it. `✝` marks one that nobody can write; numbers are parts of private and generated names.
_PART = rf"(?:(?:{PLAIN_PART.pattern})(?:✝[⁰¹²³⁴⁵⁶⁷⁸⁹]*+)?|«[^»\n]*+»)"
PRINTED_NAME = rf"{_PART}(?:\.{_PART}|(?:\.[0-9]++)++(?=\.{_PART}))*+"
"""A regular expression for a name as Lean prints it: with parts that nobody can write, too."""

_TOKEN = re.compile(
    rf"""
      (?P<blank>\s++)
    | (?P<string>"(?:[^"\\]|\\.)*+")
    | (?P<char>'(?:[^'\\]|\\[^x u]|\\x[0-9a-fA-F]{{2}}|\\u[0-9a-fA-F]{{4}})')
    | (?P<name>{PRINTED_NAME})
    | (?P<field>\.[0-9]++(?![0-9]))
    | (?P<number>[0-9]++)
    | (?P<symbol>\.\{{|:=|=>|[(){{}}\[\]⦃⦄:,;@→↦∀λ+])
    """,
    re.VERBOSE | re.DOTALL,
)
SYNTAX_WORDS = frozenset(
    """
    Prop Sort Type _ assert at by calc catch continue break decreasing_by deriving do else end finally for forall from
    fun have haveI if in let letI let_delayed let_fun match mut nofun nomatch open return set_option show sorry
    suffices termination_by then try unless where with
    """.split()  # noqa: SIM905 -- as in lexer.KEYWORDS
)
"""Words of the syntax of terms: a text with one of them is not in the grammar. As names they are in «quotes»."""


class UnreadableError(StreamVerifyError):
    """Text of Lean's that is not in the grammar which this module knows in full."""


def tokens(text: str) -> list[str]:
    """Cut a text into its tokens.

    Raises:
        UnreadableError: Something in it is no token.
    """
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnreadableError(f"`{text[at : at + 20]}`")
        if match.lastgroup != "blank":
            found.append(match.group())
        at = match.end()
    return found


class Cursor:
    """The tokens, and how far they are read."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        """Return the next token, or the one `ahead` of it; empty behind the end."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def next(self) -> str:
        """Read one token; empty at the end."""
        token = self.peek()
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        """Read this token, which has to come next."""
        if self.peek() != token:
            raise unexpected(self.peek())
        self.at += 1

    def binder_names(self) -> tuple[str, ...]:
        """Read the names of a binder and its colon; `("",)` for an instance, of which only the type is printed."""
        begins = self.at
        while is_binder_name(self.peek()):
            self.at += 1
        names = tuple(self.tokens[begins : self.at])
        if names and self.peek() == ":":
            self.at += 1
            return names
        self.at = begins
        return ("",)

    def opens_binder(self, bracket: str) -> bool:
        """Tell whether names and a colon follow. Only an instance may lack its name."""
        ahead = 0
        while is_binder_name(self.peek(ahead)):
            ahead += 1
        return bracket == "[" or (ahead > 0 and self.peek(ahead) == ":")


def unexpected(lexeme: str) -> UnreadableError:
    """Make the error for a token that the grammar does not have here; empty where the text ends."""
    return UnreadableError(f"`{lexeme[:60]}`" if lexeme else "its end is missing")


def is_name(lexeme: str) -> bool:
    """Tell whether a token is a name, or a word of the syntax."""
    return lexeme[:1] == "«" or PLAIN_PART.match(lexeme) is not None


def is_binder_name(lexeme: str) -> bool:
    """Tell whether a token may stand where a variable is bound."""
    return is_name(lexeme) and (lexeme == "_" or lexeme not in SYNTAX_WORDS)
