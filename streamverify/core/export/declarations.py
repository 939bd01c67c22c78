"""The declarations of an export: what each declares, and that it mentions only what was declared before.

What kernels make of a declaration by themselves, such as the number of a constructor's fields, is in the export, too;
`blocks.py` refuses what contradicts the types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.export.blocks import ALL, TYPES, refuse_block
from streamverify.core.export.budget import CONSTANT
from streamverify.core.export.constants import (
    Block,
    Constant,
    ConstantKind,
    Constructor,
    Inductive,
    Recursor,
    RecursorRule,
)
from streamverify.core.export.lines import ExportError, Fields
from streamverify.core.export.names import ANONYMOUS
from streamverify.core.export.terms import Expr

if TYPE_CHECKING:
    from streamverify.core.export.budget import Budget
    from streamverify.core.export.constants import Export
    from streamverify.core.export.rows import ExpressionRows, LevelRows, NameRows

_FIELDS = {
    # Some versions of lean4export write `all` of axioms.
    "axiom": (ConstantKind.AXIOM, "name levelParams type isUnsafe", "all"),
    "def": (ConstantKind.DEFINITION, "name levelParams type value hints safety all", ""),
    "thm": (ConstantKind.THEOREM, "name levelParams type value all", ""),
    "opaque": (ConstantKind.OPAQUE, "name levelParams type value isUnsafe all", ""),
    "quot": (ConstantKind.QUOTIENT, "name levelParams type kind", ""),
}
_QUOTIENT = {"type": ("Quot",), "ctor": ("Quot", "mk"), "lift": ("Quot", "lift"), "ind": ("Quot", "ind")}
_MAX_COUNT = 2**16 - 1
"""The most fields, parameters and so on: kernels that count them in 16 bits read no more."""


class Declarations:
    """Reads declarations into an export."""

    def __init__(
        self, export: Export, names: NameRows, levels: LevelRows, expressions: ExpressionRows, budget: Budget
    ) -> None:
        self._export = export
        self._names = names
        self._levels = levels
        self._expressions = expressions
        self._budget = budget
        self._literal_types = {
            int(Expr.NAT): export.names.of(("Nat",)),
            int(Expr.STR): export.names.of(("String",)),
        }

    def read(self, word: str, value: object) -> None:
        """Take a declaration, of kind `word`.

        Raises:
            ExportError: It is none, or mentions what was not declared before.
        """
        if word == "inductive":
            self._block(Fields(word, value, "types ctors recs"))
            return
        if word not in _FIELDS:
            raise ExportError(f"`{word[:40]!a}` is no kind of declaration")
        kind, required, optional = _FIELDS[word]
        fields = Fields(word, value, required, optional)
        constant = Constant(kind, *self._head(fields))
        if "value" in required:
            constant.value = self._expressions.get(fields.number("value"))
        if "isUnsafe" in required:
            self._mark(constant, is_unsafe=fields.flag("isUnsafe"))
        if kind is ConstantKind.DEFINITION:
            # Hints are advice on what to unfold first.
            if (hints := fields.any("hints")) not in ("opaque", "abbrev"):
                Fields("hints", hints, "regular").number("regular")
            if (safety := fields.text("safety")) not in ("safe", "unsafe", "partial"):
                raise ExportError(f"the safety `{safety[:40]!a}` is not known")
            self._mark(constant, is_unsafe=safety != "safe")
        if kind is ConstantKind.QUOTIENT:
            constant.word = fields.text("kind")
            if self._export.names.of(_QUOTIENT.get(constant.word, ())) != constant.name:
                raise ExportError("it is no part of the quotient type")
        # Only what is unsafe may mention itself and what is defined with it; it is refused later, by its name.
        others = self._list(fields, "all") if fields.has("all") else ()
        is_unsafe = constant.name in self._export.unsafe
        self._close([constant], dict.fromkeys((constant.name, *others), ALL) if is_unsafe else {})
        self._declare(constant)

    def _block(self, fields: Fields) -> None:
        block = Block(
            [self._type(each) for each in fields.objects("types")],
            [self._constructor(each) for each in fields.objects("ctors")],
            [self._recursor(each) for each in fields.objects("recs")],
        )
        members = block.members()
        if not block.types:
            raise ExportError("it declares no inductive type")
        for row in (block.types, block.constructors, block.recursors):
            for at, member in enumerate(row):
                member.block, member.at = block, at
        # One member stands for the block: the expressions of all are its roots.
        ranks = {each.name: TYPES if isinstance(each, Inductive) else ALL for each in members}
        mentioning = self._close(members[:1], ranks)
        refuse_block(self._export, block, mentioning, self._budget)
        for member in members:
            self._declare(member)

    def _type(self, value: object) -> Inductive:
        words = "name levelParams type numParams numIndices all ctors numNested isRec isUnsafe isReflexive"
        fields = Fields("type", value, words)
        fields.flag("isReflexive")
        constant = Inductive(
            ConstantKind.INDUCTIVE,
            *self._head(fields),
            parameters=self._count(fields, "numParams"),
            indices=self._count(fields, "numIndices"),
            nested=self._count(fields, "numNested"),
            recursive=fields.flag("isRec"),
            all=self._list(fields, "all"),
            constructors=self._list(fields, "ctors"),
        )
        self._mark(constant, is_unsafe=fields.flag("isUnsafe"))
        return constant

    def _constructor(self, value: object) -> Constructor:
        fields = Fields("ctor", value, "name levelParams type induct cidx numParams numFields isUnsafe")
        constant = Constructor(
            ConstantKind.CONSTRUCTOR,
            *self._head(fields),
            of=self._names.get(fields.number("induct")),
            index=self._count(fields, "cidx"),
            parameters=self._count(fields, "numParams"),
            fields=self._count(fields, "numFields"),
        )
        self._mark(constant, is_unsafe=fields.flag("isUnsafe"))
        return constant

    def _recursor(self, value: object) -> Recursor:
        words = "name levelParams type all numParams numIndices numMotives numMinors rules k isUnsafe"
        fields = Fields("rec", value, words)
        rules = [Fields("rule", each, "ctor nfields rhs") for each in fields.objects("rules")]
        self._budget.spend(len(rules))
        constant = Recursor(
            ConstantKind.RECURSOR,
            *self._head(fields),
            all=self._list(fields, "all"),
            parameters=self._count(fields, "numParams"),
            indices=self._count(fields, "numIndices"),
            motives=self._count(fields, "numMotives"),
            minors=self._count(fields, "numMinors"),
            rules=tuple(
                RecursorRule(
                    self._names.get(rule.number("ctor")),
                    self._count(rule, "nfields"),
                    self._expressions.get(rule.number("rhs")),
                )
                for rule in rules
            ),
            k=fields.flag("k"),
        )
        self._mark(constant, is_unsafe=fields.flag("isUnsafe"))
        return constant

    def _head(self, fields: Fields) -> tuple[int, tuple[int, ...], int]:
        """Return name, universe parameters and type, with which every declaration begins."""
        name = self._names.get(fields.number("name"))
        if name == ANONYMOUS:
            raise ExportError("it declares what has no name")
        params = self._list(fields, "levelParams")
        if len(set(params)) != len(params):
            raise ExportError("a universe parameter stands twice in it")
        if not self._levels.parameters.issuperset(params):
            raise ExportError("a universe parameter of it is no level")
        return name, params, self._expressions.get(fields.number("type"))

    def _list(self, fields: Fields, word: str) -> tuple[int, ...]:
        names = tuple(map(self._names.get, fields.numbers(word)))
        self._budget.spend(len(names))
        return names

    def _count(self, fields: Fields, word: str) -> int:
        if (count := fields.number(word)) > _MAX_COUNT:
            raise ExportError(f"`{word}` is {count}, and at most {_MAX_COUNT} is known")
        return count

    def _mark(self, constant: Constant, *, is_unsafe: bool) -> None:
        if is_unsafe:
            self._export.unsafe[constant.name] = None

    def _declare(self, constant: Constant) -> None:
        self._budget.spend(CONSTANT)
        if constant.name in self._export.constants:
            raise ExportError(f"`{self._export.names.text(constant.name)}` is declared twice")
        self._export.constants[constant.name] = constant

    def _close(self, constants: list[Constant], own: dict[int, int]) -> dict[int, int]:
        """Refuse constants that mention what is not declared, other than their own names, each of which has a rank.

        Returns:
            The expressions that mention their own names, with the highest rank of those.
        """
        terms = self._export.terms
        pending = [row for constant in constants for row in self._export.roots(constant) if terms.open[row]]
        found = set(pending)
        while pending:
            for child in terms.children(pending.pop()):
                if terms.open[child] and child not in found:
                    found.add(child)
                    pending.append(child)
        mentioning: dict[int, int] = {}
        # Children stand before what consists of them.
        for row in sorted(found):
            kind = terms.kinds[row]
            name = terms.columns[0][row] if kind == Expr.CONST else self._literal_types.get(kind)
            rank = max(
                [
                    own.get(name, 0) if name is not None else 0,
                    *(mentioning.get(each, 0) for each in terms.children(row)),
                ]
            )
            if rank:
                mentioning[row] = rank
            elif name is not None and name not in self._export.constants:
                raise ExportError(f"it mentions `{self._export.names.text(name)}`, which is not declared before it")
        # All that they mention is declared when they are: none of these rows is looked at again.
        for row in found:
            terms.open[row] = 0
        return mentioning
