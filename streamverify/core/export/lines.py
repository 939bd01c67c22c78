"""One line of an export, from bytes to its JSON object, read more narrowly than JSON allows.

Whatever two readers of JSON may take differently is refused: a key that stands twice, `1.0`, `-0` and `1e3` for
numbers, escapes of halves of surrogate pairs, control characters, anything beside the object. No exporter writes what
is refused for that.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from streamverify.core.errors import StreamVerifyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_NUMBER = 2**32 - 1
"""The largest number that an export may have outside of a literal, which is a string."""

_CONTROL = re.compile(rb"[\x00-\x1f]")
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


class ExportError(StreamVerifyError):
    """An export cannot be read: why, and in which line, 0 for none.

    `too_large` tells that it went over a limit, and has no fault that was seen.
    """

    def __init__(self, message: str, line: int = 0, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.line = line
        self.too_large = too_large


def read_line(line: bytes) -> dict[str, Any]:
    """Read a line, without its newline, as one JSON object.

    Raises:
        ExportError: It is none, or is one that another reader could take for something else.
    """
    if _CONTROL.search(line):
        raise ExportError("a control character stands in it")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise ExportError("it is not UTF-8") from None
    if "\\u" in text and _HALF_OF_A_PAIR.search(text.replace("\\\\", "")):
        raise ExportError("a character is escaped by two halves")
    try:
        read = _DECODER.decode(text)
    except RecursionError:
        raise ExportError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ExportError(f"it is no JSON ({error.msg} at byte {error.pos + 1})") from None
    if not isinstance(read, dict):
        raise ExportError("it is no JSON object")
    return read


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ExportError("a key stands twice in it")
    return read


def _whole(digits: str) -> int:
    # Python reads `-0` as 0, others as no natural number; and the digits of a number may be millions.
    if digits[0] == "-" or len(digits) > len(str(MAX_NUMBER)) or (number := int(digits)) > MAX_NUMBER:
        raise ExportError("a number in it is no natural number below 2^32")
    return number


def _no_number(text: str) -> NoReturn:
    raise ExportError(f"a number in it is no natural number below 2^32: {text[:20]}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_whole, parse_float=_no_number, parse_constant=_no_number
)


class Fields:
    """The fields of one object, which must be exactly those that are asked for."""

    def __init__(self, what: str, value: object, required: str, optional: str = "") -> None:
        """Take an object with all `required` fields and no other but the `optional` ones (words in one string).

        Raises:
            ExportError: It is no object, a field is missing, or there is one more.
        """
        if not isinstance(value, dict):
            raise ExportError(f"`{what}` is no object")
        self._what = what
        self._values: Mapping[str, Any] = value
        names = required.split()
        if missing := [name for name in names if name not in value]:
            raise ExportError(f"`{what}` has no `{missing[0]}`")
        if len(value) != len(names) and (more := sorted(set(value) - set(names) - set(optional.split()))):
            raise ExportError(f"`{what}` has a field that is not known: `{more[0][:40]!a}`")

    def number(self, name: str) -> int:
        """Return a natural number."""
        return number(f"{self._what}.{name}", self._values[name])

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return a list of natural numbers."""
        value = self._values[name]
        if not isinstance(value, list):
            raise ExportError(f"`{self._what}.{name}` is no list")
        return tuple(number(f"{self._what}.{name}", each) for each in value)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._values[name]
        if not isinstance(value, bool):
            raise ExportError(f"`{self._what}.{name}` is neither true nor false")
        return value

    def text(self, name: str) -> str:
        """Return a string."""
        return text(f"{self._what}.{name}", self._values[name])

    def has(self, name: str) -> bool:
        """Tell whether an optional field is there."""
        return name in self._values

    def any(self, name: str) -> object:
        """Return a value of whatever kind."""
        return self._values[name]

    def objects(self, name: str) -> Iterator[object]:
        """Return the members of a list."""
        value = self._values[name]
        if not isinstance(value, list):
            raise ExportError(f"`{self._what}.{name}` is no list")
        return iter(value)


def number(what: str, value: object) -> int:
    """Return a value that must be a natural number.

    Raises:
        ExportError: It is none.
    """
    # True is an `int` in Python.
    if type(value) is not int:
        raise ExportError(f"`{what}` is no natural number")
    return value


def text(what: str, value: object) -> str:
    """Return a value that must be a string.

    Raises:
        ExportError: It is none.
    """
    if not isinstance(value, str):
        raise ExportError(f"`{what}` is no string")
    return value
