"""Joins the policy's lists with what Lean says that it knows: the words that are findings where a vocabulary holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from streamverify.core.audit import policy_words as words
from streamverify.core.audit.language import WORDS, rule_of, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.audit.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class WatchedWords:
    """A vocabulary made ready for reading.

    `words` has the rule by word, `beginnings` those of words that begin a command, `phrases` words of several tokens
    (`eval%`) with their rules, by the first token, `hashes` all commands that begin with `#`; `commands`, `attributes`
    and `options` are harmless, `tactics` may take a configuration.
    """

    words: Mapping[str, str]
    beginnings: Mapping[str, str]
    phrases: Mapping[str, tuple[tuple[str, str], ...]]
    hashes: tuple[str, ...]
    commands: frozenset[str]
    attributes: frozenset[str]
    options: frozenset[str]
    tactics: frozenset[str]
    longest: int


@lru_cache(maxsize=64)
def watched_words(vocabulary: Vocabulary) -> WatchedWords:
    """Return the words to look for where this vocabulary holds; a rule of the policy's own lists goes before others."""
    trusted = vocabulary.trusted
    harmless = words.HARMLESS_COMMANDS | trusted.commands
    commands = {**dict.fromkeys(sorted(vocabulary.commands - harmless), "unknown_command"), **words.COMMAND_RULES}
    options = {
        name: rule
        for name in sorted(vocabulary.options)
        if "." in name and (rule := option_rule(name, trusted.options))
    }
    # Outside of a list of attributes only those by whose name nobody would call a variable: `term_elab`, `termElab`,
    # but not `init`.
    attributes = {
        name: rule
        for name, rule in words.ATTRIBUTE_RULES.items()
        if name in vocabulary.attributes - trusted.attributes and ("_" in name or not name.islower())
    }
    rules: dict[str, str] = {}
    phrases: dict[str, tuple[tuple[str, str], ...]] = {}
    for word, rule in {**commands, **options, **attributes, **words.TERM_RULES, **words.NAME_RULES}.items():
        first = next(tokens(word), None)
        # Options have dots, which nothing else in these lists has: they are names, whatever their first token is.
        if word in options or (first is not None and first.text == word and first.kind in WORDS):
            rules[word] = rule
        elif first is not None and not rule_of(first):
            # A command that begins outside of the language is a finding for that.
            phrases[first.text] = (*phrases.get(first.text, ()), (word, rule))
    beginnings = {word: rule for word, rule in commands.items() if word in rules}
    return WatchedWords(
        words=rules,
        beginnings=beginnings,
        phrases=phrases,
        # The longest first, as Lean reads `#guard_msgs` where it could read `#guard`.
        hashes=tuple(sorted((word for word in (*rules, *harmless) if word.startswith("#")), key=len, reverse=True)),
        commands=harmless,
        attributes=words.HARMLESS_ATTRIBUTES | trusted.attributes,
        options=trusted.options,
        tactics=vocabulary.tactics,
        longest=max(map(len, (*beginnings, *phrases, "set_option"))),
    )


def option_rule(name: str, trusted: frozenset[str]) -> str | None:
    """Return the rule that an option falls under; None for a harmless one, and for those that a site trusts."""
    if name in trusted:
        return None
    rule = next((rule for prefix, rule in words.OPTION_RULES if name.startswith(prefix)), None)
    if rule is not None:
        return rule
    harmless = name in words.HARMLESS_OPTIONS or name.startswith(words.HARMLESS_OPTION_PREFIXES)
    return None if harmless else "unknown_option"
