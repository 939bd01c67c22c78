"""Names of declarations and modules as Lean writes them: dotted, with «quotes» around the parts that need them.

The one place where a name is taken apart, and put together from its parts.
"""

from __future__ import annotations

import re

from streamverify.core.syntax.lexer import KEYWORDS, PLAIN_PART

_PART = re.compile(r"«([^»]*+)»|[^.«»]++")


def parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name, without their quotes: `A.«b c»` has `A` and `b c`."""
    # Nearly every name is of this kind, and a policy check takes thousands of them apart.
    if "«" not in name:
        return tuple(filter(None, name.split(".")))
    return tuple(match.group() if (inner := match.group(1)) is None else inner for match in _PART.finditer(name))


def first_part(name: str) -> str:
    """Return the first part of a name as it is written there, with its quotes; the name itself where it has no part."""
    match = _PART.match(name)
    return match.group() if match else name


def quoted(part: str) -> str:
    """Write one part as Lean prints it: in «quotes» unless it is a plain identifier."""
    return part if PLAIN_PART.fullmatch(part) else f"«{part}»"


def printed(name: str) -> str:
    """Write a name as Lean prints it: without the «quotes» that it does not need. Keywords lose theirs, too."""
    return ".".join(map(quoted, parts(name))) if "«" in name else name


def spelled(name_parts: tuple[str, ...]) -> str:
    """Write a name that Lean reads back as these parts: quoted where a part is no plain identifier, or a keyword."""
    return ".".join(f"«{part}»" if part in KEYWORDS else quoted(part) for part in name_parts)
