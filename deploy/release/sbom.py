"""Completes the bill of materials that cyclonedx-py makes of an environment, and says what it still lacks.

cyclonedx-py knows our package by pyproject.toml, which has no version (it is in streamverify/version.py), and leaves
out a licence that a package states in words of its own, which `licences` understands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping


def complete(bom: dict[str, Any], name: str, version: str, licences: Mapping[str, str]) -> None:
    """Give the package that is described its version, and each component without a licence the one that we know."""
    bom["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/{name}@{version}"}
    for component in bom["components"]:
        known = licences.get(canonicalize_name(component["name"]))
        if not component.get("licenses") and known is not None:
            component["licenses"] = [{"expression": known}]


def lacks(bom: dict[str, Any], libraries: Mapping[str, str]) -> list[str]:
    """Say what a bill of materials lacks: a version of ours, a library, a version or a licence of one."""
    found = [] if bom["metadata"]["component"].get("version") else ["the version of what it describes"]
    listed = {canonicalize_name(component["name"]): component for component in bom["components"]}
    found += sorted(libraries.keys() - listed.keys())
    for name, component in sorted(listed.items()):
        words = {"version": "version", "licenses": "licence"}
        found += [f"the {word} of {name}" for field, word in words.items() if not component.get(field)]
    return found
