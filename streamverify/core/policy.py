"""The policy on tokens: what in a Lean file could run code, go round the kernel, or change what a statement means.

What begins a command, names an attribute or names an option must be on a short list of harmless words. What Lean
says that it knows (a `Vocabulary`) and that is not on the list is a finding wherever it stands; so is an unknown
word in the first column. Of the words of terms and tactics, which yield what the kernel checks, those are findings
that run code or go round the kernel. Comments and strings are no words, but what only Lean could tell from code is a
finding.

Knows nothing of Lean's answers. Every function takes time linear in the text, none recurses, none raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from streamverify.core import policy_words as words
from streamverify.core.declarations import THEOREMS, Declared, declarations
from streamverify.core.header import body_of
from streamverify.core.lexer import INTERPOLATORS, KEYWORDS, Kind, Token, first_offset, position, skip_blank, tokens
from streamverify.core.models import Finding
from streamverify.core.names import parts
from streamverify.core.policy_rules import RULES, Rule
from streamverify.core.vocabulary import (
    SHIPPED,
    VOCABULARY_QUERIES,
    VOCABULARY_QUERY,
    Vocabulary,
    VocabularyError,
    parse_vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamverify.core.header import Header

__all__ = [
    "POLICY_VERSION",
    "RULES",
    "SHIPPED",
    "THEOREMS",
    "VOCABULARY_QUERIES",
    "VOCABULARY_QUERY",
    "Declared",
    "Reading",
    "Rule",
    "Vocabulary",
    "VocabularyError",
    "check",
    "declared",
    "declared_theorems",
    "module_finding",
    "parse_vocabulary",
    "runs_code",
]

POLICY_VERSION = "1"
"""Changes with every change of a rule or of a list of words."""

MOST_A_RULE = 20
"""Findings reported of one rule; more of the same say nothing new."""

_EXCERPT = 80  # code points

_CLOSING = frozenset(")]}⟩")
_STRUCTURE = _CLOSING | frozenset({"(", "[", "{", "⟨", "@[", ",", ":=", "%"})
_BEFORE_ATTRIBUTE = frozenset({"local", "scoped", "-"})
# What may stand between a tactic and the brackets with its configuration, besides the `name` of `+name`.
_FLAGS = frozenset({"only", "*", "!", "?", "+", "-"})
_ENDS_ATTRIBUTE = frozenset({",", "]", ")"})
# After a word, a closing bracket or a `!` a string may be one that some macro reads as code.
_AFTER_WHICH_CODE = _CLOSING | {"!"}
_WORDS = (Kind.IDENTIFIER, Kind.KEYWORD)
_AT_LINE_START = words.HARMLESS_COMMANDS | words.CONTINUATIONS | KEYWORDS


class Reading:
    """The tokens of a file, read once for all that is asked of them; reading takes nine tenths of the time."""

    def __init__(self, proof: str, header: Header) -> None:
        self._proof = proof
        self._body = body_of(proof, header)
        self._tokens = list(tokens(self._body))

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """What `check` says."""
        return _Check(self._proof, self._body, self._tokens, _compiled(vocabulary)).findings()

    def declared(self) -> list[Declared]:
        """What the file declares: theorems, definitions, types and instances, in order."""
        return declarations(self._tokens)


def check(proof: str, header: Header, vocabulary: Vocabulary) -> list[Finding]:
    """What the policy objects to in a file, in the order of the text; at most 20 findings a rule.

    Args:
        proof: the whole file.
        header: that of the file, as `parse_header` found it.
        vocabulary: what the environment of this header knows, or `SHIPPED` before it is imported.
    """
    return Reading(proof, header).check(vocabulary)


def declared(proof: str, header: Header) -> list[Declared]:
    """What a file declares: theorems, definitions, types and instances, in order."""
    return Reading(proof, header).declared()


def declared_theorems(proof: str, header: Header) -> list[Declared]:
    """The theorems that a file declares, in order; those of `example` have no name, and are none."""
    return [item for item in declared(proof, header) if item.kind in THEOREMS]


def runs_code(findings: Iterable[Finding]) -> bool:
    """Whether Lean may have run code of the proof that stays behind in its process."""
    return any(RULES[item.rule].runs_code for item in findings if item.rule in RULES)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A vocabulary made ready for reading: rule by word, and commands of several tokens by their first one."""

    words: Mapping[str, str]
    phrases: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=64)
