"""CHANGELOG.md as a release sees it: which section describes a version, and whether it may be released so."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNRELEASED = "Unreleased"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the changelog says of a version."""

    text: str
    """The section, without its heading."""
    problem: str | None
    """Why it cannot be released so, and what to do; None: it can."""


def sections(changelog: str) -> dict[str, str]:
    """Return the sections of the second level by their headings.

    Raises:
        ValueError: Two have the same heading.
    """
    parts = re.split(r"^## (.+)\n", changelog, flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        if heading.strip() in found:
            raise ValueError(f"CHANGELOG.md has two sections {heading.strip()}")
        found[heading.strip()] = text.strip()
    return found


def notes_of(changelog: str, version: str) -> Notes:
    """Return what describes `version`.

    A section is headed by a version and the day of its release, `## 0.2.0 - 2026-12-31`. While the section of the
    version is not there, `## Unreleased` describes it; when it is there, nothing may stand under `Unreleased`.

    Raises:
        ValueError: Two sections have the same heading.
    """
    found = sections(changelog)
    unreleased = found.get(UNRELEASED, "")
    dated = re.compile(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d")
    ours = [text for heading, text in found.items() if dated.fullmatch(heading)]
    if len(ours) > 1:
        raise ValueError(f"CHANGELOG.md has two sections for {version}")
    if not ours:
        return Notes(
            unreleased,
            f"CHANGELOG.md has no section for {version}: rename `## {UNRELEASED}` to `## {version} - YYYY-MM-DD`",
        )
    if unreleased:
        return Notes(
            ours[0],
            f"CHANGELOG.md has a section for {version}, and more under `## {UNRELEASED}`: move it, or raise the "
            "version in streamverify/version.py",
        )
    if not ours[0]:
        return Notes("", f"the section for {version} of CHANGELOG.md is empty")
    return Notes(ours[0], None)
