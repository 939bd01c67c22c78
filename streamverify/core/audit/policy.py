"""The policy on tokens: whether a Lean file keeps to a small language in which nothing runs code of its own.

What the language is made of stands in `language`, which docs/policy.md shows on one page. Here its words are judged: of
commands, attributes and options only those of short lists of harmless ones pass, against all that Lean says that it
knows (a `Vocabulary`); of the words of terms and tactics, which yield what the kernel checks, all that do not run code
or go round the kernel. Words in strings are judged like those around them. Everything else is a finding.

Knows nothing of Lean's answers. Every function takes time linear in the text, none recurses, none raises.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.declarations import THEOREMS, Declared, declarations
from streamverify.core.audit.language import (
    CLOSING,
    OPENING,
    WORDS,
    Brackets,
    Configurations,
    Kind,
    Token,
    rule_of,
    tokens,
)
from streamverify.core.audit.policy_rules import RULES
from streamverify.core.audit.vocabulary import (
    SHIPPED,
    VOCABULARY_QUERIES,
    Trusted,
    Vocabulary,
    VocabularyError,
    parse_vocabulary,
)
from streamverify.core.audit.watched_words import WatchedWords, option_rule, watched_words
from streamverify.core.messages.models import Finding
from streamverify.core.messages.versions import is_older
from streamverify.core.syntax.header import body_of
from streamverify.core.syntax.lexer import IDENTIFIER, KEYWORDS, PLAIN_PART, first_offset, position, skip_blank
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamverify.core.syntax.header import Header

__all__ = [
    "POLICY_VERSION",
    "RULES",
    "SHIPPED",
    "THEOREMS",
    "VOCABULARY_QUERIES",
    "Declared",
    "Reading",
    "Trusted",
    "Vocabulary",
    "VocabularyError",
    "check",
    "module_finding",
    "parse_vocabulary",
    "runs_code",
    "trusted_by",
]

POLICY_VERSION = "3"
"""Changes with every change of a rule or of a list of words; `Trusted.digest` follows it where a site has its own."""

MOST_A_RULE = 20
"""Findings reported of one rule; more of the same say nothing new."""

_EXCERPT = 80  # code points

# `--/` ends a comment since the end of 2022. Builds of before all say that they are 4.0.0.
_NEW_COMMENTS = "4.1.0"

_STRUCTURE = OPENING | CLOSING | {",", ":="}
_BEFORE_ATTRIBUTE = frozenset({"local", "scoped", "-"})
_ENDS_ATTRIBUTE = frozenset({",", "]", ")"})
_SHORTEST_WITH_A_WORD = 3
_AT_LINE_START = words.HARMLESS_COMMANDS | words.CONTINUATIONS | KEYWORDS
_ROOT_NAMESPACE = ("namespace", "_root_")
_WORD = re.compile(rf"#?{IDENTIFIER.pattern}")
# Harmless commands that make something else of what follows them.
_QUIET_COMMANDS = re.compile(r"set_option|attribute|private|@\[")
# What no word begins with, or an exponent, a base or a separator of a number: where Lean goes on within a word, the
# rest after any of these may be the next one.
_NO_LETTERS = "[0-9!?'\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c]"
_BREAKS = re.compile(rf"{_NO_LETTERS}|(?<={_NO_LETTERS})\.|(?<=[0-9])[_eExXbBoO][_.]*")
_NO_BEGINNING = "0123456789!?'.\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F_]++\.?")
_PRIMES = re.compile("(?s:.)[0-9!?'.\u2080-\u209c]*'")
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
        return _Check(self._proof, self._body, read, watched_words(vocabulary)).findings()

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


def runs_code(findings: Iterable[Finding]) -> bool:
    """Whether Lean may have run code of the proof that stays behind in its process."""
    return any(RULES[item.rule].runs_code for item in findings if item.rule in RULES)


def module_finding(proof: str) -> Finding:
    """The finding of a file that begins with `module`, for a Lean that cannot be asked for axioms in one."""
    line, column = position(proof, skip_blank(proof, first_offset(proof)))
    return Finding(rule="module_file", line=line, column=column, excerpt="module")


class _Check:
    """One pass over the tokens of a body.

    `option` says that the next word names an option; `marked` is an attribute that is harmless if nothing follows it;
    `private` says that the file has a private declaration.
    """

    def __init__(self, proof: str, body: str, body_tokens: Sequence[Token], watched: WatchedWords) -> None:
        self.proof = proof
        self.body = body
        self.tokens = body_tokens
        self.watched = watched
        self.configurations = Configurations(body_tokens, watched.tactics)
        self.brackets = Brackets()
        self.found: list[Finding] = []
        self.counts: dict[str, int] = {}
        self.option = False
        self.private = False
        self.marked: Token | None = None

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
        self.found.sort(key=lambda item: (item.line, item.column))
        return self.found

    def _token(self, index: int, token: Token, before: Token) -> None:
        if self.marked is not None:
            self._marked(token)
        if token.kind is Kind.SYMBOL:
            if not self._names_something(token) and token.text in _STRUCTURE:
                self._structure(index, token, before)
        elif token.kind in WORDS:
            if not self._names_something(token):
                self._word(index, token, before)
            self._read_otherwise(index, token, before)
        elif token.kind is Kind.STRING or rule_of(token):
            self._no_code(token)
        if token.text in self.watched.phrases:
            self._phrase(token.text, token.offset, token)

    def _names_something(self, token: Token) -> bool:
        """Judge a token where an option or an attribute is named; whether it was one, or stands before one."""
        return (self.option and self._option(token)) or (self.brackets.attribute and self._attribute(token))

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
        elif text[0] == "#":
            self._hash(token)
        else:
            self._name(token, before)
        if token.column == 0 or before.offset < 0:
            self._line_start(token, before, rule)

    def _kind(self, index: int) -> Kind | None:
        return self.tokens[index].kind if index < len(self.tokens) else None

    def _line_start(self, token: Token, before: Token, rule: str | None) -> None:
        """A word where a command may begin: one that is harmless ends whatever bracket was left open.

        A list of attributes ends at its own bracket alone: there too stand words that could begin a command.
        """
        if token.text in self.watched.commands:
            self.brackets.command_begins()
        elif rule is not None or self.brackets or token.text in _AT_LINE_START:
            return
        elif before.text not in words.ASKING_FOR_MORE:
            self._find("unknown_command", token)

    def _hidden(self, before: Token) -> None:
        self.private = True
        if before.text.endswith(("open", "export")):
            self._find("open_private", before)

    def _name(self, token: Token, before: Token) -> None:
        """A name, any part of which may be that of a constant, or of a namespace, that nobody should name."""
        text = token.text
        name_parts = parts(text) if "." in text or "«" in text else (text,)
        if "_root_" in name_parts[1:] or name_parts == ("_root_",) or (before.text, name_parts[0]) == _ROOT_NAMESPACE:
            # Versions of Lean disagree about what it names, and print constants in it ambiguously.
            self._find("literal", token)
            return
        short = before.text == "." and before.offset + 1 == token.offset
        metaprogram = short and name_parts[0] in words.METAPROGRAMMING_SHORT
        if text.startswith(words.LEMMAS_OF_LEAN) and before.kind is Kind.SYMBOL and before.text not in CLOSING:
            # A use of it, and no declaration, in which all of `Lean` would be open.
            name_parts = name_parts[2:]
        for part in name_parts:
            plain = PLAIN_PART.fullmatch(part) is not None
            # Where no tactic has this name, Lean goes on within the quotes.
            rules = words.NAME_RULES if plain else self.watched.words
            rule = next((rule for word in _WORD.findall(part) if (rule := rules.get(word))), None)
            if rule is not None or (not plain and _QUIET_COMMANDS.search(part)):
                self._find(rule or "literal", token)
                return
            metaprogram = metaprogram or part in words.METAPROGRAMMING
        if metaprogram:
            self._find("metaprogram", token)

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
        # Where no tactic has this name, Lean goes on after its first character (seen on 4.35: `by xaxiom y : False`),
        # and from there over what is no word (`by x!1axiom`). No end that matters is longer than the longest command.
        far = max(len(text) - self.watched.longest, 1)
        ends = [text[1:], *(text[at.end() :] for at in _BREAKS.finditer(text, far))]
        if "'" in text:
            # There it may read a character, of which it takes up to two further ones, right or wrong.
            ends += [text[at + more :] for at in range(far, len(text)) if text[at] == "'" for more in (2, 3)]
            primes = _PRIMES.match(text)
            if primes and self._prime_swallows(index, offset, primes.end()):
                self._find("literal", token)
        if "0" in text:
            ends += [text[at.end() :] for at in _HEXADECIMAL.finditer(text, far)]
        if before.text[-1:] == "'" and before.kind is Kind.SYMBOL:
            # The same after a symbol that this Lean does not know.
            end = before.offset + len(before.text)
            ends += [self.body[at : offset + len(text)] for at in (end + 1, end + 2) if at > offset]
        if not text.isascii():
            ends += _NEW_LETTERS.split(text)[1:]
        # Wherever it goes on, what no word begins with is passed over first (seen: `by h'?_.axiom y : False`).
        for end_of_word in (end.lstrip(_NO_BEGINNING) for end in ends):
            rule = self.watched.beginnings.get(end_of_word)
            # `hprefix` is the name of a hypothesis, unless a notation could follow.
            if rule is not None and (rule != "notation" or self._has_strings):
                self._find(rule, token)
            elif end_of_word == "set_option":
                self.option = True
            elif end_of_word in self.watched.phrases:
                self._phrase(end_of_word, offset + len(text) - len(end_of_word), token)

    def _prime_swallows(self, index: int, offset: int, length: int) -> bool:
        """Whether the mark of a string or of a comment could be taken for part of a character that begins in a word.

        It begins with one of the primes in the first `length` characters of the word at `offset`.
        """
        for after in range(max(offset + 2, offset + length - 4), offset + length + 1):
            next_ones = self.body[after : after + 4]
            if self.body[after - 1] != "'":
                continue
            if '"' in next_ones[:3] or next_ones.startswith(("\\x", "\\u")):
                return True
            if any(mark in next_ones for mark in ("--", "/-")) and self.configurations.is_tactic(index):
                return True
        return False

    @cached_property
    def _has_strings(self) -> bool:
        return any(token.kind in {Kind.STRING, Kind.ERROR} for token in self.tokens)

    def _no_code(self, token: Token) -> None:
        """Strings, whose words are judged too, and what is no part of the small language."""
        if rule := rule_of(token):
            self._find(rule, token)
        if len(token.text) > _SHORTEST_WITH_A_WORD:
            if _QUIET_COMMANDS.search(token.text):
                self._find("literal", token)
            for word in _WORD.findall(token.text):
                if inner := self.watched.words.get(word):
                    self._find(inner, token)

    def _phrase(self, first: str, offset: int, token: Token) -> None:
        """Words of several tokens, such as `eval%`, by what stands in the text from their first token on."""
        for phrase, rule in self.watched.phrases[first]:
            if self.body.startswith(phrase, offset):
                self._find(rule, token)

    def _structure(self, index: int, token: Token, before: Token) -> None:
        """Brackets, and what separates the attributes in them; configurations, which begin with a `:=` in brackets."""
        self.brackets.read(token, before, self.tokens[index - 2].text if index > 1 else "")
        if token.text == ":=" and not self.brackets.attribute:
            strange = self.configurations.strange(index)
            if strange is not None:
                self._find("configuration", strange)

    def _attribute(self, token: Token) -> bool:
        """Judge the name of an attribute; whether the token was one, or stands before one."""
        if token.text in _BEFORE_ATTRIBUTE:
            return True
        if token.text in CLOSING or token.text == ",":
            return False
        self.brackets.attribute = False
        if token.kind not in WORDS:
            self._find("unknown_attribute", token)
            return False
        name = ".".join(parts(token.text))
        rule = words.ATTRIBUTE_RULES.get(name)
        if name not in self.watched.attributes:
            self._find(rule or "unknown_attribute", token)
        elif name in words.WITHOUT_ARGUMENTS:
            self.marked = token
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
        rule = option_rule(".".join(parts(token.text)), self.watched.options) if named else "unknown_option"
        if rule is not None:
            self._find(rule, token)
        return named

    def _private_theorems(self) -> None:
        """Private theorems are findings where they are all that there is to audit."""
        theorems = [item for item in declarations(self.tokens) if item.kind in THEOREMS]
        if all(item.private for item in theorems):
            for item in theorems:
                self._find("private_theorem", Token(Kind.KEYWORD, item.kind, 0, item.line, item.column))

    def _find(self, rule: str, token: Token) -> None:
        count = self.counts.get(rule, 0)
        self.counts[rule] = count + 1
        if count < MOST_A_RULE:
            excerpt = self._lines[token.line - 1][token.column : token.column + _EXCERPT].rstrip()
            self.found.append(Finding(rule=rule, line=token.line, column=token.column, excerpt=excerpt))

    @cached_property
    def _lines(self) -> list[str]:
        return self.proof.split("\n")
