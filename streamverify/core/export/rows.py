"""The rows of an export that are no declarations: names, levels and expressions, each with the number that it gets.

Rows must be numbered without gaps and none may stand twice, since kernels that look an expression up by what it is
take such an export for another one, or end at it as if a term were wrong.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

from streamverify.core.export.budget import LEVEL, NAME
from streamverify.core.export.constants import Inductive
from streamverify.core.export.lines import MAX_NUMBER, ExportError, Fields, number, text
from streamverify.core.export.names import ANONYMOUS
from streamverify.core.export.terms import Binder, Expr, Level

if TYPE_CHECKING:
    from streamverify.core.export.budget import Budget
    from streamverify.core.export.constants import Export
    from streamverify.core.export.names import NameTable

_BINDERS = {
    "default": Binder.DEFAULT,
    "implicit": Binder.IMPLICIT,
    "strictImplicit": Binder.STRICT_IMPLICIT,
    "instImplicit": Binder.INST_IMPLICIT,
}
_DIGITS = re.compile(r"0|[1-9][0-9]*+")
_BUCKETS = 64


def _in_turn(what: str, index: int, turn: int) -> None:
    if index != turn:
        raise ExportError(f"it is {what} {index}, but the turn is at {turn}")


class NameRows:
    """The names: what the numbers of this export stand for."""

    def __init__(self, names: NameTable, budget: Budget) -> None:
        self._names = names
        self._budget = budget
        self._rows = [ANONYMOUS]
        self._known = {ANONYMOUS}

    def read(self, word: str, index: int, value: object) -> None:
        """Take the next row, of kind `word`.

        Raises:
            ExportError: It cannot be that row.
        """
        if word == "str":
            fields = Fields(word, value, "pre str")
            self.add(index, fields.number("pre"), fields.text("str"))
        elif word == "num":
            fields = Fields(word, value, "pre i")
            self.add(index, fields.number("pre"), fields.number("i"))
        else:
            raise ExportError(f"`{word[:40]!a}` is no kind of name")

    def add(self, index: int, parent: int, part: str | int) -> None:
        """Add the name that has one more part than an earlier one."""
        _in_turn("name", index, len(self._rows))
        self._budget.spend(NAME if isinstance(part, int) else NAME + len(part) // 32)
        name = self._names.child(self.get(parent), part)
        if name in self._known:
            raise ExportError("a name stands twice in it")
        self._known.add(name)
        self._rows.append(name)

    def get(self, index: int) -> int:
        """Return the name of a row.

        Raises:
            ExportError: There is none yet.
        """
        if index >= len(self._rows):
            raise ExportError(f"it mentions name {index}, which is not there yet")
        return self._rows[index]


class LevelRows:
    """The levels of universes."""

    def __init__(self, export: Export, names: NameRows, budget: Budget) -> None:
        self._terms = export.terms
        self._budget = budget
        self._names = names
        self._known = {(int(Level.ZERO), 0, 0)}
        self.parameters: set[int] = set()
        """The names of which there is a level."""

    def read(self, word: str, index: int, value: object) -> None:
        """Take the next row, of kind `word`.

        Raises:
            ExportError: It cannot be that row.
        """
        first = second = 0
        if word == "succ":
            kind = Level.SUCC
            first = self.get(number(word, value))
        elif word in ("max", "imax"):
            kind = Level.MAX if word == "max" else Level.IMAX
            match value:
                case [left, right]:
                    first, second = self.get(number(word, left)), self.get(number(word, right))
                case _:
                    raise ExportError(f"`{word}` is no list of two")
        elif word == "param":
            kind = Level.PARAM
            first = self._names.get(number(word, value))
            self.parameters.add(first)
        else:
            raise ExportError(f"`{word[:40]!a}` is no kind of level")
        _in_turn("level", index, len(self._terms.level_kinds))
        self._budget.spend(LEVEL)
        if (kind, first, second) in self._known:
            raise ExportError("a level stands twice in it")
        self._known.add((kind, first, second))
        self._terms.level(kind, first, second)

    def get(self, index: int) -> int:
        """Return a row.

        Raises:
            ExportError: There is none yet.
        """
        if index >= len(self._terms.level_kinds):
            raise ExportError(f"it mentions level {index}, which is not there yet")
        return index


class ExpressionRows:
    """The expressions. Those that are most of an export have methods of their own, which need no JSON."""

    def __init__(self, export: Export, names: NameRows, levels: LevelRows, budget: Budget, limit: int) -> None:
        self._budget = budget
        self._export = export
        self._terms = export.terms
        self._names = names
        self._levels = levels
        self._limit = limit
        # Hashes of all rows. Divided, because a set of all of them would need ten times their memory.
        self._hashes = [array("q") for _ in range(_BUCKETS)]
        self._nat = export.names.of(("Nat",))
        self._string = export.names.of(("String",))

    def read(self, word: str, index: int, value: object) -> None:  # noqa: C901 - one case for each kind
        """Take the next row, of kind `word`.

        Raises:
            ExportError: It cannot be that row.
        """
        if word == "bvar":
            self.bvar(index, number(word, value))
        elif word == "sort":
            self._add(index, Expr.SORT, self._levels.get(number(word, value)))
        elif word == "const":
            fields = Fields(word, value, "name us")
            self.const(index, fields.number("name"), fields.numbers("us"))
        elif word == "app":
            fields = Fields(word, value, "fn arg")
            self.app(index, fields.number("fn"), fields.number("arg"))
        elif word in ("lam", "forallE"):
            fields = Fields(word, value, "name type body binderInfo")
            kind = Expr.LAM if word == "lam" else Expr.FORALL
            body, name, domain = map(fields.number, ("body", "name", "type"))
            self.binding(index, kind, fields.text("binderInfo"), body=body, name=name, domain=domain)
        elif word == "letE":
            self._let(index, Fields(word, value, "name type value body nondep"))
        elif word == "proj":
            self._proj(index, Fields(word, value, "typeName idx struct"))
        elif word == "natVal":
            digits = text(word, value)
            # Rust takes `+1` for a number, and Lean `1_000`.
            if not _DIGITS.fullmatch(digits):
                raise ExportError("`natVal` is no natural number in decimal digits")
            self._literal(index, Expr.NAT, digits, self._nat)
        elif word == "strVal":
            self._literal(index, Expr.STR, text(word, value), self._string)
        else:
            raise ExportError(f"`{word[:40]!a}` is no kind of expression that an export of a theorem has")

    def bvar(self, index: int, binders: int) -> None:
        """Add a bound variable."""
        if binders > MAX_NUMBER:
            raise ExportError("a number in it is no natural number below 2^32")
        self._add(index, Expr.BVAR, binders)

    def const(self, index: int, name_row: int, levels: tuple[int, ...]) -> None:
        """Add a constant."""
        name = self._names.get(name_row)
        self._budget.spend(len(levels) // 4)
        row = self._terms.level_list(tuple(map(self._levels.get, levels)))
        self._add(index, Expr.CONST, name, row, is_open=name not in self._export.constants)

    def app(self, index: int, function: int, argument: int) -> None:
        """Add an application."""
        is_open = self._is_open(function) | self._is_open(argument)
        self._add(index, Expr.APP, function, argument, is_open=is_open)

    def binding(self, index: int, kind: Expr, info: str, *, body: int, name: int, domain: int) -> None:  # noqa: PLR0913 - as many as it has
        """Add a function, or the type of functions."""
        if info not in _BINDERS:
            raise ExportError(f"the binder info `{info[:40]!a}` is not known")
        self._names.get(name)
        is_open = self._is_open(domain) | self._is_open(body)
        self._add(index, kind, domain, body, _BINDERS[info], is_open=is_open, beside=name)

    def get(self, index: int) -> int:
        """Return a row.

        Raises:
            ExportError: There is none yet.
        """
        if index >= len(self._terms.kinds):
            raise ExportError(f"it mentions expression {index}, which is not there yet")
        return index

    def refuse_duplicates(self) -> None:
        """Refuse an export in which an expression stands twice.

        Raises:
            ExportError: One does; or, as seldom as three times in a million exports of ten million expressions, two
                have the same hash of 64 bits.
        """
        for hashes in self._hashes:
            if len(set(hashes)) != len(hashes):
                raise ExportError("an expression stands twice in it")

    def _let(self, index: int, fields: Fields) -> None:
        self._names.get(fields.number("name"))
        parts = [fields.number(word) for word in ("type", "value", "body")]
        is_open = max(map(self._is_open, parts))
        # `nondep` is advice to Lean's elaborator; but two rows that differ in it alone are two rows.
        beside = 2 * fields.number("name") + fields.flag("nondep")
        self._add(index, Expr.LET, *parts, is_open=is_open, beside=beside)

    def _proj(self, index: int, fields: Fields) -> None:
        name = self._names.get(fields.number("typeName"))
        of = self._export.constants.get(name)
        # Kernels differ in how much of this they check: some take the first of several constructors.
        if not isinstance(of, Inductive) or of.block is None or len(of.constructors) != 1:
            raise ExportError(f"it takes a field of `{self._export.names.text(name)}`, which is no structure")
        constructor = next(each for each in of.block.constructors if each.name == of.constructors[0])
        if fields.number("idx") >= constructor.fields:
            raise ExportError(f"it takes field {fields.number('idx')} of `{self._export.names.text(name)}`")
        value = fields.number("struct")
        self._add(index, Expr.PROJ, name, fields.number("idx"), value, is_open=self._is_open(value))

    def _literal(self, index: int, kind: Expr, literal: str, of: int) -> None:
        # A literal mentions its type without a constant for it.
        is_open = of not in self._export.constants
        self._budget.spend(LEVEL + len(literal) // 32)
        row = self._terms.literal(literal)
        self._add(index, kind, row, is_open=is_open, key=hash((kind, literal)))

    def _is_open(self, row: int) -> int:
        return self._terms.open[self.get(row)]

    def _add(  # noqa: PLR0913 - as many as the columns of a row
        self,
        index: int,
        kind: Expr,
        first: int,
        second: int = 0,
        third: int = 0,
        *,
        is_open: int = False,
        beside: int = 0,
        key: int | None = None,
    ) -> None:
        """Add a row; `beside` is what makes two rows different beside their columns."""
        _in_turn("expression", index, len(self._terms.kinds))
        if index >= self._limit:
            raise ExportError(f"there are more than {self._limit} expressions", too_large=True)
        if key is None:
            key = hash((kind, first, second, third, beside))
        self._hashes[key % _BUCKETS].append(key)
        self._terms.add(kind, first, second, third, is_open)
