"""Compares a proof with the statement that it was to prove: their constants, as Lean prints them in full. Pure.

The statement is elaborated in an environment of the header alone. Its theorems, and every constant that they and
their definitions reach and that the statement itself made, must be in the proof's environment and be the same, up to
the names of bound variables and universe parameters (see `printed`). Constants of the header are the same on both
sides, so their names are enough. A constant that cannot be asked for by its name makes the statement one that nothing
can be compared with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.audit.axioms import EXPLICIT, KIND_ONLY, Questions, answers, is_about, read_print, root
from streamverify.core.audit.declarations import THEOREMS
from streamverify.core.audit.policy import TokenizedProof
from streamverify.core.audit.printed import GRAMMAR_WORDS, read_printed
from streamverify.core.audit.printed_tokens import PRINTED_NAME, UnreadableError
from streamverify.core.errors import HeaderError, at
from streamverify.core.syntax.header import Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from streamverify.core.audit.vocabulary import Vocabulary
    from streamverify.core.messages.models import Message

MAX_CONSTANTS = 500
"""Constants of a statement's own that are compared."""

_TYPES = frozenset({"inductive", "structure", "class"})
_DEFINITIONS = frozenset({"def", "abbrev", "instance"})
"""Kinds whose value is compared, too; of all others the type says all that the kernel knows, or lets anyone use."""

_CHECKED = re.compile(rf"@?(?P<name>{PRINTED_NAME})(?P<rest>(?:\.\{{|\s*:).*)", re.DOTALL)
# Private to a module, hygienic, or with a number for a part.
_NOT_TO_BE_ASKED = re.compile(r"_private\.|.*✝|.*\.[0-9]")


class BadStatement(Exception):
    """The statement cannot be compared with; the text says why."""

    @property
    def sentence(self) -> str:
        """The sentence for the sender of the request."""
        return f"`statement` cannot be compared with: {self}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it was sent, and the full names of what it declares."""

    text: str
    header: Header
    theorems: tuple[str, ...]
    others: tuple[str, ...]


def read_statement(text: str, vocabulary: Vocabulary) -> Statement:
    """Read the statement of a request.

    Raises:
        BadStatement: Its header is not Lean, the policy objects to it, or it declares no theorem, or something private.
    """
    try:
        header = parse_header(text)
    except HeaderError as error:
        raise BadStatement(f"{at(error.line, error.column)}: {error}") from None
    reading = TokenizedProof(text, header)
    # The statement is elaborated by the same rules as the proof: it must not run code, nor declare what cannot be read.
    if findings := reading.check(vocabulary):
        first = findings[0]
        raise BadStatement(f"{at(first.line, first.column)}: {first.rule}: {first.excerpt}")
    made = reading.declared()
    theorems = [each.name for each in made if each.kind in THEOREMS and each.name]
    if not theorems:
        raise BadStatement("it declares no theorem")
    # A private name is another one in each file, so the proof cannot have it.
    if private := next((each for each in made if each.private), None):
        raise BadStatement(f"line {private.line}: a private declaration cannot be compared")
    others = [each.name for each in made if each.kind not in THEOREMS and each.name]
    return Statement(text, header, tuple(dict.fromkeys(theorems)), tuple(dict.fromkeys(others)))


