"""What a Lean environment knows: which words begin a command, which attributes and which options there are.

Lean itself says it, in answer to a query; a list made from known versions is shipped for the check before anything
is imported. Knows nothing of what is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamverify.core.errors import StreamVerifyError
from streamverify.core.policy_words import SHIPPED_ATTRIBUTES, SHIPPED_COMMANDS, SHIPPED_OPTIONS

_MARK = "streamverify-vocabulary"
_SECTIONS = ("commands", "attributes", "options")
_END = f"{_MARK} end"


# All names are full, and hardly any notation is used: a query runs in the environment of any header that has `Lean`.
def _query(declarations: str, commands: str, attributes: str, options: str) -> str:
    """A query of these steps: `commands` and the rest are lists of strings."""
    return f"""#eval show Lean.CoreM Unit from do
  let env ← Lean.getEnv
{declarations}
  let part := fun (title : String) (names : List String) =>
    "{_MARK} " ++ title ++ "\\n" ++ String.intercalate "\\n" names ++ "\\n"
  IO.println (part "commands" {commands}
    ++ part "attributes" {attributes}
    ++ part "options" {options} ++ "{_END}")"""


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
      commands := toString name :: commands""",
        "commands",
        "attributes",
        "options",
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
"""What asks Lean for its vocabulary, the best spelling first; the answer is the text of its one message `info`.

Only the first lists commands that wait for an `open`. To be tried in this order, each in the environment of the
header, until one has no error. A header that has too little of Lean for any of them is asked with `import Lean` after
its own imports.
"""

VOCABULARY_QUERY = VOCABULARY_QUERIES[0]
"""The query for Lean of today, and of June 2021."""


class VocabularyError(StreamVerifyError):
    """An answer to the vocabulary query that is not one, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an environment knows: the first words of commands, the names of attributes and of options."""

    commands: frozenset[str]
    attributes: frozenset[str]
    options: frozenset[str]


SHIPPED = Vocabulary(SHIPPED_COMMANDS, SHIPPED_ATTRIBUTES, SHIPPED_OPTIONS)
"""Made from known versions (docs/policy.md says how), for the check before a header is imported."""


def parse_vocabulary(answer_text: str) -> Vocabulary:
    """The vocabulary in the text of Lean's message in answer to a `VOCABULARY_QUERY`.

    Raises:
        VocabularyError: where it is not the answer to one, or not the whole of it.
    """
    sections: dict[str, list[str]] = {}
    names: list[str] = []
    for line in answer_text.split("\n"):
        if line == _END:
            break
        if line.startswith(_MARK):
            names = sections.setdefault(line[len(_MARK) + 1 :], [])
        elif line:
            names.append(_unquoted(line))
    else:
        raise VocabularyError("Lean's answer to the question for its commands has no end")
    if tuple(sections) != _SECTIONS or not all(sections.values()):
        raise VocabularyError("Lean's answer to the question for its commands is not one")
    return Vocabulary(*(frozenset(sections[name]) for name in _SECTIONS))


def _unquoted(name: str) -> str:
    """A name as it is written in a file: Lean quotes the parts that are no identifiers, such as `«@[»`."""
    return name.replace("«", "").replace("»", "")