def _compiled(vocabulary: Vocabulary) -> _Watched:
    rules: dict[str, str] = {}
    phrases: dict[str, tuple[str, ...]] = {}
    for command in vocabulary.commands - words.HARMLESS_COMMANDS:
        first = next(tokens(command), None)
        if first is None or first.kind is Kind.ERROR:
            continue
        if first.text == command and first.kind in _WORDS:
            rules[command] = "unknown_command"
        else:
            phrases[first.text] = (*phrases.get(first.text, ()), command)
    rules |= {name: rule for name in vocabulary.options if "." in name and (rule := _option_rule(name))}
    rules |= {
        name: rule
        for name, rule in words.ATTRIBUTE_RULES.items()
        if name in vocabulary.attributes and _distinctive(name)
    }
    return _Watched({**rules, **words.COMMAND_RULES, **words.TERM_RULES, **words.NAME_RULES}, phrases)


def _distinctive(attribute: str) -> bool:
    """Whether nobody would call a variable by the name of an attribute: `term_elab`, `termElab`, but not `init`."""
    return "_" in attribute or not attribute.islower()


def _option_rule(name: str) -> str | None:
    """The rule that an option falls under; None for a harmless one."""
    rule = next((rule for prefix, rule in words.OPTION_RULES if name.startswith(prefix)), None)
    if rule is not None:
        return rule
    harmless = name in words.HARMLESS_OPTIONS or name.startswith(words.HARMLESS_OPTION_PREFIXES)
    return None if harmless else "unknown_option"


def module_finding(proof: str) -> Finding:
    """The finding of a file that begins with `module`, for a Lean that cannot be asked for axioms in one."""
    line, column = position(proof, skip_blank(proof, first_offset(proof)))
    return Finding(rule="module_file", line=line, column=column, excerpt="module")