@dataclass(frozen=True, slots=True)
class ComparedConstant:
    """A constant as it is compared: equal ones are the same but for the names of bound variables and universes.

    `kind` is the word for it with the modifiers before it (of a theorem the word alone), `type` and `value` are
    `core.audit.printed.Printed.text`; `value` is "" for what has none that is compared. `said` is what Lean printed,
    `mentions` are the names of all constants in it, `rooted` those with `_root_` before them, `unreadable` is what
    in it cannot be read.
    """

    kind: str
    type: str
    value: str
    said: str = field(compare=False)
    mentions: frozenset[str] = field(default=frozenset(), compare=False)
    rooted: frozenset[str] = field(default=frozenset(), compare=False)
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The question of which kinds some constants are: the line for each."""

    text: str
    lines: Mapping[str, int]
    private_prefix: str = ""

    def found(self, messages: Sequence[Message]) -> dict[str, str]:
        """Return the kind of each constant that Lean knows."""
        printed = {
            name: read_print(name.removeprefix(self.private_prefix), answers(messages, line), self.private_prefix)
            for name, line in self.lines.items()
        }
        return {name: found.kind for name, found in printed.items() if found}


def ask_for_kinds(names: Iterable[str], known_options: Collection[str], private_prefix: str = "") -> Kinds:
    """Return the question for the kinds of these constants."""
    questions = Questions(KIND_ONLY, known_options)
    lines = {name: questions.ask(f"#print {root(name.removeprefix(private_prefix))}") for name in names}
    return Kinds(questions.text, lines, private_prefix)


@dataclass(frozen=True, slots=True)
class Printing:
    """The question how constants are printed in full: for each the line of its type, and of the rest (0: none).

    `private_prefix` is what Lean puts before names that are private to the file, where they can be asked for.
    """

    text: str
    kinds: Mapping[str, str]
    lines: Mapping[str, tuple[int, int]]
    private_prefix: str

    def printed(self, messages: Sequence[Message]) -> dict[str, ComparedConstant]:
        """Return the constants that Lean knows, by their names."""
        read = ((name, self._constant(name, *lines, messages)) for name, lines in self.lines.items())
        return {name: constant for name, constant in read if constant}

    def _constant(
        self, name: str, type_line: int, whole_line: int, messages: Sequence[Message]
    ) -> ComparedConstant | None:
        """Read the one or two answers about a constant; None where Lean does not know it."""
        checked = _read_check(name, answers(messages, type_line), self.private_prefix)
        if checked is None:
            return None
        said, kind = checked.string, self.kinds[name]
        try:
            type_ = read_printed(checked["rest"])
            mentions, rooted, value = type_.constants, type_.rooted, ""
            if kind in _TYPES:
                # Its type says all of an inductive type: parameters, constructors with their types, how it recurses.
                mentions |= {f"{name}.rec"}
            if whole_line:
                bare = name.removeprefix(self.private_prefix)
                whole = read_print(bare, answers(messages, whole_line), self.private_prefix)
                if whole is None:
                    return None
                kind = f"{whole.before} {whole.kind}".strip()
                if whole.kind in _DEFINITIONS:
                    said = answers(messages, whole_line)[0]
                    read = read_printed(whole.rest)
                    mentions, rooted, value = mentions | read.constants, rooted | read.rooted, read.text
        except UnreadableError as error:
            return ComparedConstant(kind, "", "", said, unreadable=str(error))
        return ComparedConstant(kind, type_.text, value, said, mentions, rooted)


def _read_check(name: str, said: Sequence[str], private_prefix: str = "") -> re.Match[str] | None:
    """Return Lean's answer to `#check` of this full name; None where it is not one answer about this name.

    The arguments are those of `axioms.read_axioms`.
    """
    match = _CHECKED.fullmatch(said[0]) if len(said) == 1 else None
    return match if match and is_about(match["name"], name, private_prefix) else None


def print_in_full(kinds: Mapping[str, str], known_options: Collection[str], private_prefix: str = "") -> Printing:
    """Return the question for these constants, given with their kinds, printed with nothing folded, hidden or cut.

    The value of a theorem, which may be long, is not printed: no theorem depends on the proof of another.
    """
    questions = Questions(EXPLICIT, known_options)
    rooted = {name: root(name.removeprefix(private_prefix)) for name in kinds}
    types = {name: questions.ask(f"#check @{rooted[name]}") for name in kinds}
    wholes = {name: questions.ask(f"#print {rooted[name]}") for name, kind in kinds.items() if kind in _DEFINITIONS}
    questions.set(KIND_ONLY)
    rest = [name for name, kind in kinds.items() if kind not in {*_DEFINITIONS, "theorem"}]
    wholes |= {name: questions.ask(f"#print {rooted[name]}") for name in rest}
    lines = {name: (line, wholes.get(name, 0)) for name, line in types.items()}
    return Printing(questions.text, dict(kinds), lines, private_prefix)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The question which of some names are constants."""

    text: str
    lines: Mapping[str, int]

    def known(self, messages: Sequence[Message]) -> set[str]:
        """Return those that are: Lean answers about the very name, not about a field of one with a shorter name."""
        return {name for name, line in self.lines.items() if _read_check(name, answers(messages, line))}

    def not_ruled_out(self, messages: Sequence[Message]) -> set[str]:
        """Return those of which Lean does not say that they are unknown, and no more than that.

        Where a file left a namespace `A` open, Lean of 2021 takes `_root_.x` for `A._root_.x` first (seen): an answer
        about another constant, or that there are several, does not say that there is none of this name.
        """
        said: dict[int, list[Message]] = {}
        for each in messages:
            said.setdefault(each["pos"]["line"], []).append(each)
        unknown = {
            line
            for line, all_of_it in said.items()
            if [each["severity"] for each in all_of_it] == ["error"]
            and all_of_it[0]["data"].lower().startswith("unknown")
        }
        return {name for name, line in self.lines.items() if line not in unknown}


