"""Files as the policy judges them, for tests of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.audit.policy import check
from streamverify.core.audit.vocabulary import SHIPPED, Vocabulary
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from streamverify.core.messages.models import Finding

NOTHING = Vocabulary(frozenset(), frozenset(), frozenset())
"""The vocabulary of an environment that knows no command, attribute or option."""


def findings_in(proof: str, vocabulary: Vocabulary = SHIPPED) -> list[Finding]:
    return check(proof, parse_header(proof), vocabulary)


def rules_in(proof: str, vocabulary: Vocabulary = SHIPPED) -> set[str]:
    return {item.rule for item in findings_in(proof, vocabulary)}


def knowing(*commands: str, attributes: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Vocabulary:
    return Vocabulary(frozenset(commands), frozenset(attributes), frozenset(options))
