"""Judges the words of a file, one after the other; `policy` says by which rules. Pure."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.configurations import Configurations
from streamverify.core.audit.declarations import THEOREMS, declarations
from streamverify.core.audit.findings import Findings, NamedWords
from streamverify.core.audit.language import CLOSING, OPENING, WORDS, Brackets, Token, TokenKind, rule_of
from streamverify.core.audit.word_ends import ends_of, prime_swallows
from streamverify.core.syntax.lexer import IDENTIFIER, KEYWORDS, PLAIN_PART
from streamverify.core.syntax.names import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.audit.watched_words import WatchedWords
    from streamverify.core.messages.models import Finding

_STRUCTURE = OPENING | CLOSING | {",", ":="}
_SHORTEST_WITH_A_WORD = 3
_AT_LINE_START = words.HARMLESS_COMMANDS | words.CONTINUATIONS | KEYWORDS
_ROOT_NAMESPACE = ("namespace", "_root_")
_WORD = re.compile(rf"#?{IDENTIFIER.pattern}")
# Harmless commands that make something else of what follows them.
_QUIET_COMMANDS = re.compile(r"set_option|attribute|private|@\[")


class PolicyCheck:
    """One pass over the tokens of a body. `private` says that the file has a private declaration."""

    def __init__(self, proof: str, body: str, body_tokens: Sequence[Token], watched: WatchedWords) -> None:
        self.body = body
        self.tokens = body_tokens
        self.watched = watched
        self.configurations = Configurations(body_tokens, watched.tactics)
        self.brackets = Brackets()
        self.found = Findings(proof)
        self.named = NamedWords(self.found, watched, self.brackets)
        self.private = False

    def findings(self) -> list[Finding]:
        """Read all tokens, and return what was found, in the order of the text."""
        before = Token(TokenKind.SYMBOL, "", -1, 1, 0)
        for index, token in enumerate(self.tokens):
            self._token(index, token, before)
            before = token
            if token.kind is TokenKind.KEYWORD and token.text[0] == "#" and not self._begins_command(token):
                # Lean has no such command: it goes over the `#`, and reads the word after it.
                kind = TokenKind.KEYWORD if token.text[1:] in KEYWORDS else TokenKind.IDENTIFIER
                before = Token(kind, token.text[1:], token.offset + 1, token.line, token.column + 1)
                self._token(index, before, token)
        if self.private:
            theorems = [item for item in declarations(self.tokens) if item.kind in THEOREMS]
            # As helpers of a theorem that others can see they are harmless: their axioms show in its own.
            if all(item.private for item in theorems):
                for item in theorems:
                    self.found.add("private_theorem", Token(TokenKind.KEYWORD, item.kind, 0, item.line, item.column))
        return self.found.in_order()

    def _token(self, index: int, token: Token, before: Token) -> None:
        """Judge one token by its kind, and the words that some Lean may read in its place."""
        self.named.after_attribute(token)
        if token.kind is TokenKind.SYMBOL:
            if not self.named.takes(token) and token.text in _STRUCTURE:
                self._structure(index, token, before)
        elif token.kind in WORDS:
            if not self.named.takes(token):
                self._word(index, token, before)
            self._read_otherwise(index, token, before)
        elif token.kind is TokenKind.STRING or rule_of(token):
            self._no_code(token)
        if token.text in self.watched.phrases:
            self._phrase(token.text, token.offset, token)

    def _word(self, index: int, token: Token, before: Token) -> None:
        """Judge a word that names neither an option nor an attribute."""
        text = token.text
        rule = self.watched.words.get(text)
        if rule is not None:
            self.found.add(rule, token)
        elif text == "set_option":
            self.named.option = True
        elif text == "private":
            self.private = True
            if before.text.endswith(("open", "export")):
                self.found.add("open_private", before)
        elif text == "trace":
            # The tactic, with anything but a literal string, evaluates a term; elsewhere it is a name like any other.
            after = self.tokens[index + 1].kind if index + 1 < len(self.tokens) else None
            if self.configurations.is_tactic(index) and after is not TokenKind.STRING:
                self.found.add("run_code", token)
        elif text[0] == "#":
            if text not in self.watched.commands and self._begins_command(token):
                first = next(word for word in self.watched.hashes if text.startswith(word))
                self.found.add(self.watched.words.get(first, "unknown_command"), token)
        else:
            self._name(token, before)
        if token.column == 0 or before.offset < 0:
            self._line_start(token, before, rule)

    def _line_start(self, token: Token, before: Token, rule: str | None) -> None:
        """Judge a word where a command may begin: one that is harmless ends whatever bracket was left open.

        A list of attributes ends at its own bracket alone: there too stand words that could begin a command.
        """
        if token.text in self.watched.commands:
            self.brackets.command_begins()
        elif rule is not None or self.brackets or token.text in _AT_LINE_START:
            return
        elif before.text not in words.ASKING_FOR_MORE:
            self.found.add("unknown_command", token)

    def _name(self, token: Token, before: Token) -> None:
        """Judge a name, any part of which may be that of a constant, or of a namespace, that nobody should name."""
        text = token.text
        name_parts = parts(text) if "." in text or "«" in text else (text,)
        if "_root_" in name_parts[1:] or name_parts == ("_root_",) or (before.text, name_parts[0]) == _ROOT_NAMESPACE:
            # Versions of Lean disagree about what it names, and print constants in it ambiguously.
            self.found.add("literal", token)
            return
        short = before.text == "." and before.offset + 1 == token.offset
        metaprogram = short and name_parts[0] in words.METAPROGRAMMING_SHORT
        if text.startswith(words.LEMMAS_OF_LEAN) and before.kind is TokenKind.SYMBOL and before.text not in CLOSING:
            # A use of it, and no declaration, in which all of `Lean` would be open.
            name_parts = name_parts[2:]
        for part in name_parts:
            plain = PLAIN_PART.fullmatch(part) is not None
            # Where no tactic has this name, Lean goes on within the quotes.
            rules = words.NAME_RULES if plain else self.watched.words
            rule = next((rule for word in _WORD.findall(part) if (rule := rules.get(word))), None)
            if rule is not None or (not plain and _QUIET_COMMANDS.search(part)):
                self.found.add(rule or "literal", token)
                return
            metaprogram = metaprogram or part in words.METAPROGRAMMING
        if metaprogram:
            self.found.add("metaprogram", token)

    def _begins_command(self, token: Token) -> bool:
        """Tell whether a word with a `#` is a command, or begins with one: Lean may read `#evalx` as `#eval x`."""
        return token.text.startswith(self.watched.hashes)

    def _read_otherwise(self, index: int, token: Token, before: Token) -> None:
        """Judge the ends of a word at which some Lean begins to read, always where a command may begin."""
        if "'" in token.text and prime_swallows(token, self.body, is_tactic=self.configurations.is_tactic(index)):
            self.found.add("literal", token)
        for end_of_word in ends_of(token, before, self.body, self.watched.longest):
            rule = self.watched.beginnings.get(end_of_word)
            # `hprefix` is the name of a hypothesis, unless a notation could follow.
            if rule is not None and (rule != "notation" or self._has_strings):
                self.found.add(rule, token)
            elif end_of_word == "set_option":
                self.named.option = True
            elif end_of_word in self.watched.phrases:
                self._phrase(end_of_word, token.offset + len(token.text) - len(end_of_word), token)

    @cached_property
    def _has_strings(self) -> bool:
        return any(token.kind in {TokenKind.STRING, TokenKind.ERROR} for token in self.tokens)

    def _no_code(self, token: Token) -> None:
        """Judge a string, the words in it too, or a token that is outside of the small language."""
        if rule := rule_of(token):
            self.found.add(rule, token)
        if len(token.text) > _SHORTEST_WITH_A_WORD:
            if _QUIET_COMMANDS.search(token.text):
                self.found.add("literal", token)
            for word in _WORD.findall(token.text):
                if inner := self.watched.words.get(word):
                    self.found.add(inner, token)

    def _phrase(self, first: str, offset: int, token: Token) -> None:
        """Judge words of several tokens, such as `eval%`, by what stands in the text from their first token on."""
        for phrase, rule in self.watched.phrases[first]:
            if self.body.startswith(phrase, offset):
                self.found.add(rule, token)

    def _structure(self, index: int, token: Token, before: Token) -> None:
        """Follow brackets, and what separates the attributes in them; judge a configuration, which has a `:=`."""
        self.brackets.read(token, before, self.tokens[index - 2].text if index > 1 else "")
        if token.text == ":=" and not self.brackets.attribute:
            strange = self.configurations.strange(index)
            if strange is not None:
                self.found.add("configuration", strange)
