"""Which words are findings where one vocabulary holds: the policy's lists, joined with what Lean says that it knows."""

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
    """What is to be looked for where this vocabulary holds; a finding of the policy's own lists goes before others."""
    trusted = vocabulary.trusted
    harmless = words.HARMLESS_COMMANDS | trusted.commands
    commands = {**dict.fromkeys(vocabulary.commands - harmless, "unknown_command"), **words.COMMAND_RULES}
    options = {
        name: rule for name in vocabulary.options if "." in name and (rule := option_rule(name, trusted.options))
    }
    attributes = {
        name: rule
        for name, rule in words.ATTRIBUTE_RULES.items()
        if name in vocabulary.attributes - trusted.attributes and _distinctive(name)
    }
    rules: dict[str, str] = {}
    phrases: dict[str, tuple[tuple[str, str], ...]] = {}
    for word, rule in {**commands, **options, **attributes, **words.TERM_RULES, **words.NAME_RULES}.items():
        first = next(tokens(word), None)
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
        hashes=tuple(word for word in (*rules, *harmless) if word.startswith("#")),
        commands=harmless,
        attributes=words.HARMLESS_ATTRIBUTES | trusted.attributes,
        options=trusted.options,
        tactics=vocabulary.tactics,
        longest=max(map(len, (*beginnings, *phrases, "set_option"))),
    )


def option_rule(name: str, trusted: frozenset[str]) -> str | None:
    """The rule that an option falls under; None for a harmless one, and for those that a site trusts."""
    if name in trusted:
        return None
    rule = next((rule for prefix, rule in words.OPTION_RULES if name.startswith(prefix)), None)
    if rule is not None:
        return rule
    harmless = name in words.HARMLESS_OPTIONS or name.startswith(words.HARMLESS_OPTION_PREFIXES)
    return None if harmless else "unknown_option"


def _distinctive(attribute: str) -> bool:
    """Whether nobody would call a variable by the name of an attribute: `term_elab`, `termElab`, but not `init`."""
    return "_" in attribute or not attribute.islower()