class _Check:
    """One pass over the tokens of a body.

    `brackets` has an entry for each open bracket: whether it holds a list of attributes. `attribute` says that the
    next word names an attribute, `option` that it names an option; `argument` is the offset of the last word that
    came right after a `(`; `marked` is an attribute that is harmless if nothing follows it; `tactic` is the last
    tactic whose configuration can hold code, `extended` the first place where a definition of the file can become
    code that a tactic runs.
    """

    def __init__(self, proof: str, body: str, body_tokens: Sequence[Token], watched: _Watched) -> None:
        self.proof = proof
        self.body = body
        self.tokens = body_tokens
        self.watched = watched
        self.lines: list[str] = []
        self.found: list[Finding] = []
        self.counts: dict[str, int] = {}
        self.brackets: list[bool] = []
        self.argument = -1
        self.attribute = False
        self.option = False
        self.private = False
        self.marked: Token | None = None
        self.tactic: Token | None = None
        self.extended: Token | None = None

    def findings(self) -> list[Finding]:
        before = Token(Kind.SYMBOL, "", -1, 1, 0)
        for token in self.tokens:
            self._token(token, before)
            before = token
        if self.private:
            self._private_theorems()
        if self.extended is not None and self._metaprograms():
            self._find("run_code", self.extended)
        self.found.sort(key=lambda item: (item.line, item.column))
        return self.found

    def _token(self, token: Token, before: Token) -> None:
        if self.marked is not None:
            self._marked(token)
        if self.tactic is not None:
            self._configured(self.tactic, token, before)
        if (self.option and self._option(token)) or (self.attribute and self._attribute(token)):
            return
        kind = token.kind
        if kind is Kind.SYMBOL:
            if token.text in _STRUCTURE:
                self._structure(token, before)
        elif kind in _WORDS:
            self._word(token, before)
        elif kind is Kind.STRING:
            self._string(token, before)
        elif kind is Kind.ERROR:
            self._find("lexical", token)
        if token.text in self.watched.phrases:
            self._phrase(token)

    def _word(self, token: Token, before: Token) -> None:
        text = token.text
        rule = self.watched.words.get(text)
        if rule is not None:
            self._find(rule, token)
        elif text == "set_option":
            self.option = True
        elif text == "private":
            self._hidden(before)
        elif text in words.CONFIGURED_TACTICS:
            self.tactic = token
        elif text == "add_aesop_rules" or (text == "add" and before.text == "("):
            self.extended = self.extended or token
        elif "." in text or "«" in text:
            self._name(token)
        if before.text == "(":
            self.argument = token.offset
        if token.column == 0 or before.offset < 0:
            self._line_start(token, before, rule)

    def _line_start(self, token: Token, before: Token, rule: str | None) -> None:
        """A word where a command may begin: one that is harmless ends whatever bracket was left open."""
        if token.text in words.HARMLESS_COMMANDS:
            self.brackets.clear()
        elif rule is not None or self.brackets or token.text in _AT_LINE_START:
            return
        elif before.text not in words.ASKING_FOR_MORE:
            self._find("unknown_command", token)

    def _hidden(self, before: Token) -> None:
        self.private = True
        if before.text in {"open", "export"}:
            self._find("open_private", before)

    def _name(self, token: Token) -> None:
        """A name of several parts, or quoted: any of them may be that of a constant that nobody should name."""
        rule = next((rule for part in parts(token.text) if (rule := words.NAME_RULES.get(part))), None)
        if rule is not None:
            self._find(rule, token)

    def _string(self, token: Token, before: Token) -> None:
        text = token.text
        plain = text.startswith('"') and before.text not in INTERPOLATORS
        if plain and "{" in text and (before.kind in _WORDS or before.text in _AFTER_WHICH_CODE):
            self._find("interpolated_string", token)

    def _phrase(self, token: Token) -> None:
        if any(self.body.startswith(phrase, token.offset) for phrase in self.watched.phrases[token.text]):
            self._find("unknown_command", token)

    def _structure(self, token: Token, before: Token) -> None:
        """Brackets, and what separates the attributes in them."""
        text = token.text
        glued = before.offset + len(before.text) == token.offset
        if text in _CLOSING:
            self.attribute = False
            if self.brackets:
                self.brackets.pop()
        elif text == ",":
            self.attribute = bool(self.brackets) and self.brackets[-1]
        elif text == "%":
            if glued and before.text in words.PERCENT_RULES:
                self._find(words.PERCENT_RULES[before.text], before)
        elif text == ":=":
            if before.text == "attr" and self.argument == before.offset:
                self.brackets[-1] = self.attribute = True
        else:
            self._open(token, before, glued=glued)

    def _open(self, token: Token, before: Token, *, glued: bool) -> None:
        if glued and token.text == "[" and before.text in words.INTERPOLATED_PREFIXES:
            self._find("interpolated_string", before)
        self.attribute = token.text == "@[" or (token.text == "[" and before.text == "attribute")
        self.brackets.append(self.attribute)

    def _attribute(self, token: Token) -> bool:
        """Judge the name of an attribute; whether the token was one, or stands before one."""
        if token.text in _BEFORE_ATTRIBUTE:
            return True
        if token.text in _CLOSING or token.text == ",":
            return False
        self.attribute = False
        if token.kind not in _WORDS:
            self._find("unknown_attribute", token)
            return False
        name = ".".join(parts(token.text))
        rule = words.ATTRIBUTE_RULES.get(name)
        if rule is not None or name not in words.HARMLESS_ATTRIBUTES:
            self._find(rule or "unknown_attribute", token)
        elif name in words.WITHOUT_ARGUMENTS:
            self.marked = token
        elif name in words.AESOP:
            self.extended = self.extended or token
        return True

    def _marked(self, token: Token) -> None:
        """After an attribute that is harmless only where nothing follows it."""
        if self.marked is not None and token.text not in _ENDS_ATTRIBUTE:
            self._find("elaborator_attribute", self.marked)
        self.marked = None

    def _configured(self, tactic: Token, token: Token, before: Token) -> None:
        """After a tactic whose configuration can hold code."""
        if token.text in _FLAGS or before.text in {"+", "-"}:
            return
        if token.text == "(":
            self.extended = self.extended or tactic
        self.tactic = None

    def _option(self, token: Token) -> bool:
        """Judge the name of an option; whether the token was one."""
        self.option = False
        named = token.kind is Kind.IDENTIFIER
        rule = _option_rule(".".join(parts(token.text))) if named else "unknown_option"
        if rule is not None:
            self._find(rule, token)
        return named

    def _private_theorems(self) -> None:
        """Private theorems are findings where they are all that there is to audit."""
        theorems = [item for item in declarations(self.tokens) if item.kind in THEOREMS]
        if all(item.private for item in theorems):
            for item in theorems:
                self._find("private_theorem", Token(Kind.KEYWORD, item.kind, 0, item.line, item.column))

    def _metaprograms(self) -> bool:
        """Whether the file names anything of which code could be made."""
        return any(
            not words.METAPROGRAMMING.isdisjoint(parts(token.text))
            for token in self.tokens
            if token.kind is Kind.IDENTIFIER
        )

    def _find(self, rule: str, token: Token) -> None:
        count = self.counts.get(rule, 0)
        self.counts[rule] = count + 1
        if count < MOST_A_RULE:
            self.found.append(
                Finding(rule=rule, line=token.line, column=token.column, excerpt=self._excerpt(token)),
            )

    def _excerpt(self, token: Token) -> str:
        if not self.lines:
            self.lines = self.proof.split("\n")
        return self.lines[token.line - 1][token.column : token.column + _EXCERPT].rstrip()
