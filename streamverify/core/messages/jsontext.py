"""JSON as text: orjson for nearly everything, the standard library where orjson refuses what must not be lost.

orjson refuses more than 254 levels, integers beyond 64 bits and lone surrogates when it writes, and reads integers
beyond 64 bits as floats. Real infotrees are deeper, and real ids (`uuid4().int`) are longer.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

MAX_DEPTH = 1024
"""Levels that orjson, and so every reader of ours, reads."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 640
"""Python converts integers of this length whatever its limit is set to (`sys.int_info`)."""


def is_text(text: str) -> bool:
    """Whether UTF-8 can encode it: a Python string may hold half of a surrogate pair."""
    try:
        # faster than a search by regular expression for proofs of many KB
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def repaired(text: str) -> str:
    """The text with U+FFFD for each lone surrogate."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def cut(text: str, size: int) -> str:
    """A text that UTF-8 can encode, of at most `size` code points."""
    return repaired(text if len(text) <= size else text[: size - 1] + "…")


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON.

    Raises:
        ValueError: The value is no JSON, or is nested too deeply to be written or to be read again.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dumps_patiently(value)


def _dumps_patiently(value: Any) -> bytes:
    """The same by the standard library: any integer, more levels, U+FFFD for lone surrogates."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None
    data = repaired(text).encode()
    try:
        # two levels more, because a part of an answer lies that deep in its result
        orjson.loads(b"[[%b]]" % data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"cannot be read again as JSON: {error}") from None
    return data


def loads_patiently(data: bytes) -> Any:
    """Read exactly, and leniently, what orjson approximates or refuses.

    Integers of up to 640 digits are exact. NaN, Infinity, control characters in strings and half surrogate pairs are
    let through; bytes that are not UTF-8 become lone surrogates. Only for saying what is wrong with a document,
    and under which custom_id, or for the exact value of an integer.

    Raises:
        ValueError: Not even a lenient reader makes something of it.
    """
    try:
        return json.loads(data.decode("utf-8", "surrogateescape"), strict=False, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def has_rounded_integer(value: Any, max_depth: int) -> bool:
    """Whether a float in it may be what orjson made of an integer beyond 64 bits (looked for `max_depth` deep)."""
    if isinstance(value, float):
        return abs(value) >= 2**63
    if max_depth == 0 or not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return any(has_rounded_integer(item, max_depth - 1) for item in items)


def check(value: Any, *, max_depth: int) -> None:
    """Check that a value is JSON, of no more than `max_depth` levels, that comes back as it was written.

    Raises:
        ValueError: It is not; the text continues a sentence that begins with the value's name.
    """
    match value:
        case dict() | list() if max_depth == 0:
            raise ValueError("is nested too deeply")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError("has a key that is no string")  # noqa: TRY004 - pydantic turns it into one of its own
                check(key, max_depth=max_depth)
                check(item, max_depth=max_depth - 1)
        case list():
            for item in value:
                check(item, max_depth=max_depth - 1)
        case str() if not is_text(value):
            raise ValueError("has characters that UTF-8 cannot encode (half of a surrogate pair)")
        case float() if not math.isfinite(value):
            raise ValueError("has a number that JSON cannot express (NaN or an infinity)")
        case str() | float() | int() | None:
            pass
        case _:
            raise ValueError(f"has a value of the Python type {type(value).__name__}, which is no JSON")
