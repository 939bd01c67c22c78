"""The licences of everything that is installed with us: docs/licences.md, and a gate against those we do not take.

    python -m release.licences            write docs/licences.md
    python -m release.licences --check    end with 1 where it is not as it would be written, or a licence is not allowed

A licence is read from the metadata of the installed package: its expression, else its classifiers, else its text.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from release.project import (
    FOR_DEVELOPERS,
    IN_IMAGES,
    LOCK,
    ROOT,
    asked_for,
    closure,
    extras,
    in_images,
    read_lock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = ROOT / "docs" / "licences.md"

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
        "LicenseRef-Repoze",  # a BSD licence with a rule for trademarks
        "MPL-2.0",  # copyleft of its own files, which we do not change
    }
)
"""Licences under which we take a package. A new one is added by a person who has read it."""

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Repoze Public License": "LicenseRef-Repoze",
    "The Unlicense (Unlicense)": "Unlicense",
}
_TEXTS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "isc license": "ISC",
    "mit license": "MIT",
}
UNKNOWN = "unknown"


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """Return the licence of a package as an SPDX expression, or `UNKNOWN`.

    Several classifiers mean that all of them hold: which of them one may choose is nowhere said.
    """
    texts = [metadata["License-Expression"], metadata["License"]] if "License" in metadata else []
    for text in texts or [metadata["License-Expression"]]:
        if text:
            try:
                return str(canonicalize_license_expression(_TEXTS.get(text.strip().lower(), text)))
            except InvalidLicenseExpression:
                continue
    found = []
    for classifier in metadata.get_all("Classifier", []):
        kind, _, name = classifier.rpartition(" :: ")
        if kind.startswith("License"):
            found.append(_CLASSIFIERS.get(name, UNKNOWN))
    if not found or UNKNOWN in found:
        return UNKNOWN
    return " AND ".join(sorted(set(found)))


def is_allowed(expression: str) -> bool:
    """Tell whether an SPDX expression can be satisfied by `ALLOWED` licences alone."""
    # OR binds weaker than AND, and parentheses are read as their own expression.
    text = expression
    while inner := re.search(r"\(([^()]*)\)", text):
        # What is in parentheses becomes a licence that is allowed or is not.
        text = text.replace(inner[0], "MIT" if is_allowed(inner[1]) else UNKNOWN)
    return any(
        all(part.strip() in ALLOWED for part in alternative.split(" AND ")) for alternative in text.split(" OR ")
    )


def licences_of(names: Iterable[str]) -> dict[str, str]:
    """Return the licence of each package that is installed here; of one that is not, `UNKNOWN`."""
    found = {}
    for name in sorted(names):
        try:
            found[name] = licence_of(importlib.metadata.metadata(name))
        except importlib.metadata.PackageNotFoundError:
            found[name] = UNKNOWN
    return found


def refused(licences: dict[str, str]) -> list[str]:
    """Say which packages have a licence that is not allowed, or none that is known."""
    return [f"{name}: {licence}" for name, licence in licences.items() if not is_allowed(licence)]


def for_images() -> dict[str, str]:
    """Return the licences of the libraries in the images: those of the lock."""
    return licences_of(entry.name for entry in in_images(read_lock(LOCK.read_text())))


def for_users() -> dict[str, str]:
    """Return the licences of what an installation with every extra for users has besides."""
    wanted = sorted(extras().keys() - FOR_DEVELOPERS)
    return licences_of(closure(asked_for(wanted)) - for_images().keys())


_HEAD = """\
# Licences

streamverify is under the [MIT licence](../LICENSE). This page lists what is installed with it, by the metadata of the
packages; `make licences` makes it. A test refuses a package whose licence is unknown, or is none of those that
`deploy/release/licences.py` allows: MIT, BSD, Apache-2.0, ISC, PSF-2.0 and their like, and MPL-2.0, the copyleft of
which is for its own files.

The images have besides Debian's packages of their base (`/usr/share/doc/*/copyright` in them), and `core` and `mathlib`
have Lean, the REPL and Mathlib (Apache-2.0).

## In the images

The libraries of `deploy/requirements.lock`.

| package | version | licence |
|---|---|---|
{images}

## By other extras

What an installation with the extras {others} has besides.

| package | licence |
|---|---|
{more}
"""


def page() -> str:
    """Return docs/licences.md."""
    versions = {entry.name: str(entry.version) for entry in in_images(read_lock(LOCK.read_text()))}
    in_none = sorted(extras().keys() - FOR_DEVELOPERS - set(IN_IMAGES) - {"router"})
    return _HEAD.format(
        images="\n".join(f"| {name} | {versions[name]} | {licence} |" for name, licence in for_images().items()),
        others=", ".join(f"`{extra}`" for extra in in_none),
        more="\n".join(f"| {name} | {licence} |" for name, licence in for_users().items()),
    )


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    problems = refused(for_images() | for_users())
    for problem in problems:
        print(f"licences: not allowed: {problem}", file=sys.stderr)
    if arguments == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != page():
            print("licences: docs/licences.md is not what is installed here: make licences", file=sys.stderr)
            return 1
        return 1 if problems else 0
    if problems:
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
