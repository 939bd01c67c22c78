"""Whether a proof proves what it was asked to: what a statement declares, compared as Lean prints it in full. Pure.

The statement is elaborated in an environment of the header alone. Its theorems, and every constant that they and
their definitions reach and that the statement itself made, must be in the proof's environment with the same text.
Constants of the header are the same on both sides, so their names are enough.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.audit import EXPLICIT, Questions, answers, root
from streamverify.core.errors import HeaderError
from streamverify.core.header import Header, parse_header
from streamverify.core.lexer import IDENTIFIER
from streamverify.core.policy import THEOREMS, Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from streamverify.core.models import Finding, Message
    from streamverify.core.policy import Vocabulary

MOST_CONSTANTS = 500
"""Constants of a statement's own that are compared."""

_PROVED = re.compile(r"(?:@\[[^\]]*\]\s*)?(?:protected |private |noncomputable |unsafe )*theorem ")


class BadStatement(Exception):
    """The statement cannot be compared with; the text says why."""

    @property
    def sentence(self) -> str:
        """For the sender of the request."""
        return f"`statement` is none to compare with: {self}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was sent, and the full names of what it declares."""

    text: str
    header: Header
    theorems: tuple[str, ...]
    others: tuple[str, ...]


def read_statement(text: str, vocabulary: Vocabulary) -> Statement:
    """The statement of a request.

    Raises:
        BadStatement: Its header is not Lean, the policy objects to it, or it declares no theorem, or something private.
    """
    try:
        header = parse_header(text)
    except HeaderError as error:
        raise BadStatement(f"line {error.line}, column {error.column}: {error}") from None
    reading = Reading(text, header)
    _object_to(reading.check(vocabulary))
    made = reading.declared()
    theorems = [each.name for each in made if each.kind in THEOREMS and each.name]
    if not theorems:
        raise BadStatement("it declares no theorem")
    if private := next((each for each in made if each.private), None):
        raise BadStatement(f"line {private.line}: a private declaration cannot be compared")
    others = [each.name for each in made if each.kind not in THEOREMS and each.name]
    return Statement(text, header, tuple(dict.fromkeys(theorems)), tuple(dict.fromkeys(others)))


def _object_to(findings: Sequence[Finding]) -> None:
    if findings:
        first = findings[0]
        raise BadStatement(f"line {first.line}, column {first.column}: {first.rule}: {first.excerpt}")


@dataclass(frozen=True, slots=True)
class Printing:
    """The question how constants are printed in full: for each the line of its type, and of the whole."""

    text: str
    lines: Mapping[str, tuple[int, int]]

    def printed(self, messages: Sequence[Message]) -> dict[str, str]:
        """The text of each constant that Lean knows: of a theorem its type, of all else its definition too."""
        found = {}
        for name, (type_line, whole_line) in self.lines.items():
            types, wholes = answers(messages, type_line), answers(messages, whole_line)
            if len(types) == 1:
                # `#print` knows more than `#check`, but of a theorem it would print the proof.
                found[name] = wholes[0] if len(wholes) == 1 and not _PROVED.match(wholes[0]) else types[0]
        return found


def print_in_full(names: Iterable[str], known_options: Collection[str]) -> Printing:
    """Ask how Lean prints these constants when nothing is folded, hidden or cut."""
    questions = Questions(EXPLICIT, known_options)
    lines = {
        name: (questions.ask(f"#check @{root(name)}"), questions.ask(f"#print {root(name)}"))
        for name in dict.fromkeys(names)
    }
    return Printing(questions.text, lines)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The question which of some names are constants."""

    text: str
    lines: Mapping[str, int]

    def known(self, messages: Sequence[Message]) -> set[str]:
        """Those that are."""
        return {name for name, line in self.lines.items() if answers(messages, line)}


def look_up(names: Iterable[str], known_options: Collection[str]) -> Lookup:
    """Ask which of these names are constants."""
    questions = Questions({}, known_options)
    lines = {name: questions.ask(f"#check @{root(name)}") for name in names}
    return Lookup(questions.text, lines)


def mentioned(printed: Iterable[str]) -> set[str]:
    """Whatever in printed text could be the name of a constant."""
    return {match.group() for text in printed for match in IDENTIFIER.finditer(text)}


@dataclass(frozen=True, slots=True)
class Difference:
    """A constant of the statement that the proof does not have, or has otherwise; each side as Lean prints it."""

    name: str
    asked: str
    proved: str | None

    def sentence(self) -> str:
        """For people."""
        if self.proved is None:
            return f"The file does not declare {self.name}, which the statement declares."
        return f"{self.name} is not what the statement says."

    def excerpt(self) -> str:
        """Both sides in full."""
        return f"statement: {self.asked}\nproof: {self.proved or '(not declared)'}"


def difference(asked: Mapping[str, str], proved: Mapping[str, str]) -> Difference | None:
    """The first constant that is not the same in both."""
    for name, text in asked.items():
        if proved.get(name) != text:
            return Difference(name, text, proved.get(name))
    return None
