"""Texts from outside made safe to show: to a terminal, or on a page."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Replace what would control a terminal or reorder the visible text; line breaks and tabs stay."""
    if text.isprintable():
        return text  # nothing that steers is printable, and most texts are: this is a hundred times as fast
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    # Control characters steer a terminal, half surrogates cannot be written, and the marks of direction reorder what
    # stands around them, so that a text would not say what it seems to say ("Trojan Source").
    steers = unicodedata.category(char) in {"Cc", "Cs"} or unicodedata.bidirectional(char) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip
    if char in "\n\t" or not steers:
        return char
    # Unicode has a picture of each C0 control, 0x2400 above it.
    return chr(0x2400 + ord(char)) if ord(char) < 0x20 else "\N{REPLACEMENT CHARACTER}"  # noqa: PLR2004 - C0 controls
