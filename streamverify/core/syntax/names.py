"""Names of declarations as Lean writes them: dotted, with «quotes» around the parts that need them."""

from __future__ import annotations

import re

from streamverify.core.syntax.lexer import KEYWORDS, PLAIN_PART

_PART = re.compile(r"«([^»]*+)»|[^.«»]++")


def parts(name: str) -> tuple[str, ...]:
    """The parts of a name, without their quotes: `A.«b c»` has `A` and `b c`."""
    if "«" not in name:
        return tuple(filter(None, name.split(".")))
    return tuple(match.group() if (inner := match.group(1)) is None else inner for match in _PART.finditer(name))


def spelled(name_parts: tuple[str, ...]) -> str:
    """A name that Lean reads back as these parts: quoted where a part is no plain identifier, or a keyword."""
    return ".".join(part if PLAIN_PART.fullmatch(part) and part not in KEYWORDS else f"«{part}»" for part in name_parts)
