"""Which column of a data set is what: the id, the proof, the statement, the header.

Columns are named by the user, or guessed where their names are those of data sets that many people have. What was
guessed is said, so that nobody measures the wrong column.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from streamverify.core.errors import SourceError
from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IDS = ("custom_id", "problem_id", "id", "uuid", "name", "theorem_name", "full_name", "idx", "path")
"""Names of columns that are taken for the id, the best first."""
PROOFS = ("proof", "full_proof", "formal_proof", "code", "lean_code", "lean4_code", "full_code", "proofs", "codes")
"""Names of columns that are taken for a whole proof."""
COMPLETIONS = ("completion", "response", "model_output", "output", "generated_text", "completions", "responses")
"""Names of columns that are taken for what a model answered: the proof is a block of code in it."""
STATEMENTS = ("statement", "formal_statement", "lean4_statement", "autoformalization", "formal_ground_truth")
"""Names of columns that are taken for the statement that was to be proved."""
HEADERS = ("header", "lean4_header", "src_header")
"""Names of columns that are taken for the imports and `open` lines of the proof."""
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each part of a request; None where there is none. `completion`: the proof is a block in a text."""

    id: str | None = None
    proof: str | None = None
    statement: str | None = None
    header: str | None = None
    theorem: str | None = None
    group: str | None = None
    completion: bool = False

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the columns that are read, each once."""
        values = (getattr(self, part.name) for part in fields(self))
        return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def choose(names: Sequence[str], given: Columns) -> tuple[Columns, list[str]]:
    """Choose the columns of a data set.

    Args:
        names: The columns that it has.
        given: What the user named; None is to be guessed.

    Returns:
        The columns, and a sentence for each that was guessed.

    Raises:
        SourceError: A named column is not there, or there is neither a proof nor a statement.
    """
    for wanted in given.used:
        if wanted not in names:
            raise SourceError(f"there is no column {_quoted(wanted)}{nearest(wanted, names)}")
    chosen, remarks = given, []
    if given.id is None and (name := _first(IDS, names)):
        chosen = replace(chosen, id=name)
        remarks.append(f"the id is taken from {_quoted(name)} (--id-column names another)")
    if given.proof is None and (name := _first(PROOFS, names)):
        chosen = replace(chosen, proof=name)
        remarks.append(f"the proof is taken from {_quoted(name)} (--proof-column names another)")
    elif given.proof is None and (name := _first(COMPLETIONS, names)):
        chosen = replace(chosen, proof=name, completion=True)
        remarks.append(f"the proof is taken from the code in {_quoted(name)} (--proof-column names another)")
    if given.statement is None and (name := _first(STATEMENTS, names)):
        chosen = replace(chosen, statement=name)
        remarks.append(f"the statement is taken from {_quoted(name)} (--statement-column names another)")
    if given.header is None and (name := _first(HEADERS, names)):
        chosen = replace(chosen, header=name)
        remarks.append(f"the header is taken from {_quoted(name)} (--header-column names another)")
    if chosen.proof is None and chosen.statement is None:
        raise SourceError(f"no column is known to have proofs: name it with --proof-column{nearest('', names)}")
    return chosen, remarks


def nearest(name: str, names: Iterable[str]) -> str:
    """Word which columns there are, and which of them a wrong name may have meant."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"; did you mean {_quoted(close[0])}?" if close else ""
    shown = ", ".join(_quoted(name) for name in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    return f"{meant or ';'} there are {shown or 'none'}"


def _first(known: Iterable[str], names: Iterable[str]) -> str | None:
    return next((name for name in known if name in names), None)


def _quoted(name: str) -> str:
    return f"`{jsontext.cut(name, 60)}`"
