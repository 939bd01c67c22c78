"""`--where`: which rows are wanted, by the value of a column. Nothing of it is run as a program."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.columns import nearest, quoted
from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_FORM = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign>!=|==|<=|>=|!~|=|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL)
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {"null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: `column=value`, `!=`, `<`, `<=`, `>`, `>=`, or `~` and `!~` for a regular expression.

    A number is compared as one where the column has numbers, by `<` and its like also where it has texts that are
    numbers (CSV); a text as a text otherwise; `null`, `true` and `false` are
    those values, unless they stand in quotes. A row whose column is null, or of another kind, is not wanted, except by
    `!=` and `!~`.
    """

    column: str
    sign: str
    value: str
    quoted: bool = False

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition as it stands on the command line.

        Raises:
            SourceError: It is none, or its regular expression is wrong.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise SourceError(
                f"--where {text[:80]!r}: write COLUMN=VALUE, or != < <= > >= or ~ REGEX in the place of ="
            )
        value = match["value"]
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        condition = cls(match["column"], match["sign"], value[1:-1] if quoted else value, quoted)
        if condition.sign in {"~", "!~"}:
            try:
                re.compile(condition.value)
            except re.error as error:
                raise SourceError(f"--where {text[:80]!r}: the regular expression is wrong: {error}") from None
        return condition

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a row has what is asked for."""
        value = values.get(self.column)
        match self.sign:
            case "=" | "==":
                return self._equal(value)
            case "!=":
                return not self._equal(value)
            case "~" | "!~":
                found = isinstance(value, str) and re.search(self.value, value) is not None
                return found is (self.sign == "~")
        # For Python true is 1: nobody who asks for `score>0` means that.
        if value is None or isinstance(value, bool):
            return False
        other: Any = None if self.quoted else _number(self.value)
        if isinstance(value, str):
            # In CSV all values are texts, and 10 is more than 9 there, too.
            number = None if other is None else _number(value)
            value, other = (value, self.value) if number is None else (number, other)
        try:
            return other is not None and bool(_ORDER[self.sign](value, other))
        except TypeError:
            return False

    def _equal(self, value: Any) -> bool:
        if not self.quoted and self.value in _WORDS and not isinstance(value, str):
            return value is _WORDS[self.value]
        if isinstance(value, str) or value is None or isinstance(value, bool):
            return bool(value == self.value)
        number = _number(self.value)
        return str(value) == self.value if number is None else bool(value == number)


def parse_all(texts: Sequence[str], columns: Sequence[str]) -> list[Condition]:
    """Read the conditions that a row must all satisfy.

    Raises:
        SourceError: One is wrong, or of a column that is not there.
    """
    conditions = [Condition.parse(text) for text in texts]
    for condition in conditions:
        if condition.column not in columns:
            raise SourceError(
                f"--where: there is no column {quoted(condition.column)}{nearest(condition.column, columns)}"
            )
    return conditions


def _number(text: str) -> float | int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
