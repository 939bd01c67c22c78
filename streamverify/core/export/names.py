"""Names of Lean as numbers: the same name has the same number in every export that one `NameTable` serves.

A name is a chain of parts, each a string or a natural number: `Nat.add` is the parts `Nat` and `add`, and is another
name than the one part `Nat.add`, which Lean writes `«Nat.add»`. Text with dots is for people alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamverify.core.syntax.lexer import PLAIN_PART

if TYPE_CHECKING:
    from collections.abc import Iterable

ANONYMOUS = 0
"""The number of the name without parts."""

_SHOWN = 8
"""Parts of a name, from its end, that are shown to people at most."""

_MAX_LENGTH = 60
"""Characters of a part that are shown to people at most."""

_MADE = re.compile(r"_.*+|(?:match|proof)_[0-9]++", re.DOTALL)
"""The parts that Lean gives to what it makes by itself: `match_1`, `proof_2`, `_proof_1`, `_private`, `_sizeOf_1`."""


class NameTable:
    """All names that were met, each with its number; `ANONYMOUS` is the first."""

    def __init__(self) -> None:
        self._parents: list[int] = [ANONYMOUS]
        self._parts: list[str | int] = [""]
        self._numbers: dict[tuple[int, str | int], int] = {}
        self._made = bytearray(1)

    def child(self, parent: int, part: str | int) -> int:
        """Return the number of the name with one more part, which gets one if it is new."""
        key = (parent, part)
        known = self._numbers.get(key)
        if known is not None:
            return known
        number = self._numbers[key] = len(self._parents)
        self._parents.append(parent)
        self._parts.append(part)
        # A number stands only in names that no person wrote, such as those of private declarations.
        is_made = isinstance(part, int) or _MADE.fullmatch(part) is not None
        self._made.append(self._made[parent] or is_made)
        return number

    def of(self, parts: Iterable[str | int]) -> int:
        """Return the number of the name with these parts."""
        name = ANONYMOUS
        for part in parts:
            name = self.child(name, part)
        return name

    def parent(self, name: int) -> int:
        """Return the name without its last part."""
        return self._parents[name]

    def is_made(self, name: int) -> bool:
        """Tell whether Lean makes such names: private ones, `match_1`, `proof_1`, `_…`, and everything below them."""
        return bool(self._made[name])

    def text(self, name: int) -> str:
        """Spell a name for people, as Lean does, without more than its last parts."""
        parts: list[str] = []
        while name != ANONYMOUS and len(parts) < _SHOWN:
            part = self._parts[name]
            # It is a stranger's text, which is to stand in a sentence: of one line, and not long.
            shown = str(part) if len(str(part)) <= _MAX_LENGTH else f"{str(part)[:_MAX_LENGTH]}…"
            shown = "".join(char if char.isprintable() else "�" for char in shown)
            parts.append(shown if isinstance(part, int) or PLAIN_PART.fullmatch(part) else f"«{shown}»")
            name = self._parents[name]
        if name != ANONYMOUS:
            parts.append("…")
        return ".".join(reversed(parts)) or "[anonymous]"
