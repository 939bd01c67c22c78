"""Texts from outside made safe to show: to a terminal, or on a page."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Replace what would control a terminal or reorder the visible text; line breaks and tabs stay."""
    if text.isprintable():
        return text  # nothing that steers is printable, and most texts are: this is a hundred times as fast
    return "".join(char if char in "\n\t" or not _steers(char) else _picture(char) for char in text)


def _steers(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs"} or unicodedata.bidirectional(char) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip


def _picture(char: str) -> str:
    return chr(0x2400 + ord(char)) if ord(char) < 0x20 else "\N{REPLACEMENT CHARACTER}"  # noqa: PLR2004 - C0 controls
