"""The reading of exports: what a proof's export says of the proof, before any kernel is asked.

A kernel that accepts an export has seen that each declaration in it follows from those before. It has not seen that
the theorem is there, that an axiom is more than named like one that is allowed, or that the theorem says what was
asked; nor does it doubt what it knows by name, such as the sum of two numbers. That is what is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from streamverify.core.export.budget import Budget
from streamverify.core.export.compare import Different, ExportComparison
from streamverify.core.export.constants import ConstantKind
from streamverify.core.export.known import KERNEL_ROOTS, KNOWN_IF_DECLARED, NATIVE, STANDARD_AXIOMS, known
from streamverify.core.export.lines import ExportError
from streamverify.core.export.names import NameTable
from streamverify.core.export.stream import ExportLimits, read_export
from streamverify.core.export.terms import Expr
from streamverify.core.export.verdicts import AcceptedProof, RefusedProof, UnreadableExport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamverify.core.export.constants import Export
    from streamverify.core.export.verdicts import ExportReading, Refusal

_LITERALS = {int(Expr.NAT): ("Nat",), int(Expr.STR): ("String",)}


class _Refusal(Exception):
    """A refusal on its way to `judge`."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason: Refusal = reason


def judge(
    proof: Iterable[bytes],
    theorem: Sequence[str],
    *,
    trusted: Iterable[bytes] | None = None,
    stated: bool = True,
    limits: ExportLimits | None = None,
) -> ExportReading:
    """Read the export of a proof's theorem, and say whether it is a proof of what was asked, if kernels accept it.

    It is `judge_all` of one theorem.
    """
    return judge_all(proof, [theorem], trusted=trusted, stated=stated, limits=limits)


def judge_all(  # noqa: PLR0913 - what may be said of two exports
    proof: Iterable[bytes],
    theorems: Sequence[Sequence[str]],
    *,
    trusted: Iterable[bytes] | None = None,
    stated: bool = True,
    may_be_private: bool = False,
    limits: ExportLimits | None = None,
) -> ExportReading:
    """Judge several theorems of one export, which is read once however many there are.

    Args:
        proof: The bytes of the export, in pieces of any size.
        theorems: The parts of the name of each, at least one; the first that is not accepted decides.
        trusted: The bytes of an export that no line of the proof can have touched: of the statement, compiled apart,
            with those of `KERNEL_ROOTS` that its header has. Without one, nothing is said of what the theorems mean.
        stated: Whether `trusted` has the theorems as they were stated; otherwise it is of the header alone.
        may_be_private: Whether the file begins with `module`: there a theorem that is not `public` has another name,
            and exporters that are asked for its own write nothing. That says nothing of the proof.
        limits: What either export may be at most.

    Returns:
        What is known of the proof. Whatever the bytes are, this raises nothing.
    """
    limits = limits or ExportLimits()
    names = NameTable()
    budget = Budget(limits.steps)
    which: Literal["proof", "trusted"] = "proof"
    try:
        export = read_export(proof, names, limits)
        asked = [names.of(theorem) for theorem in theorems]
        hidden = next((name for name in asked if name not in export.constants), None) if may_be_private else None
        if hidden is not None:
            # It may be there under the name of a private theorem: that is no reason to refuse the proof.
            lacks = f"it does not have `{names.text(hidden)}`"
            why = "in a file that begins with `module` only a `public` theorem can be asked for"
            return UnreadableExport(f"The proof's export cannot be read: {lacks}; {why}.", "proof")
        which = "trusted"
        header = None if trusted is None else read_export(trusted, names, limits)
        if header is not None and stated:
            for name in asked:
                if name not in header.constants or header.constants[name].kind is not ConstantKind.THEOREM:
                    return UnreadableExport(f"The statement's export has no theorem `{names.text(name)}`.", "trusted")
        which = "proof"
        _refuse_what_no_kernel_checks(export)
        axioms = _axioms(export, asked, budget)
        missing = _kernel_constants(export, header, budget)
        if missing is not None:
            return UnreadableExport(f"There is nothing to compare the proof's `{missing}` with.", "trusted")
        compared = _statements(export, header, asked, budget) if header is not None and stated else 0
    except _Refusal as refusal:
        return RefusedProof(refusal.reason, str(refusal), export.sha256, export.size)
    except ExportError as error:
        whose = "proof" if which == "proof" else "statement"
        place = f" in line {error.line}" if error.line else ""
        return UnreadableExport(
            f"The {whose}'s export cannot be read{place}: {error}.", which, error.line, error.too_large
        )
    return AcceptedProof(export.sha256, export.size, export.lines, len(export.constants), axioms, compared)


