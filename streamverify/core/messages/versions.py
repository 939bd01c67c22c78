"""Versions of Lean, compared. Pure."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-rc(\d+))?(?![\d.])")
_RELEASED = 1 << 30


def lean_version(text: str) -> tuple[int, int, int, int] | None:
    """What a version sorts by: `4.9.0-rc1` before `4.9.0`, other suffixes like none; None where it is no version."""
    match = _VERSION.match(text)
    if match is None:
        return None
    major, minor, patch, candidate = match.groups()
    return int(major), int(minor), int(patch), _RELEASED if candidate is None else int(candidate)


ANY = "any"
"""In place of the oldest version that may be: every one may, also one that cannot be read."""


def is_older(version: str | None, least: str) -> bool:
    """Whether a version is older than `least`; one that cannot be read counts as older, unless `least` is `any`."""
    if least == ANY:
        return False
    ours, floor = lean_version(version or ""), lean_version(least)
    return ours is None or floor is None or ours < floor
