"""Reduces error texts to their form, without what differs from proof to proof: so alike ones are counted as one."""

from __future__ import annotations

import re

MAX_FORM = 200
"""Code points of a form."""

_MAX_LENGTH = 2_000
"""Code points that are looked at: the first line of an error is seldom longer than a hundred."""
_REPLACEMENTS = (
    # What Lean names itself: metavariables, and the hygienic names of macros.
    (re.compile(r"\?[\w.✝]+"), "?_"),
    (re.compile(r"✝[⁰¹²³⁴⁵⁶⁷⁸⁹]*"), ""),
    # What it quotes of the proof.
    (re.compile(r"'[^'\n]*'|`[^`\n]*`|\"[^\"\n]*\"|«[^»\n]*»"), "'…'"),
    (re.compile(r"\d+(?:\.\d+)?"), "N"),
)
_BLANKS = re.compile(r"\s+")


def normal_form(text: str) -> str:
    """Reduce an error text to what it has in common with others of its kind.

    Its first line that is not blank; each quotation is `'…'`, each number `N`, each metavariable `?_`. So
    `unknown identifier 'foo'` and `unknown identifier 'bar'` are one. What follows the first line, such as the goals of
    `unsolved goals`, belongs to the one proof.
    """
    first = next((line for line in text[:_MAX_LENGTH].splitlines() if line.strip()), "")
    for pattern, replacement in _REPLACEMENTS:
        first = pattern.sub(replacement, first)
    first = _BLANKS.sub(" ", first).strip()
    return first if len(first) <= MAX_FORM else first[: MAX_FORM - 1] + "…"
