"""pyproject.toml and the locks as data: what is asked for, what is locked, and what that brings with it.

The extras of `IN_IMAGES` are installed in the images; those of `FOR_DEVELOPERS` no user installs.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "deploy" / "requirements.lock"
BUILD_LOCK = ROOT / "deploy" / "build.lock"
NAME = "streamverify"
IN_IMAGES = ("cache", "gateway", "otel", "table")
FOR_DEVELOPERS = frozenset({"bench", "dev", "docs", "fuzz", "helm", "oracle", "release", "test", "trl"})
IMAGE_PYTHON = "3.13"
"""The Python of the images; deploy/Dockerfile has it in full."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One entry of a lock."""

    name: str
    version: Version
    marker: Marker | None
    hashes: int


def pyproject() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def extras() -> dict[str, list[Requirement]]:
    """Return every extra with its requirements."""
    tables = pyproject()["optional-dependencies"]
    return {name: [Requirement(line) for line in lines] for name, lines in tables.items()}


def asked_for(wanted: Iterable[str]) -> list[Requirement]:
    """Return the requirements of the core and of these extras; an extra that names another one has its, too."""
    found = [Requirement(line) for line in pyproject()["dependencies"]]
    tables, queue = extras(), list(wanted)
    for extra in queue:
        for requirement in tables[extra]:
            if canonicalize_name(requirement.name) != NAME:
                found.append(requirement)
            else:
                queue += [more for more in sorted(requirement.extras) if more not in queue]
    return found


def build_requirements() -> list[Requirement]:
    """Return what building the package needs."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    return [Requirement(line) for line in lines]


def read_lock(text: str) -> list[Locked]:
    """Return the entries of a lock as `uv pip compile --generate-hashes` writes it.

    Raises:
        ValueError: A line is neither an entry nor a hash nor a comment: such as a URL, which nothing here checks.
    """
    found = []
    for entry in re.split(r"\n(?=\S)", text.strip()):
        if entry.startswith("#"):
            continue
        head = entry.partition("\n")[0].removesuffix("\\").strip()
        parts = re.fullmatch(r"([a-z0-9-]+)==([^\s;]+)(?:\s*;\s*(.+))?", head)
        if parts is None:
            raise ValueError(f"no name with a version: {head}")
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)", entry))
        found.append(Locked(parts[1], Version(parts[2]), Marker(parts[3]) if parts[3] else None, hashes))
    return found


def image_environment() -> dict[str, str]:
    """Return the values of markers in the images, whichever machine this is."""
    here = {name: str(value) for name, value in default_environment().items()}
    return here | {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{IMAGE_PYTHON}.0",
        "python_version": IMAGE_PYTHON,
        "sys_platform": "linux",
    }


def in_images(locked: Iterable[Locked]) -> list[Locked]:
    """Return the entries that are installed in the images."""
    environment = image_environment()
    return [entry for entry in locked if entry.marker is None or entry.marker.evaluate(environment)]


def lock_problems(text: str, requirements: Iterable[Requirement]) -> list[str]:
    """Say in words where a lock does not satisfy what is asked for, or does not pin what it names."""
    locked = {entry.name: entry for entry in in_images(read_lock(text))}
    problems = [f"{entry.name} has no hash" for entry in locked.values() if not entry.hashes]
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate(image_environment()):
            continue
        entry = locked.get(canonicalize_name(requirement.name))
        if entry is None:
            problems.append(f"{requirement} is not in it")
        elif not requirement.specifier.contains(entry.version, prereleases=True):
            problems.append(f"{requirement} is asked for, and {entry.version} is in it")
    return problems


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Return the names of all that is installed for these requirements, by what the installed packages ask for.

    A package that is not installed here is in it and brings nothing: its markers, or its extra, do not apply.
    """
    found: set[str] = set()
    queue = [(requirement, frozenset(requirement.extras)) for requirement in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    for requirement, wanted in queue:
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found.add(name)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in lines:
            more = Requirement(line)
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                queue.append(
                    (Requirement(f"{more.name}[{','.join(more.extras)}]{more.specifier}"), frozenset(more.extras))
                )
    return found
