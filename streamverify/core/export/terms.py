"""Levels and expressions of one export, as tables: each is a row, which refers to earlier rows only.

The tables are arrays of numbers, because an export may have ten million rows: 13 bytes for an expression and one for
whether it is closed. Names of bound variables are not kept, since nothing that is decided here depends on them.
"""

from __future__ import annotations

from array import array
from enum import IntEnum


class Level(IntEnum):
    """The kind of a row of the levels; the comments say what its two columns mean."""

    ZERO = 0
    SUCC = 1  # a level
    MAX = 2  # two levels
    IMAX = 3  # two levels
    PARAM = 4  # a name


class Expr(IntEnum):
    """The kind of a row of the expressions; the comments say what its three columns mean."""

    BVAR = 0  # the number of binders between it and its own
    SORT = 1  # a level
    CONST = 2  # a name, a row of `level_lists`
    APP = 3  # function, argument
    LAM = 4  # type, body, a `Binder`
    FORALL = 5  # type, body, a `Binder`
    LET = 6  # type, value, body
    PROJ = 7  # the structure's name, the field's number, the value
    NAT = 8  # a row of `literals`
    STR = 9  # a row of `literals`


class Binder(IntEnum):
    """The way in which an argument of a function is given, in the words of the export."""

    DEFAULT = 0
    IMPLICIT = 1
    STRICT_IMPLICIT = 2
    INST_IMPLICIT = 3


_CHILDREN: tuple[tuple[int, ...], ...] = tuple(
    {Expr.APP: (0, 1), Expr.LAM: (0, 1), Expr.FORALL: (0, 1), Expr.LET: (0, 1, 2), Expr.PROJ: (2,)}.get(kind, ())
    for kind in Expr
)
"""The columns of an expression that are expressions, for each kind."""


class Terms:
    """The tables. Rows are added by whoever has checked that they refer to earlier ones."""

    def __init__(self) -> None:
        self.level_kinds = bytearray([Level.ZERO])
        self.level_columns = (array("I", [0]), array("I", [0]))
        self.level_lists: list[tuple[int, ...]] = []
        self.literals: list[str] = []
        self.kinds = bytearray()
        self.columns = (array("I"), array("I"), array("I"))
        self.open = bytearray()
        """1 for an expression that mentions a constant which was not declared when it was added, else 0."""
        self._list_rows: dict[tuple[int, ...], int] = {}

    def level(self, kind: Level, first: int, second: int = 0) -> int:
        """Add a level and return its row."""
        self.level_kinds.append(kind)
        self.level_columns[0].append(first)
        self.level_columns[1].append(second)
        return len(self.level_kinds) - 1

    def add(self, kind: int, first: int, second: int, third: int, is_open: int) -> int:
        """Add an expression and return its row."""
        self.kinds.append(kind)
        one, two, three = self.columns
        one.append(first)
        two.append(second)
        three.append(third)
        self.open.append(is_open)
        return len(self.kinds) - 1

    def level_list(self, levels: tuple[int, ...]) -> int:
        """Return the row of the levels that a constant is applied to."""
        row = self._list_rows.setdefault(levels, len(self.level_lists))
        if row == len(self.level_lists):
            self.level_lists.append(levels)
        return row

    def literal(self, text: str) -> int:
        """Add the digits of a number or the text of a string, and return its row."""
        self.literals.append(text)
        return len(self.literals) - 1

    def children(self, row: int) -> tuple[int, ...]:
        """Return the expressions that an expression consists of."""
        return tuple([self.columns[column][row] for column in _CHILDREN[self.kinds[row]]])

    def is_zero(self, level: int) -> bool:
        """Tell whether a level is 0 whatever its parameters are, so that its sort is `Prop`."""
        pending = [level]
        # All that are left on the list must be zero. A row may come twice, so each is looked at once.
        seen: set[int] = set()
        while pending:
            row = pending.pop()
            if row in seen:
                continue
            seen.add(row)
            kind = self.level_kinds[row]
            if kind in (Level.SUCC, Level.PARAM):
                return False
            if kind == Level.MAX:
                pending.append(self.level_columns[0][row])
            # `imax a b` is 0 where b is, whatever a is: so of it b alone is looked at.
            if kind in (Level.MAX, Level.IMAX):
                pending.append(self.level_columns[1][row])
        return True

    def telescope(self, row: int) -> tuple[list[int], int]:
        """Return the types of the arguments that a type asks for one after the other, and what it ends in."""
        domains: list[int] = []
        types, bodies, _ = self.columns
        while self.kinds[row] == Expr.FORALL:
            domains.append(types[row])
            row = bodies[row]
        return domains, row
