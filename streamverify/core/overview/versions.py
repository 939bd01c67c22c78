"""Finds the versions in which the workers of a group differ. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.overview.card import Versions, in_client_id
from streamverify.core.overview.model import MixedVersion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.overview.model import Member

NONE = "none"
"""Stands for the version of a program that a worker does not have."""
OLDER = "an older one"
"""Stands for the version of a worker that is too old to say it."""


def mixed_versions(members: Iterable[Member]) -> list[MixedVersion]:
    """Compare the workers of a group. Foreign members are left out, and workers of which nothing is known."""
    ours = [member for member in members if member.state != "foreign"]
    found = []
    for what in Versions.model_fields:
        names: dict[str, list[str]] = {}
        for member in ours:
            if (version := _said(member, what)) is not None:
                names.setdefault(version, []).append(member.name)
        if len(names) > 1:
            found.append(
                MixedVersion(what=what, versions={version: sorted(names[version]) for version in sorted(names)})
            )
    return found


def verifier_words(versions: Versions) -> str:
    """Word what verifies in a worker, for a column: the version of Lean, or a stand-in with its own; "" if unknown."""
    return " ".join(filter(None, [versions.kind if versions.kind != "lean" else None, versions.lean]))


def worded(mixed: MixedVersion, most: int = 3) -> str:
    """Word a difference in one sentence: `lean differs: 4.34.1 (a, b), 4.33.0 (c)`; of many workers some names."""
    parts = []
    for version, names in mixed.versions.items():
        more = f" and {len(names) - most} more" if len(names) > most else ""
        parts.append(f"{version} ({', '.join(names[:most])}{more})")
    return f"{mixed.what} differs: {', '.join(parts)}"


def _said(member: Member, what: str) -> str | None:
    """Word a member's version so that it can be compared; None where nothing is known of it."""
    version: str | None = getattr(member.versions, what)
    if what == "streamverify":
        # Every worker that says anything says this one, but for those before there was a way.
        return version or (OLDER if member.state == "older" else None)
    if member.versions.kind is None:
        return None
    # Some members say theirs in their client id only, where not every sign has a place.
    return in_client_id(version) if version else NONE
