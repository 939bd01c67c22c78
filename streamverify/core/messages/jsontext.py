"""JSON as text: orjson for nearly everything, the standard library for what orjson refuses and must not be lost.

orjson refuses more than 254 levels, integers beyond 64 bits and lone surrogates when it writes, and reads integers
beyond 64 bits as floats. Real infotrees are deeper, and real ids (`uuid4().int`) are longer.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 640
"""Python converts integers of this length whatever its limit is set to (`sys.int_info`)."""


def is_encodable(text: str) -> bool:
    """Tell whether UTF-8 can encode a text: a Python string may hold half of a surrogate pair."""
    try:
        # For proofs of many KB this is faster than a search by regular expression.
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def repaired(text: str) -> str:
    """Replace each lone surrogate by U+FFFD."""
    # Whether a text is ASCII Python knows without looking at it.
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def cut(text: str, size: int) -> str:
    """Make a text that UTF-8 can encode, of at most `size` code points; a cut one ends in `…`."""
    return repaired(text if len(text) <= size else text[: size - 1] + "…")


def dumps(value: Any) -> bytes:
    """Write compact JSON in UTF-8.

    Raises:
        ValueError: The value is no JSON, or is nested too deeply to be written or to be read again.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dumps_with_stdlib(value)


def _dumps_with_stdlib(value: Any) -> bytes:
    """Write with the standard library: it takes any integer and more levels; lone surrogates become U+FFFD."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None
    data = repaired(text).encode()
    # The standard library writes deeper than orjson reads. What no reader of the topic could read must not be sent.
    try:
        # Two levels more than its own: a part of an answer lies that deep in its result.
        orjson.loads(b"[[%b]]" % data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"cannot be read again as JSON: {error}") from None
    return data


def loads_leniently(data: bytes) -> Any:
    """Read exactly, and leniently, what orjson approximates or refuses.

    Integers of up to 640 digits are exact. NaN, Infinity, control characters in strings and half surrogate pairs are
    accepted; bytes that are not UTF-8 become lone surrogates. Use it only to say what is wrong with a document and
    under which custom_id, or to get the exact value of an integer.

    Raises:
        ValueError: Not even a lenient reader can read it.
    """
    try:
        return json.loads(data.decode("utf-8", "surrogateescape"), strict=False, parse_int=_integer)
    except RecursionError:
        # How many levels that are depends on the interpreter's stack.
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int | float:
    # A number that is longer than Python converts is no id that anyone means: as infinity it is refused.
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def has_rounded_integer(value: Any, max_depth: int) -> bool:
    """Tell whether the first `max_depth` levels have a float that orjson may have made of an integer beyond 64 bits."""
    if isinstance(value, float):
        # A float of the sender's own (`1e300`) costs no more than reading once again.
        return abs(value) >= 2**63
    if max_depth == 0 or not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return any(has_rounded_integer(item, max_depth - 1) for item in items)


def check_json(value: Any, *, max_depth: int) -> None:
    """Check that a value is JSON, has no more than `max_depth` levels, and comes back as it was written.

    Raises:
        ValueError: It is not. The text continues a sentence that begins with the value's name.
    """
    match value:
        case dict() | list() if max_depth == 0:
            raise ValueError("is nested too deeply")
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError("has a key that is no string")  # noqa: TRY004 - pydantic turns it into one of its own
                check_json(key, max_depth=max_depth)
                check_json(item, max_depth=max_depth - 1)
        case list():
            for item in value:
                check_json(item, max_depth=max_depth - 1)
        case str() if not is_encodable(value):
            raise ValueError("has characters that UTF-8 cannot encode (half of a surrogate pair)")
        case float() if not math.isfinite(value):
            raise ValueError("has a number that JSON cannot express (NaN or an infinity)")
        case str() | float() | int() | None:
            pass
        case _:
            raise ValueError(f"has a value of the Python type {type(value).__name__}, which is no JSON")
