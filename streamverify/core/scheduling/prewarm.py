"""The setting PREWARM: the headers that a worker imports before it joins its group."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamverify.core.errors import HeaderError
from streamverify.core.syntax.header import parse_header

if TYPE_CHECKING:
    from streamverify.core.syntax.header import Header


def parse_prewarm(text: str) -> list[Header]:
    """Read headers separated by `;`, each one or more modules separated by blanks or commas; `none` names none.

    `Mathlib; Mathlib Aesop` names two headers: `import Mathlib`, and `import Mathlib` with `import Aesop`.

    Raises:
        ValueError: A part names no modules.
    """
    if text.strip() == "none":
        return []
    return [_header(part) for part in text.split(";") if part.strip()]


def _header(text: str) -> Header:
    modules = [word for word in re.split(r"[\s,]+", text) if word not in ("", "import")]
    source = "".join(f"import {module}\n" for module in modules)
    try:
        header = parse_header(source)
    except HeaderError as error:
        raise ValueError(f"`{text.strip()}` names no modules: {error}") from None
    # What Lean does not read as an import would begin the body, and nobody would be told.
    if header.end < len(source):
        raise ValueError(f"`{text.strip()}` names no modules")
    return header
