"""Compares versions of Lean. Pure."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-rc(\d+))?(?![\d.])")
_RELEASED = 1 << 30


def lean_version(text: str) -> tuple[int, int, int, int] | None:
    """Read a version as numbers that sort by age.

    `4.9.0-rc1` comes before `4.9.0`; other suffixes are ignored.

    Returns:
        None if the text is no version.
    """
    match = _VERSION.match(text)
    if match is None:
        return None
    # A release sorts after all of its candidates.
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch), _RELEASED if candidate is None else int(candidate)


ANY = "any"
"""In place of a minimum: every version is new enough, also one that cannot be read."""


def is_older(version: str | None, minimum: str) -> bool:
    """Tell whether a version is older than `minimum`. One that cannot be read counts as older, except for `any`."""
    if minimum == ANY:
        return False
    ours, floor = lean_version(version or ""), lean_version(minimum)
    return ours is None or floor is None or ours < floor
