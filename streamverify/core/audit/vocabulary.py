"""The words that a Lean environment knows: those that begin a command or a tactic, its attributes and its options.

Lean itself says them, in answer to a query; a list made from known versions is shipped for the check before anything
is imported. Knows nothing of what is harmless.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from streamverify.core.audit.policy_words import (
    ATTRIBUTE_RULES,
    COMMAND_RULES,
    CONFIGURED,
    OPTION_RULES,
    SHIPPED_ATTRIBUTES,
    SHIPPED_COMMANDS,
    SHIPPED_OPTIONS,
)
from streamverify.core.errors import StreamVerifyError

_MARK = "streamverify-vocabulary"
_NAME = re.compile(r"[^\s:,\"]+")
# Words that core gives a meaning to, by which code runs or the kernel is gone round. `coe` changes how terms are
# printed, which a site may know to be harmless.
_NEVER = frozenset(COMMAND_RULES) | (frozenset(ATTRIBUTE_RULES) - {"coe", "coe_decl"})
_SECTIONS = ("commands", "attributes", "options", "tactics")
_END = f"{_MARK} end"
_TACTICS = "(leading `tactic ++ leading `conv)"


def _query(declarations: str, commands: str, attributes: str, options: str, tactics: str = _TACTICS) -> str:
    """Write a query: `declarations` are its first steps, the others terms of Lean for lists of strings."""
    # All names are full, and hardly any notation is used: it runs in the environment of any header that has `Lean`.
    return f"""#eval show Lean.CoreM Unit from do
  let env ← Lean.getEnv
{declarations}
  let part := fun (title : String) (names : List String) =>
    "{_MARK} " ++ title ++ "\\n" ++ String.intercalate "\\n" names ++ "\\n"
  IO.println (part "commands" {commands}
    ++ part "attributes" {attributes}
    ++ part "options" {options}
    ++ part "tactics" {tactics} ++ "{_END}")"""


_LEADING = """  let options ← Lean.getOptionDeclsArray
  let leading := fun (category : Lean.Name) =>
    match (Lean.Parser.parserExtension.getState env).categories.find? category with
    | none => []
    | some found => found.tables.leadingTable.toList.map fun entry => toString entry.1"""
# Commands that are there only after an `open` of their namespace.
_SCOPED = """  let dormant := (Lean.Parser.parserExtension.ext.getState env).scopedEntries.map.fold
    (fun names _ entries => entries.foldl (fun names entry =>
      match entry with
      | Lean.Parser.ParserExtension.Entry.parser category _ _ parser _ =>
        if category != `command then names else
          match parser.info.firstTokens with
          | Lean.Parser.FirstTokens.tokens found => found ++ names
          | Lean.Parser.FirstTokens.optTokens found => found ++ names
          | _ => names
      | _ => names) names) []"""
_ATTRIBUTES = "((Lean.getAttributeNames env).map toString ++ leading `attr)"
_OPTIONS = "(options.toList.map fun entry => toString entry.1)"

VOCABULARY_QUERIES: tuple[str, ...] = (
    _query(f"{_LEADING}\n{_SCOPED}", "(dormant ++ leading `command)", _ATTRIBUTES, _OPTIONS),
    _query(_LEADING, "(leading `command)", _ATTRIBUTES, _OPTIONS),
    # Where the table's definition is hidden from other modules, it still says how to go through it.
    _query(
        """  let mut commands : List String := []
  let mut attributes : List String := []
  let mut options : List String := []
  for (name, _) in ← Lean.getOptionDeclsArray do
    options := toString name :: options
  for name in Lean.getAttributeNames env do
    attributes := toString name :: attributes
  if let some found := (Lean.Parser.parserExtension.getState env).categories.find? `command then
    for (name, _) in found.tables.leadingTable do
      commands := toString name :: commands
  let mut tactics : List String := []
  for category in [`tactic, `conv] do
    if let some found := (Lean.Parser.parserExtension.getState env).categories.find? category then
      for (name, _) in found.tables.leadingTable do
        tactics := toString name :: tactics""",
        "commands",
        "attributes",
        "options",
        "tactics",
    ),
    _query(
        """  let attributes ← Lean.getBuiltinAttributeNames
  let options ← Lean.getOptionDecls
  let leading := fun (category : Lean.Name) =>
    match (Lean.Parser.parserExtension.getState env).categories.find? category with
    | none => []
    | some found => found.tables.leadingTable.fold (fun names token _ => toString token :: names) []""",
        "(leading `command)",
        "(attributes.map toString ++ leading `attr)",
        "(options.fold (fun names name _ => toString name :: names) [])",
    ),
)
"""The queries for the vocabulary, the best spelling first; the answer is the text of Lean's one message `info`.

The first is for Lean of today and of June 2021, and only it lists commands that wait for an `open`. To be tried in this
order, each in the environment of the header, until one has no error. A header that has too little of Lean for any of
them is asked with `import Lean` after its own imports.
"""


class VocabularyError(StreamVerifyError):
    """An answer to the vocabulary query that is not one, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The words that a worker's operator declares harmless, and the age of its Lean.

    `commands`, `attributes` and `options` are words that its libraries bring and that are harmless;
    `old_comments` says that its Lean is, or may be, from before the end of 2022.
    """

    commands: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    old_comments: bool = False

    @classmethod
    def parse(cls, text: str) -> Trusted:
        """Read the setting `policy_allow`: `command:problem_file attribute:coe`, divided by blanks or commas.

        Raises:
            ValueError: An entry has no such form, or allows what no library can make harmless.
        """
        found: dict[str, set[str]] = {"command": set(), "attribute": set(), "option": set()}
        for entry in text.replace(",", " ").split():
            kind, _, name = entry.partition(":")
            if kind not in found or not _NAME.fullmatch(name):
                raise ValueError(f"{entry} is not of the form kind:name; the kinds are command, attribute and option")
            if name in _NEVER or name.startswith(tuple(prefix for prefix, _ in OPTION_RULES)):
                raise ValueError(f"{entry} cannot be allowed: the policy has a rule against it")
            found[kind].add(name)
        return cls(frozenset(found["command"]), frozenset(found["attribute"]), frozenset(found["option"]))

    @property
    def digest(self) -> str:
        """The mark after the policy's version by which sites with such words differ; empty for one without."""
        words = [
            *map("c {}".format, self.commands),
            *map("a {}".format, self.attributes),
            *map("o {}".format, self.options),
        ]
        text = "\n".join(sorted(words))
        return f"+{hashlib.sha256(text.encode()).hexdigest()[:12]}" if words else ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """First words of commands and of tactics, names of attributes and of options, that an environment knows."""

    commands: frozenset[str]
    attributes: frozenset[str]
    options: frozenset[str]
    tactics: frozenset[str] = frozenset()
    trusted: Trusted = Trusted()


SHIPPED = Vocabulary(SHIPPED_COMMANDS, SHIPPED_ATTRIBUTES, SHIPPED_OPTIONS, CONFIGURED)
"""Made from known versions (docs/policy.md says how), for the check before a header is imported."""


def parse_vocabulary(answer_text: str) -> Vocabulary:
    """Read the text of Lean's message in answer to one of `VOCABULARY_QUERIES`.

    Raises:
        VocabularyError: It is not the answer to one, or not the whole of it.
    """
    sections: dict[str, list[str]] = {}
    names: list[str] = []
    for line in answer_text.split("\n"):
        if line == _END:
            break
        if line.startswith(_MARK):
            names = sections.setdefault(line[len(_MARK) + 1 :], [])
        elif line:
            # Lean quotes the parts that are no identifiers, such as `«@[»`; a file has them without.
            names.append(line.replace("«", "").replace("»", ""))
    else:
        raise VocabularyError("Lean's answer to the query for its commands is cut off")
    # Every environment that can be asked has some of each; an empty section is an answer that was cut, or forged.
    if tuple(sections) != _SECTIONS or not all(sections.values()):
        raise VocabularyError("Lean's answer to the query for its commands is not a list of them")
    commands, attributes, options, tactics = (frozenset(sections[name]) for name in _SECTIONS)
    return Vocabulary(commands, attributes, options, tactics)
