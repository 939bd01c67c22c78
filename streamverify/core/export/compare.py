"""Compares what two exports mean by a constant, and by all that it mentions.

Terms are compared as graphs: what was found equal once, or is equal because of that, is not looked at again, so the
work grows with the number of rows and not with the length of the terms when written out. They may differ in the names
of bound variables and of universe parameters. Constants correspond if they have the same name, or if both have names
that Lean makes; in either case they must be of the same kind, type and value. Of theorems the values are not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.errors import StreamVerifyError
from streamverify.core.export.constants import ConstantKind
from streamverify.core.export.terms import Expr, Level

if TYPE_CHECKING:
    from streamverify.core.export.budget import Budget
    from streamverify.core.export.constants import Constant, Export

_TRANSPARENT = (ConstantKind.DEFINITION, ConstantKind.THEOREM)
"""Kinds of constants that are equal to their value, or to any other proof: two of them may correspond to one."""


class Different(StreamVerifyError):
    """The exports mean different things by a constant; the text says which and what of it, for people."""


class ExportComparison:
    """Compares constants of `one` with those of `other`, two exports whose names have the same numbers.

    With `binders`, it matters whether an argument is implicit; kernels do not ask.
    """

    def __init__(self, one: Export, other: Export, budget: Budget, *, binders: bool) -> None:
        self._one = one
        self._other = other
        self._budget = budget
        self._binders = binders
        self._names = one.names
        self._pairs: set[tuple[int, int]] = set()
        self._block_pairs: set[tuple[int, int]] = set()
        # Which constant of the one is which of the other, among those that cannot be taken for one another.
        self._forth: dict[int, int] = {}
        self._back: dict[int, int] = {}
        self._contexts: dict[tuple[bool, tuple[tuple[int, int], ...]], _Context] = {}
        self._pending: list[tuple[_Context, bool, int, int]] = []
        self._constants: list[tuple[int, int, bool]] = []

    @property
    def count(self) -> int:
        """Pairs of constants that were compared."""
        return len(self._pairs)

    def constant(self, name: int, *, binders: bool | None = None) -> None:
        """Compare what both exports mean by a name that both declare, and all that it mentions.

        `binders` is for this constant alone, where it differs.

        Raises:
            Different: They mean different things.
            ExportError: The budget is spent.
        """
        self._constants.append((name, name, self._binders if binders is None else binders))
        while self._constants:
            self._budget.spend(1)
            one, other, strict = self._constants.pop()
            if (one, other) in self._pairs:
                continue
            self._pairs.add((one, other))
            self._pair(one, other, strict=strict)
            while self._pending:
                self._budget.spend(1)
                context, is_level, first, second = self._pending.pop()
                same = self._levels if is_level else self._expressions
                if context.unite(is_level, first, second) and not same(context, first, second):
                    raise self._different(one, "types or values")

    def _pair(self, one: int, other: int, *, strict: bool) -> None:
        """Note what must be compared, so that two constants are the same."""
        if one != other and not (self._names.is_made(one) and self._names.is_made(other)):
            raise Different(f"`{self._names.text(one)}` stands where `{self._names.text(other)}` should")
        mine, theirs = self._one.constants[one], self._other.constants[other]
        if mine.kind is not theirs.kind or mine.word != theirs.word:
            raise self._different(one, f"kinds: {mine.kind} and {theirs.kind}")
        if len(mine.params) != len(theirs.params):
            raise self._different(one, "universe parameters")
        if mine.kind not in _TRANSPARENT and (
            self._forth.setdefault(one, other) != other or self._back.setdefault(other, one) != one
        ):
            raise self._different(one, "correspondences: it would be two constants at once")
        self._expression_pair(mine, theirs, mine.type, theirs.type, strict=strict)
        # Of a theorem only what it says counts: any other proof of it is as good.
        if mine.kind in (ConstantKind.DEFINITION, ConstantKind.OPAQUE):
            self._expression_pair(mine, theirs, mine.value or 0, theirs.value or 0, strict=strict)
        if mine.block is not None and theirs.block is not None:
            self._blocks(mine, theirs, strict=strict)

    def _blocks(self, mine: Constant, theirs: Constant, *, strict: bool) -> None:
        """Note that everything must be the same that belongs to the inductive types to which two constants belong."""
        one, block, other = mine.name, mine.block, theirs.block
        if block is None or other is None:
            return
        if mine.at != theirs.at:
            raise self._different(one, "places among the inductive types")
        if (id(block), id(other)) in self._block_pairs:
            return
        self._block_pairs.add((id(block), id(other)))
        # Recursors follow from types and constructors.
        shapes, their_shapes = (
            [(each.parameters, len(each.constructors)) for each in types] for types in (block.types, other.types)
        )
        if shapes != their_shapes:
            raise self._different(one, "parameters or constructors")
        self._constants.extend(
            (my.name, their.name, strict)
            for my, their in zip([*block.types, *block.constructors], [*other.types, *other.constructors], strict=True)
        )

    def _expression_pair(self, mine: Constant, theirs: Constant, one: int, other: int, *, strict: bool) -> None:
        renamed = () if mine.params == theirs.params else tuple(zip(mine.params, theirs.params, strict=True))
        context = self._contexts.setdefault((strict, renamed), _Context(renamed, binders=strict))
        self._pending.append((context, False, one, other))

    def _levels(self, context: _Context, one: int, other: int) -> bool:
        mine, theirs = self._one.terms, self._other.terms
        kind = mine.level_kinds[one]
        if kind != theirs.level_kinds[other]:
            return False
        first, second = (column[one] for column in mine.level_columns)
        their_first, their_second = (column[other] for column in theirs.level_columns)
        if kind == Level.PARAM:
            # Where parameters are renamed, one that is not among them does not belong to this constant.
            return context.renamed.get(first, None if context.renamed else first) == their_first
        if kind != Level.ZERO:
            self._pending.append((context, True, first, their_first))
            # A successor has 0 in its second column, which is level 0.
            self._pending.append((context, True, second, their_second))
        return True

    def _expressions(self, context: _Context, one: int, other: int) -> bool:
        mine, theirs = self._one.terms, self._other.terms
        kind = mine.kinds[one]
        if kind != theirs.kinds[other]:
            return False
        first, second, third = (column[one] for column in mine.columns)
        their_first, their_second, their_third = (column[other] for column in theirs.columns)
        self._pending.extend(
            (context, False, *pair) for pair in zip(mine.children(one), theirs.children(other), strict=True)
        )
        same = True
        if kind == Expr.BVAR:
            same = first == their_first
        elif kind == Expr.SORT:
            self._pending.append((context, True, first, their_first))
        elif kind == Expr.CONST:
            levels, their_levels = mine.level_lists[second], theirs.level_lists[their_second]
            same = len(levels) == len(their_levels)
            self._pending.extend((context, True, *pair) for pair in zip(levels, their_levels, strict=False))
            # As strictly as everything: what `constant` was told is for the constant that it was asked about.
            self._constants.append((first, their_first, self._binders))
        elif kind == Expr.PROJ:
            self._constants.append((first, their_first, self._binders))
            same = second == their_second
        elif kind in (Expr.NAT, Expr.STR):
            of = self._names.of(("Nat",) if kind == Expr.NAT else ("String",))
            self._constants.append((of, of, self._binders))
            same = mine.literals[first] == theirs.literals[their_first]
        elif kind in (Expr.LAM, Expr.FORALL) and context.binders:
            same = third == their_third
        return same

    def _different(self, name: int, what: str) -> Different:
        return Different(f"`{self._names.text(name)}` is not the same in both: they differ in {what}")


class _Context:
    """The rows that were taken to be equal where universe parameters are renamed in one way.

    Rows of both exports are in one partition: each pair that is taken to be equal makes two classes one, so there are
    fewer pairs than rows. Since one difference ends the comparison, all that was taken to be equal is.
    """

    def __init__(self, renamed: tuple[tuple[int, int], ...], *, binders: bool) -> None:
        self.renamed = dict(renamed)
        self.binders = binders
        self._parents: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def unite(self, is_level: bool, one: int, other: int) -> bool:  # noqa: FBT001 - which of two tables
        """Take a row of the one and a row of the other for equal; tell whether that is new."""
        parents = self._parents[is_level]
        mine, theirs = _root(parents, 2 * one), _root(parents, 2 * other + 1)
        if mine == theirs:
            return False
        parents[mine] = theirs
        return True


def _root(parents: dict[int, int], row: int) -> int:
    while (parent := parents.get(row, row)) != row:
        # Every other row on the way is hung higher, which keeps later ways short.
        parents[row] = above = parents.get(parent, parent)
        row = above
    return row
