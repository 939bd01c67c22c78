"""Finds types for the columns of rows that have none of their own, as JSON has, so that they fit into Parquet.

No value is changed for it: where the values of a column have no type in common that holds all of them exactly, the
column becomes text, with JSON for what is not text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_FIELDS = 200
"""Names in an object before it is taken for a dictionary, whose names are data."""
_EXACT = 2**53
"""Integers up to here are exact as a float."""
_LONG = 2**63


@dataclass(frozen=True, slots=True)
class Type:
    """A type: `null`, `bool`, `int`, `long` (beyond what a float holds), `float`, `text`, `list`, `struct` or `mixed`.

    `item` is what a list has, `fields` what a struct has.
    """

    name: str
    item: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=dict)

    @property
    def is_mixed(self) -> bool:
        """True where no type of Parquet holds it."""
        return (
            self.name == "mixed"
            or (self.item is not None and self.item.is_mixed)
            or any(each.is_mixed for each in self.fields.values())
            # A struct without fields cannot be written.
            or (self.name == "struct" and not self.fields)
        )


NULL, MIXED, TEXT = Type("null"), Type("mixed"), Type("text")
_NUMBERS = {frozenset({"int", "long"}): Type("long"), frozenset({"int", "float"}): Type("float")}


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a data set and their types; those in `texts` have values that have to be made text first."""

    columns: Mapping[str, Type] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()


class Inference:
    """Is shown rows, and tells the types of their columns. Keeps no row."""

    def __init__(self) -> None:
        self._types: dict[str, Type] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row into account."""
        for name, value in row.items():
            known = self._types.get(name, NULL)
            # What is once text or mixed needs no second look at what fits.
            if known is MIXED or (known is TEXT and (value is None or isinstance(value, str))):
                continue
            self._types[name] = united(known, type_of(value))

    def shape(self) -> Shape:
        """Return the columns in the order in which they first came."""
        texts = frozenset(name for name, each in self._types.items() if each.is_mixed)
        return Shape({name: TEXT if name in texts else each for name, each in self._types.items()}, texts)


def type_of(value: Any) -> Type:
    """Return the type of one value."""
    match value:
        case None:
            found = NULL
        case bool():
            found = Type("bool")
        case int():
            found = Type("int" if abs(value) <= _EXACT else "long") if -_LONG <= value < _LONG else MIXED
        case float():
            found = Type("float")
        case str():
            found = TEXT
        case list():
            item = NULL
            for each in value:
                item = united(item, type_of(each))
            found = Type("list", item=item)
        case dict() if len(value) <= _MAX_FIELDS and all(isinstance(name, str) for name in value):
            found = Type("struct", fields={name: type_of(each) for name, each in value.items()})
        case _:
            found = MIXED
    return found


def united(one: Type, other: Type) -> Type:
    """Return the type that holds the values of both exactly; `mixed` where there is none."""
    # A null fits into every type.
    if one == other or other is NULL:
        return one
    if one is NULL:
        return other
    if one.name == other.name == "list":
        return Type("list", item=united(one.item or NULL, other.item or NULL))
    if one.name == other.name == "struct":
        names = dict.fromkeys([*one.fields, *other.fields])
        if len(names) > _MAX_FIELDS:
            return MIXED  # each row has other names: they are data, and would be as many columns
        return Type(
            "struct",
            fields={name: united(one.fields.get(name, NULL), other.fields.get(name, NULL)) for name in names},
        )
    return _NUMBERS.get(frozenset({one.name, other.name}), MIXED)


def as_text(value: Any) -> str:
    """Return a value of a column that became text: text as it is, all else as JSON."""
    return value if isinstance(value, str) else jsontext.dumps(value).decode("utf-8")
