"""The policy on tokens: whether a Lean file keeps to a small language in which nothing runs code of its own.

The language, which docs/policy.md shows on one page: strings, characters, names and comments that cannot be read in two
ways (`lexer`); of commands, attributes and options only those of short lists of harmless words, against all that Lean
says that it knows (a `Vocabulary`); configurations of tactics that are data (`configuration`); and of the words of
terms and tactics, which yield what the kernel checks, none that runs code or goes round the kernel. Words in strings
are judged like those around them. Everything else is a finding.

Knows nothing of Lean's answers. Every function takes time linear in the text, none recurses, none raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.configuration import Configurations
from streamverify.core.audit.policy_rules import RULES, Rule
from streamverify.core.audit.vocabulary import (
    SHIPPED,
    VOCABULARY_QUERIES,
    VOCABULARY_QUERY,
    Trusted,
    Vocabulary,
    VocabularyError,
    parse_vocabulary,
)
from streamverify.core.messages.models import Finding
from streamverify.core.messages.versions import is_older
from streamverify.core.syntax.declarations import THEOREMS, Declared, declarations
from streamverify.core.syntax.header import body_of
from streamverify.core.syntax.lexer import (
    IDENTIFIER,
    KEYWORDS,
    PLAIN_PART,
    Kind,
    Token,
    first_offset,
    position,
    skip_blank,
    tokens,
)
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streamverify.core.syntax.header import Header

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
    "Trusted",
    "Vocabulary",
    "VocabularyError",
    "check",
    "declared",
    "declared_theorems",
    "module_finding",
    "parse_vocabulary",
    "runs_code",
    "trusted_by",
]

POLICY_VERSION = "2"
"""Changes with every change of a rule or of a list of words; `Trusted.digest` follows it where a site has its own."""

MOST_A_RULE = 20
"""Findings reported of one rule; more of the same say nothing new."""

_EXCERPT = 80  # code points

# `--/` ends a comment since the end of 2022. Builds of before all say that they are 4.0.0.
_NEW_COMMENTS = "4.1.0"

_CLOSING = frozenset({")", "]", "}", "⟩", "]'"})
_STRUCTURE = _CLOSING | frozenset({"(", "[", "{", "⟨", "@[", ",", ":=", "%"})
_BEFORE_ATTRIBUTE = frozenset({"local", "scoped", "-"})
_ENDS_ATTRIBUTE = frozenset({",", "]", ")"})
_WORDS = (Kind.IDENTIFIER, Kind.KEYWORD)
_SHORTEST_WITH_A_WORD = 3
_AT_LINE_START = words.HARMLESS_COMMANDS | words.CONTINUATIONS | KEYWORDS
_WORD = re.compile(rf"#?{IDENTIFIER.pattern}")
# Harmless commands that make something else of what follows them.
_QUIET_COMMANDS = re.compile(r"set_option|attribute|private|@\[")
# Letters that only newer versions of Lean take for letters: an older one goes on with the text after them.
_NEW_LETTERS = re.compile("[\u00c0-\u017f\u2c7c]")


def trusted_by(allowed: str, lean_version: str | None) -> Trusted:
    """What a worker with this setting `policy_allow` and this version of Lean, where it says one, goes by."""
    return replace(Trusted.parse(allowed), old_comments=is_older(lean_version, _NEW_COMMENTS))


class Reading:
    """The tokens of a file, read once for all that is asked of them; reading takes nine tenths of the time."""

    def __init__(self, proof: str, header: Header) -> None:
        self._proof = proof
        self._module = header.is_module
        self._body = body_of(proof, header)
        self._tokens = list(tokens(self._body))

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """What `check` says."""
        read = self._tokens
        if vocabulary.trusted.old_comments and "--/" in self._body:
            read = list(tokens(self._body, old_comments=True))
        return _Check(self._proof, self._body, read, _compiled(vocabulary)).findings()

    def declared(self) -> list[Declared]:
        """What the file declares: theorems, definitions, types and instances, in order."""
        return declarations(self._tokens, module=self._module)


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
    """A vocabulary made ready for reading.

    `words` has the rule by word, `beginnings` those of words that begin a command, `phrases` commands of several tokens
    by their first one, `hashes` all commands that begin with `#`; `commands`, `attributes` and `options` are harmless,
    `tactics` may take a configuration.
    """

    words: Mapping[str, str]
    beginnings: Mapping[str, str]
    phrases: Mapping[str, tuple[str, ...]]
    hashes: tuple[str, ...]
    commands: frozenset[str]
    attributes: frozenset[str]
    options: frozenset[str]
    tactics: frozenset[str]


@lru_cache(maxsize=64)
def _compiled(vocabulary: Vocabulary) -> _Watched:
    trusted = vocabulary.trusted
    harmless = words.HARMLESS_COMMANDS | trusted.commands
    rules: dict[str, str] = {}
    phrases: dict[str, tuple[str, ...]] = {}
    for command in vocabulary.commands - harmless:
        first = next(tokens(command), None)
        if first is None or first.kind in {Kind.ERROR, Kind.STRAY}:
            continue
        if first.text == command and first.kind in _WORDS:
            rules[command] = "unknown_command"
        else:
            phrases[first.text] = (*phrases.get(first.text, ()), command)
    beginnings = {**rules, **words.COMMAND_RULES}
    rules |= {
        name: rule for name in vocabulary.options if "." in name and (rule := _option_rule(name, trusted.options))
    }
    rules |= {
        name: rule
        for name, rule in words.ATTRIBUTE_RULES.items()
        if name in vocabulary.attributes - trusted.attributes and _distinctive(name)
    }
    rules |= {**words.COMMAND_RULES, **words.TERM_RULES, **words.NAME_RULES}
    hashes = tuple(word for word in (*rules, *harmless) if word.startswith("#"))
    return _Watched(
        rules,
        beginnings,
        phrases,
        hashes,
        harmless,
        words.HARMLESS_ATTRIBUTES | trusted.attributes,
        trusted.options,
        vocabulary.tactics,
    )


def _distinctive(attribute: str) -> bool:
    """Whether nobody would call a variable by the name of an attribute: `term_elab`, `termElab`, but not `init`."""
    return "_" in attribute or not attribute.islower()


def _option_rule(name: str, trusted: frozenset[str]) -> str | None:
    """The rule that an option falls under; None for a harmless one."""
    if name in trusted:
        return None
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

    `brackets` has an entry for each open bracket: what closes it if it is a list of attributes; `lists` counts those.
    `attribute` says that the next word names an attribute, `option` that it names an option; `marked` is an attribute
    that is harmless if nothing follows it; `extended` is the first place where a definition of the file can become code
    that a tactic runs.
    """

    def __init__(self, proof: str, body: str, body_tokens: Sequence[Token], watched: _Watched) -> None:
        self.proof = proof
        self.body = body
        self.tokens = body_tokens
        self.watched = watched
        self.configurations = Configurations(body_tokens, watched.tactics)
        self.lines: list[str] = []
        self.found: list[Finding] = []
        self.counts: dict[str, int] = {}
        self.brackets: list[str] = []
        self.lists = 0
        self.attribute = False
        self.option = False
        self.private = False
        self.marked: Token | None = None
        self.extended: Token | None = None
        self.strings: bool | None = None

    def findings(self) -> list[Finding]:
        before = Token(Kind.SYMBOL, "", -1, 1, 0)
        for index, token in enumerate(self.tokens):
            self._token(index, token, before)
            before = token
            if token.kind is Kind.KEYWORD and token.text[0] == "#" and not self._begins_command(token):
                # Lean has no such command: it goes over the `#`, and reads the word after it.
                kind = Kind.KEYWORD if token.text[1:] in KEYWORDS else Kind.IDENTIFIER
                before = Token(kind, token.text[1:], token.offset + 1, token.line, token.column + 1)
                self._token(index, before, token)
        if self.private:
            self._private_theorems()
        if self.extended is not None and self._metaprograms():
            self._find("run_code", self.extended)
        self.found.sort(key=lambda item: (item.line, item.column))
        return self.found

    def _token(self, index: int, token: Token, before: Token) -> None:
        if self.marked is not None:
            self._marked(token)
        kind = token.kind
        if kind is Kind.SYMBOL:
            if (self.option and self._option(token)) or (self.attribute and self._attribute(token)):
                return
            if token.text in _STRUCTURE:
                self._structure(index, token, before)
        elif kind in _WORDS:
            if not ((self.option and self._option(token)) or (self.attribute and self._attribute(token))):
                self._word(index, token, before)
            self._read_otherwise(index, token, before)
        elif kind in words.RULES_OF_KINDS:
            self._no_code(token)
        if token.text in self.watched.phrases:
            self._phrase(token.text, token.offset, token)

    def _word(self, index: int, token: Token, before: Token) -> None:
        text = token.text
        rule = self.watched.words.get(text)
        if rule is not None:
            self._find(rule, token)
        elif text == "set_option":
            self.option = True
        elif text == "private":
            self._hidden(before)
        elif text == "trace":
            if self.configurations.is_tactic(index) and self._kind(index + 1) is not Kind.STRING:
                self._find("run_code", token)
        elif text == "add_aesop_rules" or (text == "add" and before.text == "("):
            self.extended = self.extended or token
        elif "." in text or "«" in text:
            self._name(token)
        elif text[0] == "#":
            self._hash(token)
        if token.column == 0 or before.offset < 0:
            self._line_start(token, before, rule)

    def _kind(self, index: int) -> Kind | None:
        return self.tokens[index].kind if index < len(self.tokens) else None

    def _line_start(self, token: Token, before: Token, rule: str | None) -> None:
        """A word where a command may begin: one that is harmless ends whatever bracket was left open.

        A list of attributes ends at its own bracket alone: there too stand words that could begin a command.
        """
        if token.text in self.watched.commands:
            if not self.lists:
                self.brackets.clear()
        elif rule is not None or self.brackets or token.text in _AT_LINE_START:
            return
        elif before.text not in words.ASKING_FOR_MORE:
            self._find("unknown_command", token)

    def _hidden(self, before: Token) -> None:
        self.private = True
        if before.text.endswith(("open", "export")):
            self._find("open_private", before)

    def _name(self, token: Token) -> None:
        """A name of several parts, or quoted: any of them may be that of a constant that nobody should name."""
        for part in parts(token.text):
            plain = PLAIN_PART.fullmatch(part) is not None
            # Where no tactic has this name, Lean goes on within the quotes.
            rules = words.NAME_RULES if plain else self.watched.words
            rule = next((rule for word in _WORD.findall(part) if (rule := rules.get(word))), None)
            if rule is not None or (not plain and _QUIET_COMMANDS.search(part)):
                self._find(rule or "literal", token)
                return

    def _begins_command(self, token: Token) -> bool:
        """Whether a word with a `#` is a command, or begins with one: Lean may read `#evalx` as `#eval x`."""
        return token.text.startswith(self.watched.hashes)

    def _hash(self, token: Token) -> None:
        if token.text not in self.watched.commands and self._begins_command(token):
            first = next(word for word in self.watched.hashes if token.text.startswith(word))
            self._find(self.watched.words.get(first, "unknown_command"), token)

    def _read_otherwise(self, index: int, token: Token, before: Token) -> None:
        """Judge the ends of a word at which some Lean begins to read, always where a command may begin."""
        text, offset = token.text, token.offset
        # Where no tactic has this name, Lean goes on after its first character (seen on 4.35): `by xaxiom y : False`.
        ends = [text[1:].lstrip(".")]
        if text[1:2] == "'":
            # There it reads a character, of which it takes up to two further ones, right or wrong.
            ends += [text[2:], text[3:], text[4:]]
            if self._prime_swallows(index, offset + 2):
                self._find("literal", token)
        if before.text[-1:] == "'" and before.kind is Kind.SYMBOL:
            # The same after a symbol that this Lean does not know.
            end = before.offset + len(before.text)
            ends += [self.body[at : offset + len(text)] for at in (end + 1, end + 2) if at > offset]
        elif text[0] in "eE" and self.body[offset - 1 : offset] in words.DIGITS_AND_DOT:
            # Lean of 2021 takes `1e` and `1.e` for numbers.
            ends.append(text[1:])
        if not text.isascii():
            ends += _NEW_LETTERS.split(text)[1:]
        for end_of_word in ends:
            rule = self.watched.beginnings.get(end_of_word)
            # `hprefix` is the name of a hypothesis, unless a notation could follow.
            if rule is not None and (rule != "notation" or self._has_strings()):
                self._find(rule, token)
            elif end_of_word == "set_option":
                self.option = True
            elif end_of_word in self.watched.phrases:
                self._phrase(end_of_word, offset + len(text) - len(end_of_word), token)

    def _prime_swallows(self, index: int, after: int) -> bool:
        """Whether the mark of a string or of a comment could be taken for part of the character before `after`."""
        next_ones = self.body[after : after + 4]
        if '"' in next_ones[:3] or next_ones.startswith(("\\x", "\\u")):
            return True
        return any(mark in next_ones for mark in ("--", "/-")) and self.configurations.is_tactic(index)

    def _has_strings(self) -> bool:
        if self.strings is None:
            self.strings = any(token.kind in {Kind.STRING, Kind.ERROR} for token in self.tokens)
        return self.strings

    def _no_code(self, token: Token) -> None:
        """Strings, whose words are judged too, and what is no part of the small language."""
        rule = words.RULES_OF_MARKS.get(token.text) or words.RULES_OF_KINDS[token.kind]
        if rule:
            self._find(rule, token)
        if len(token.text) > _SHORTEST_WITH_A_WORD:
            if _QUIET_COMMANDS.search(token.text):
                self._find("literal", token)
            for word in _WORD.findall(token.text):
                if inner := self.watched.words.get(word):
                    self._find(inner, token)

    def _phrase(self, first: str, offset: int, token: Token) -> None:
        if any(self.body.startswith(phrase, offset) for phrase in self.watched.phrases[first]):
            self._find("unknown_command", token)

    def _structure(self, index: int, token: Token, before: Token) -> None:
        """Brackets, and what separates the attributes in them."""
        text = token.text
        if text in _CLOSING:
            # A list of attributes ends at its own bracket alone.
            if self.brackets and self.brackets[-1] in {"", text}:
                self.lists -= bool(self.brackets.pop())
                self.attribute = False
        elif text == ",":
            self.attribute = bool(self.brackets and self.brackets[-1])
        elif text == "%":
            if before.offset + len(before.text) == token.offset and before.text in words.PERCENT_RULES:
                self._find(words.PERCENT_RULES[before.text], before)
        elif text == ":=":
            if before.text == "attr" and self.brackets and not self.brackets[-1] and self.tokens[index - 2].text == "(":
                self.brackets[-1] = ")"
                self.attribute = True
                self.lists += 1
            elif (strange := self.configurations.strange(index)) is not None:
                self._find("configuration", strange)
        else:
            self.attribute = text == "@[" or (text == "[" and before.text.endswith("attribute"))
            self.brackets.append("]" if self.attribute else "")
            self.lists += self.attribute

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
        if name not in self.watched.attributes:
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

    def _option(self, token: Token) -> bool:
        """Judge the name of an option; whether the token was one."""
        self.option = False
        named = token.kind is Kind.IDENTIFIER
        rule = _option_rule(".".join(parts(token.text)), self.watched.options) if named else "unknown_option"
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
