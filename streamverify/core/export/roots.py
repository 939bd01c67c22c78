"""The names that an exporter is asked for, as it reads them, and those that the trusted export must have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from streamverify.core.export.known import KERNEL_ROOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAME = re.compile(rb'[^\n]*"in"[^\n]*')
_NUMBER = re.compile(r"\+?[0-9]+")


def exporter_name(parts: Sequence[str]) -> str | None:
    """Return what `olean-export` reads as the name with these parts; None where it reads no text so.

    It divides at every dot, and takes digits for a number: no text names `«a.b»` or `«1»`.
    """
    if not parts or any(not part or "." in part or _NUMBER.fullmatch(part) for part in parts):
        return None
    # An argument of its command line has neither.
    text = ".".join(parts)
    return None if text.startswith("-") or "\0" in text else text


def needed(proof: Iterable[bytes]) -> tuple[str, ...]:
    """Return those of `KERNEL_ROOTS` that a proof's export has a name for, as exporters read them.

    It looks at the names alone, and has no word on whether they are right: `judge` has. So it may name one that is not
    declared, which a header that has it does not mind.
    """
    ids: dict[int, tuple[str, ...]] = {0: ()}
    wanted = set(KERNEL_ROOTS)
    prefixes = {parts[:1] for parts in wanted}
    found: list[tuple[str, ...]] = []
    pieces: list[bytes] = []
    for chunk in proof:
        pieces.append(chunk)
        if b"\n" not in chunk:
            continue
        *lines, rest = b"".join(pieces).split(b"\n")
        pieces = [rest]
        for line in lines:
            # Most lines are expressions: they need not be decoded to be passed over.
            if b'"str"' not in line or b'"in"' not in line:
                continue
            try:
                row = json.loads(line)
                parent, part = ids.get(row["str"]["pre"]), row["str"]["str"]
                index = row["in"]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            if parent is None or not isinstance(part, str) or not isinstance(index, int):
                continue
            parts = (*parent, part)
            if parts in wanted and parts not in found:
                found.append(parts)
            if parts in prefixes:
                ids[index] = parts
    return tuple(".".join(parts) for parts in sorted(found))
