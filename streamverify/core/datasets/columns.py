"""Chooses which column of a data set is what: the id, the proof, the statement, the header.

Columns are named by the user, or guessed where their names are those of data sets that many people have. What was
guessed is said, so that nobody measures the wrong column.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from streamverify.core.errors import SourceError
from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each part of a request; None where there is none.

    Attributes:
        id: What custom_ids are made of.
        proof: A whole Lean file, or a list of them.
        statement: What was to be proved, ending in `sorry`, `:= by` or `:=`.
        header: Imports, and what else stands before the statement.
        theorem: The name of the theorem to audit.
        group: The problem of which the row is one attempt.
        completion: Whether the proof is a block of code in what a model answered.
        continues: Whether the proof is only what stands behind the statement's `:= by`.
    """

    id: str | None = None
    proof: str | None = None
    statement: str | None = None
    header: str | None = None
    theorem: str | None = None
    group: str | None = None
    completion: bool = False
    continues: bool = False

    @property
    def used(self) -> dict[str, str]:
        """The parts that have a column, with its name."""
        return {part.name: name for part in fields(self) if isinstance(name := getattr(self, part.name), str)}


class KnownSet(NamedTuple):
    """A data set whose columns were looked up. It is known by them: by all that `columns` names, and by `also`."""

    name: str
    columns: Columns
    also: tuple[str, ...] = ()

    def is_of(self, names: Sequence[str]) -> bool:
        """Tell whether a set with these columns is this one: one of statements has no proofs under any name."""
        has_all = all(name in names for name in (*self.columns.used.values(), *self.also))
        return has_all and (self.columns.proof is not None or not {*PROOFS, *COMPLETIONS} & {*names})


KNOWN = (
    KnownSet("requests of streamverify", Columns(id="custom_id", proof="proof")),
    KnownSet(
        "DeepSeek-Prover-V1", Columns("name", "formal_proof", "formal_statement", "header", continues=True), ("goal",)
    ),
    KnownSet("NuminaMath-LEAN", Columns("uuid", "formal_proof", "formal_statement"), ("formal_ground_truth",)),
    KnownSet(
        "outputs of Goedel-Prover-V2", Columns("problem_id", "full_code", "lean4_code", group="origin_problem_id")
    ),
    KnownSet("outputs of Goedel-Prover", Columns("name", "code", group="name")),
    KnownSet("Lean-workbook-proofs", Columns("problem_id", "full_proof")),
    KnownSet("kimina's requests", Columns("id", "code")),
    KnownSet("miniF2F or ProofNet of DeepSeek-Prover", Columns("name", None, "formal_statement", "header"), ("goal",)),
    KnownSet("ProofNet#", Columns("id", None, "lean4_formalization", "lean4_src_header")),
    KnownSet("PutnamBench", Columns("name", None, "lean4_statement")),
)
"""The first whose columns are all there is taken: one that has more of them stands before one that has fewer."""

IDS = (
    "custom_id",
    "problem_id",
    "uuid",
    "id",
    "name",
    "theorem_name",
    "full_name",
    "problem_name",
    "statement_id",
    "sample_id",
    "idx",
    "index",
    "path",
)
"""Names of columns that are taken for the id, the best first."""
PROOFS = (
    "proof",
    "full_proof",
    "formal_proof",
    "full_code",
    "code",
    "lean_code",
    "lean4_code",
    "lean4_proof",
    "proofs",
    "codes",
    "full_codes",
)
"""Names of columns that are taken for a whole proof."""
COMPLETIONS = [
    "completion",
    "response",
    "model_output",
    "output",
    "generated_text",
    "completions",
    "responses",
    "model_outputs",
    "outputs",
]
"""Names of columns that are taken for what a model answered: the proof is a block of code in it."""
STATEMENTS = [
    "statement",
    "formal_statement",
    "lean4_statement",
    "lean4_formalization",
    "theorem_statement",
]
"""Names of columns that are taken for the statement that was to be proved."""
HEADERS = ("header", "lean4_header", "lean4_src_header")
"""Names of columns that are taken for the imports and `open` lines of the proof."""
_PARTS = {"id": IDS, "proof": PROOFS, "statement": STATEMENTS, "header": HEADERS}
_OURS = {"id": "custom_id"}
"""The parts whose field in a request has another name: a column with the name of its field needs no word."""
_SHOWN = 12