def _refuse_what_no_kernel_checks(export: Export) -> None:
    """Refuse unsafe and partial definitions, and what Lean's kernel would run as compiled code."""
    for name in export.unsafe:
        raise _Refusal("kernel", f"`{export.names.text(name)}` is declared as unsafe or partial.")
    for parts in NATIVE:
        if export.names.of(parts) in export.constants:
            raise _Refusal("kernel", f"`{'.'.join(parts)}` is declared, which kernels run as compiled code.")


def _axioms(export: Export, theorems: Sequence[int], budget: Budget) -> tuple[str, ...]:
    """Return the axioms that the theorems reach, each of which is one of the three, by its type as by its name."""
    names = export.names
    for theorem in theorems:
        found = export.constants.get(theorem)
        if found is None or found.kind is not ConstantKind.THEOREM:
            what = (
                "is not in the proof's export" if found is None else f"is no theorem there, but a kind of {found.kind}"
            )
            raise _Refusal("no_theorem", f"`{names.text(theorem)}` {what}.")
    comparison = ExportComparison(export, known(names), budget, binders=False)
    allowed = {names.of(parts): parts for parts in STANDARD_AXIOMS}
    reached = []
    for name in _reached(export, theorems):
        if export.constants[name].kind is not ConstantKind.AXIOM:
            continue
        if name not in allowed:
            whose = "The theorem depends" if len(theorems) == 1 else "One of the theorems depends"
            raise _Refusal("axiom", f"{whose} on the axiom `{names.text(name)}`.")
        try:
            comparison.constant(name, binders=True)
        except Different as error:
            message = f"The axiom `{names.text(name)}` is not the one of this name that is known: {error}."
            raise _Refusal("axiom", message) from None
        reached.append(".".join(allowed[name]))
    return tuple(sorted(reached))


def _reached(export: Export, roots: Sequence[int]) -> list[int]:
    """Return every constant that one of these mentions, or whose type, value or block mentions one."""
    terms = export.terms
    literals = {kind: export.names.of(parts) for kind, parts in _LITERALS.items()}
    seen = bytearray(len(terms.kinds))
    blocks: set[int] = set()
    reached = dict.fromkeys(roots)
    pending = list(reached)
    while pending:
        constant = export.constants[pending.pop()]
        # The expressions of a block are those of each of its members.
        if constant.block is not None and id(constant.block) in blocks:
            continue
        blocks.add(id(constant.block))
        rows = [row for row in export.roots(constant) if not seen[row]]
        while rows:
            row = rows.pop()
            if seen[row]:
                continue
            seen[row] = 1
            kind = terms.kinds[row]
            rows.extend(terms.children(row))
            name = terms.columns[0][row] if kind in (Expr.CONST, Expr.PROJ) else literals.get(kind)
            # A name that is not declared is that of a literal's type in an export that declares it later.
            if name is not None and name in export.constants and name not in reached:
                reached[name] = None
                pending.append(name)
    return list(reached)


def _kernel_constants(export: Export, header: Export | None, budget: Budget) -> str | None:
    """Refuse a proof that means something else by what kernels know by its name.

    Returns:
        A name that could not be compared, because there is nothing to compare it with.
    """
    names = export.names
    ours = ExportComparison(export, known(names), budget, binders=False)
    theirs = None if header is None else ExportComparison(export, header, budget, binders=False)
    missing = None
    try:
        for parts, triggers in KNOWN_IF_DECLARED.items():
            name = names.of(parts)
            if name in export.constants and any(names.of(each) in export.constants for each in triggers):
                ours.constant(name)
        for root in KERNEL_ROOTS:
            name = names.of(root)
            if name not in export.constants:
                continue
            if theirs is None or header is None:
                missing = missing or ".".join(root)
            elif name not in header.constants:
                raise _Refusal("kernel", f"`{'.'.join(root)}` is declared, which the header does not have.")
            else:
                theirs.constant(name)
    except Different as error:
        message = f"The proof's file means something else by what kernels know by name: {error}."
        raise _Refusal("kernel", message) from None
    return missing


def _statements(export: Export, header: Export, theorems: Sequence[int], budget: Budget) -> int:
    """Refuse a theorem that does not say what was stated; return how many constants were compared for that."""
    comparison = ExportComparison(export, header, budget, binders=True)
    for theorem in theorems:
        try:
            comparison.constant(theorem)
        except Different as error:
            which = "The theorem" if len(theorems) == 1 else f"The theorem `{export.names.text(theorem)}`"
            raise _Refusal("statement_mismatch", f"{which} is not the one that was stated: {error}.") from None
    return comparison.count
