"""Compares what an export says of inductive types, beside their types, with those types.

A kernel makes the recursors of an inductive type, and the numbers of its parameters, fields and so on, from the types
of the type and of its constructors. An export has them, too, and some kernels compute with those of the export: with a
constructor that is said to have one field fewer, or with one more "recursor" of a type without a proof, whatever is
wanted can be proved. So all of them must be those that Lean makes. Whether the types themselves are right, those of
recursors too, is the kernels' work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.export.constants import Constructor, Recursor
from streamverify.core.export.lines import ExportError
from streamverify.core.export.terms import Expr

if TYPE_CHECKING:
    from streamverify.core.export.budget import Budget
    from streamverify.core.export.constants import Block, Constant, Export, Inductive


TYPES, ALL = 1, 2
"""The constants of a block that an expression mentions: its types alone, or also a constructor or a recursor."""


def refuse_block(export: Export, block: Block, mentioning: dict[int, int], budget: Budget) -> None:
    """Refuse inductive types of which the export says what does not follow from their types.

    `mentioning` are the expressions that mention a constant of the block: `TYPES`, or `ALL`.

    Raises:
        ExportError: It says so.
    """
    check = _Check(export, block, budget)
    check.types(mentioning)
    check.constructors(mentioning)
    check.recursors()


class _Check:
    """Holds one block to its types; each method raises ExportError where the export contradicts them."""

    def __init__(self, export: Export, block: Block, budget: Budget) -> None:
        self._export = export
        self._terms = export.terms
        self._block = block
        self._budget = budget
        self._first = block.types[0]
        self._own = {each.name: each for each in block.constructors}

    def types(self, mentioning: dict[int, int]) -> None:
        """Hold the types to what they have in common, and to their arguments. None of them mentions one of them."""
        names = tuple(each.name for each in self._block.types)
        for each in self._block.types:
            self._must(each, "declared together", each.all == names)
            self._must(each, "mentions", each.type not in mentioning)
            self._must(each, "universe parameters", each.params == self._first.params)
            self._must(each, "parameters", each.parameters == self._first.parameters)
            self._must(each, "indices", len(self._arguments(each.type)) == each.parameters + each.indices)

    def constructors(self, mentioning: dict[int, int]) -> None:
        """Hold each to its place in a type and to its number of arguments. It mentions types alone."""
        listed = [(type_, index, name) for type_ in self._block.types for index, name in enumerate(type_.constructors)]
        self._must(self._first, "constructors", len(listed) == len(self._block.constructors))
        recursive = False
        for (type_, index, name), each in zip(listed, self._block.constructors, strict=True):
            self._must(each, "constructors", (each.name, each.of, each.index) == (name, type_.name, index))
            self._must(each, "mentions", mentioning.get(each.type) != ALL)
            self._must(each, "universe parameters", each.params == self._first.params)
            self._must(each, "parameters", each.parameters == self._first.parameters)
            arguments = self._arguments(each.type)
            self._must(each, "fields", len(arguments) == each.parameters + each.fields)
            recursive |= any(argument in mentioning for argument in arguments)
        for type_ in self._block.types:
            self._must(type_, "recursion", type_.recursive == recursive)

    def recursors(self) -> None:
        """Require one for each type, one for each type that is nested in them, and no other.

        How many are nested is what the first recursor has more motives than there are types. Its type is what kernels
        make again by themselves, so the number is theirs.
        """
        names, first, types = self._export.names, self._first, self._block.types
        by_name = {each.name: each for each in self._block.recursors}
        main = by_name.get(names.child(first.name, "rec"))
        if main is None:
            raise self._contradicts(first, "recursors")
        motives = self._motives(main)
        nested = [names.child(first.name, f"rec_{number}") for number in range(1, motives - len(types) + 1)]
        expected = [*(names.child(each.name, "rec") for each in types), *nested]
        self._must(first, "recursors", len(expected) == len(self._block.recursors) == motives)
        self._must(first, "recursors", by_name.keys() == set(expected))
        for at, (name, type_) in enumerate(zip(expected, [*types, *(None for _ in nested)], strict=True)):
            # Exporters write them in any order.
            by_name[name].at = at
            self._recursor(by_name[name], main, type_, motives)
        rules = sum(len(each.rules) for each in self._block.recursors)
        self._must(main, "rules", rules == main.minors)

    def _recursor(self, each: Recursor, main: Recursor, type_: Inductive | None, motives: int) -> None:
        """Hold one recursor to its type in the block; where that is None, it is one of a nested type."""
        first = self._first
        self._must(each, "declared together", each.all == first.all)
        # One more, which is first, where it eliminates into any universe.
        own = each.params[len(each.params) - len(first.params) :]
        self._must(each, "universe parameters", own == first.params and len(each.params) - len(own) in (0, 1))
        self._must(each, "universe parameters", each.params == main.params)
        counts = (each.parameters, each.motives, each.minors)
        self._must(each, "parameters", counts == (first.parameters, motives, main.minors))
        self._must(each, "arguments", len(self._arguments(each.type)) == sum(counts) + each.indices + 1)
        for rule in each.rules:
            constructor = self._constructor(rule.constructor)
            self._must(each, "rules", constructor is not None and rule.fields == constructor.fields)
        if type_ is not None:
            self._must(each, "indices", each.indices == type_.indices)
            self._must(each, "rules", tuple(rule.constructor for rule in each.rules) == type_.constructors)
        # It may forget what it is applied to only where a proposition has one constructor, without fields.
        self._must(each, "k", not each.k or self._is_k(motives))

    def _constructor(self, name: int) -> Constructor | None:
        found = self._own.get(name) or self._export.constants.get(name)
        return found if isinstance(found, Constructor) else None

    def _motives(self, main: Recursor) -> int:
        """Count the arguments of a recursor, after the parameters, whose type ends in a sort."""
        count = 0
        for argument in self._arguments(main.type)[self._first.parameters :]:
            if self._terms.kinds[self._end(argument)] != Expr.SORT:
                break
            count += 1
        return count

    def _is_k(self, motives: int) -> bool:
        end = self._end(self._first.type)
        return (
            motives == 1
            and [each.fields for each in self._block.constructors] == [0]
            and self._terms.kinds[end] == Expr.SORT
            and self._terms.is_zero(self._terms.columns[0][end])
        )

    def _arguments(self, row: int) -> list[int]:
        arguments, _ = self._terms.telescope(row)
        self._budget.spend(len(arguments))
        return arguments

    def _end(self, row: int) -> int:
        arguments, end = self._terms.telescope(row)
        self._budget.spend(len(arguments))
        return end

    def _must(self, of: Constant, what: str, holds: bool) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            raise self._contradicts(of, what)

    def _contradicts(self, of: Constant, what: str) -> ExportError:
        return ExportError(f"what it says of `{self._export.names.text(of.name)}` contradicts the types: {what}")