def choose(names: Sequence[str], given: Columns, *, guess: bool = True) -> tuple[Columns, list[str]]:
    """Choose the columns of a data set.

    Args:
        names: The columns that it has.
        given: What the user named.
        guess: Whether what was not named may be guessed.

    Returns:
        The columns, and sentences about what was guessed.

    Raises:
        SourceError: A named column is not there, or there is neither a proof nor a statement.
    """
    # What was named must be there: a guess in its place would measure another column.
    for part, wanted in given.used.items():
        if wanted not in names:
            raise SourceError(f"there is no column {quoted(wanted)} (--{part}-column){nearest(wanted, names)}")
    chosen, remarks = given, []
    if guess:
        chosen, known = _guess(names, given)
        new = {
            part: name for part, name in chosen.used.items() if part not in given.used and name != _OURS.get(part, part)
        }
        if new:
            like = f", as in {known}" if known else ""
            parts = ", ".join(f"{part} from {quoted(name)}" for part, name in new.items())
            remarks.append(f"columns guessed{like}: {parts} (--{next(iter(new))}-column and its like name others)")
    if chosen.proof is None and chosen.statement is None:
        raise SourceError(f"no column is known to have proofs: name it with --proof-column{nearest('', names)}")
    if chosen.continues and chosen.statement is None:
        raise SourceError("proofs that continue a statement need its column: --statement-column")
    if chosen.proof is None:
        remarks.append(
            f"there are no proofs: the statements of {quoted(chosen.statement or '')} are verified as they are, "
            "so a good one comes back as `sorry`"
        )
    if chosen.completion and not given.completion:
        remarks.append(
            f"{quoted(chosen.proof or '')} has what a model wrote: the proof is the last block of Lean code in it"
        )
    if chosen.continues and not given.continues:
        remarks.append(f"{quoted(chosen.proof or '')} continues the statement: the file is header, statement and proof")
    return chosen, remarks


def _guess(names: Sequence[str], given: Columns) -> tuple[Columns, str]:
    """Guess what was not named: from a set that is known, and part by part."""
    chosen, like = given, ""
    if given.proof is None and given.statement is None:
        # Only where nothing was named: whoever names a proof column knows the set better.
        known = next((known for known in KNOWN if known.is_of(names)), None)
        if known is not None:
            like = known.name
            parts: dict[str, Any] = {**known.columns.used, **given.used}
            continues = given.continues or known.columns.continues
            chosen = Columns(**parts, continues=continues, completion=given.completion)
    for part, usual in _PARTS.items():
        if getattr(chosen, part) is None and (name := _first(usual, names, chosen)) is not None:
            chosen = replace(chosen, **{part: name})  # type: ignore[arg-type]
    if chosen.proof is None and (name := _first(COMPLETIONS, names, chosen)) is not None:
        chosen = replace(chosen, proof=name, completion=True)
    if chosen.id == "custom_id":
        # In sets that others have made, `theorem` is as often the text of a theorem as its name.
        own = {part: part for part in ("theorem", "group") if part in names and getattr(chosen, part) is None}
        chosen = replace(chosen, **{part: name for part, name in own.items() if name not in chosen.used.values()})  # type: ignore[arg-type]
    return chosen, like


def _first(usual: Iterable[str], names: Iterable[str], chosen: Columns) -> str | None:
    taken = chosen.used.values()
    return next((name for name in usual if name in names and name not in taken), None)


def nearest(name: str, names: Iterable[str], *, listed: bool = True) -> str:
    """Word which of several names a wrong one may have meant, and which there are."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    meant = f"; did you mean {quoted(close[0])}?" if close else ""
    if not listed:
        return meant
    return f"{meant or ';'} there are {shown_names(names)}"


def shown_names(names: Iterable[str]) -> str:
    """List the first names for people."""
    names = list(names)
    return ", ".join(quoted(name) for name in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "") or "none"


def quoted(name: str) -> str:
    """Show the name of a column or a file in one line."""
    return f"`{printable(name, 60)}`"


def printable(name: str, size: int = 200) -> str:
    """Make a name fit for one line of UTF-8, of at most `size` characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in jsontext.cut(name, size))