def look_up(names: Iterable[str], known_options: Collection[str]) -> Lookup:
    """Return the question for the constants among these names."""
    questions = Questions({"pp.all": "true"}, known_options)
    lines = {name: questions.ask(f"#check @{root(name)}") for name in names}
    return Lookup(questions.text, lines)


def look_up_imitations(constants: Iterable[ComparedConstant], known_options: Collection[str]) -> Lookup:
    """Return the question for constants that Lean prints like something else; where there is one, no print is believed.

    That is one of a `namespace _root_` which is printed like one of these constants with `_root_` before it, and one
    that has a word of the grammar for its name.
    """
    rooted = sorted({name for constant in constants for name in constant.rooted})
    return look_up([*map(root, rooted), *(f"«{word}»" for word in GRAMMAR_WORDS)], known_options)


def refuse_hidden(names: Iterable[str], private_prefix: str = "") -> None:
    """Refuse a statement that reaches a constant which has no name that can be asked for.

    What has `private_prefix` is private to the file, which begins with `module`, and can be asked for without it.

    Raises:
        BadStatement: Names the constant.
    """
    hidden = sorted(name for name in names if _NOT_TO_BE_ASKED.match(name.removeprefix(private_prefix)))
    if hidden:
        raise cannot_be_asked(hidden[0])


def cannot_be_asked(name: str) -> BadStatement:
    """Return the objection to a statement that reaches a constant which cannot be asked for."""
    return BadStatement(
        f"it reaches {name[:200]}, which cannot be asked for by name and so cannot be compared (what `deriving` and "
        "macros declare is often private); write the instance or definition out"
    )


def unreadable(name: str, what: str) -> BadStatement:
    """Return the objection to a statement of which Lean prints something that cannot be read with certainty."""
    return BadStatement(f"what Lean prints of {name[:200]} cannot be read with certainty, at {what}")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A constant of the statement that the proof does not have, or has otherwise; each side as Lean prints it."""

    name: str
    asked: str
    proved: str | None

    def sentence(self) -> str:
        """Return the sentence for people."""
        if self.proved is None:
            return f"The file does not declare {self.name}, which the statement declares."
        return f"{self.name} is not what the statement says."

    def excerpt(self) -> str:
        """Return both sides in full."""
        return f"statement: {self.asked}\nproof: {self.proved or '(not declared)'}"


def first_mismatch(asked: Mapping[str, ComparedConstant], proved: Mapping[str, ComparedConstant]) -> Mismatch | None:
    """Return the first constant of the statement that the proof does not have, or has otherwise."""
    for name, constant in asked.items():
        found = proved.get(name)
        if found != constant:
            return Mismatch(name, constant.said, found.said if found else None)
    return None
