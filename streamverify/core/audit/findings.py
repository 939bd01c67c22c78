"""Collects the findings of one file, and judges the names of options and attributes in it. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.language import CLOSING, WORDS, TokenKind
from streamverify.core.audit.watched_words import option_rule
from streamverify.core.messages.models import Finding
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from streamverify.core.audit.language import Brackets, Token
    from streamverify.core.audit.watched_words import WatchedWords

MAX_PER_RULE = 20
"""Findings reported of one rule; more of the same say nothing new."""

_EXCERPT = 80  # code points

_BEFORE_ATTRIBUTE = frozenset({"local", "scoped", "-"})
_ENDS_ATTRIBUTE = frozenset({",", "]", ")"})


class Findings:
    """Collects what is found in a file."""

    def __init__(self, proof: str) -> None:
        self._proof = proof
        self._found: list[Finding] = []
        self._counts: dict[str, int] = {}

    def add(self, rule: str, token: Token) -> None:
        """Note that a token is against a rule; of each rule the first `MAX_PER_RULE` are kept."""
        count = self._counts.get(rule, 0)
        self._counts[rule] = count + 1
        if count < MAX_PER_RULE:
            excerpt = self._lines[token.line - 1][token.column : token.column + _EXCERPT].rstrip()
            self._found.append(Finding(rule=rule, line=token.line, column=token.column, excerpt=excerpt))

    def in_order(self) -> list[Finding]:
        """Return the findings in the order of the text."""
        return sorted(self._found, key=lambda item: (item.line, item.column))

    @cached_property
    def _lines(self) -> list[str]:
        return self._proof.split("\n")


class NamedWords:
    """Judges words where an option or an attribute is named.

    `option` says that the next word names an option; `_marked` is an attribute that is harmless if nothing follows it.
    """

    def __init__(self, findings: Findings, watched: WatchedWords, brackets: Brackets) -> None:
        self._findings = findings
        self._watched = watched
        self._brackets = brackets
        self._marked: Token | None = None
        self.option = False

    def takes(self, token: Token) -> bool:
        """Judge a token where something is named; return whether it was a name, or stands before one."""
        return (self.option and self._option(token)) or (self._brackets.attribute and self._attribute(token))

    def after_attribute(self, token: Token) -> None:
        """Look at a token that may follow an attribute which is harmless only where nothing follows it."""
        if self._marked is not None and token.text not in _ENDS_ATTRIBUTE:
            self._findings.add("elaborator_attribute", self._marked)
        self._marked = None

    def _attribute(self, token: Token) -> bool:
        """Judge the name of an attribute; return whether the token was one, or stands before one."""
        if token.text in _BEFORE_ATTRIBUTE:
            return True
        if token.text in CLOSING or token.text == ",":
            return False
        # The words after it are its arguments, up to the next comma.
        self._brackets.attribute = False
        if token.kind not in WORDS:
            self._findings.add("unknown_attribute", token)
            return False
        # Without its quotes: `@[«extern» f]` is `@[extern f]` to Lean.
        name = ".".join(parts(token.text))
        rule = words.ATTRIBUTE_RULES.get(name)
        if name not in self._watched.attributes:
            self._findings.add(rule or "unknown_attribute", token)
        elif name in words.WITHOUT_ARGUMENTS:
            self._marked = token
        return True

    def _option(self, token: Token) -> bool:
        """Judge the name of an option; return whether the token was one."""
        self.option = False
        named = token.kind is TokenKind.IDENTIFIER
        rule = option_rule(".".join(parts(token.text)), self._watched.options) if named else "unknown_option"
        if rule is not None:
            self._findings.add(rule, token)
        return named
