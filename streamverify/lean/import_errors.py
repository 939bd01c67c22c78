"""Whose fault a failed import is: the proof's (`header_error`) or this installation's (`import_failed`).

An infrastructure failure must never look like a rejection. So a module that is missing is the proof's fault only
where this worker has imported the root of its package, and the project has no source of it, or where the project's
manifest has no such package. Everything else about imports is `import_failed`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.messages.models import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamverify.core.syntax.header import Header
    from streamverify.lean.repl.command import ReplCommand

_TOOLCHAIN_ROOTS = frozenset({"Init", "Std", "Lean", "Lake"})

_MISSING_ROOT = re.compile(r"unknown (?:module prefix|package) '([^'\n]+)'")
_MISSING_MODULE = re.compile(r"object file '[^\n]*' of module ([^\n]+?) does not exist")
_COMPONENT = re.compile(r"«([^»]*)»|([^.«»]+)")


@dataclass(frozen=True, slots=True)
class FailedImport:
    """Why a header cannot be imported, in Lean's own words where the REPL passes them on."""

    reason: Reason
    texts: tuple[str, ...]


class Modules:
    """What is known of the modules that this worker's REPL may import."""

    def __init__(self, command: ReplCommand) -> None:
        environment = os.environ if command.env is None else command.env
        self._project = command.cwd
        self._objects = _paths(environment.get("LEAN_PATH"))
        self._sources = _paths(environment.get("LEAN_SRC_PATH"))
        if sysroot := environment.get("LEAN_SYSROOT"):
            self._objects.append(Path(sysroot, "lib", "lean"))
            self._sources.append(Path(sysroot, "src", "lean"))
        self._imported = {"Init"}

    def note_imported(self, header: Header) -> None:
        """The header was imported without an error."""
        self._imported.update(imported.module for imported in header.imports)

    def failed(self, header: Header, texts: Sequence[str]) -> FailedImport:
        """Classify a failed import by Lean's error messages.

        Where there are none (the upstream REPL of 2025 and 2026 drops them) the missing object files are looked for.
        """
        missing = _named(header, texts) if texts else self._without_object(header)
        faulty = bool(missing) and all(self._is_no_module_of_ours(module) for module in missing)
        reason = Reason.HEADER_ERROR if faulty else Reason.IMPORT_FAILED
        return FailedImport(reason, tuple(texts) or _own_words(missing))

    def _is_no_module_of_ours(self, module: str) -> bool:
        root = components(module)[0]
        if self._has_source(components(module)):
            return False
        return root in self._imported or self._is_foreign(root)

    def _has_source(self, parts: Sequence[str]) -> bool:
        return any(_exists(folder, parts, ".lean") for folder in (*self._source_folders(), *self._objects))

    def _is_foreign(self, root: str) -> bool:
        """Whether no package of the project's manifest can have modules under `root`."""
        packages = self._packages()
        if packages is None or root in _TOOLCHAIN_ROOTS or _plain(root) in packages:
            return False
        # A package may have libraries that are not called what it is called.
        places = (*self._source_folders(), *self._objects)
        return not any(_exists(place, [root], suffix) for place in places for suffix in ("", ".lean", ".olean"))

    def _packages(self) -> frozenset[str] | None:
        """The names in the project's manifest, its own included; None where there is none to read."""
        if self._project is None:
            return None
        try:
            manifest = json.loads((self._project / "lake-manifest.json").read_bytes())
            names = [package["name"] for package in manifest["packages"]]
            return frozenset(_plain(name) for name in (*names, manifest.get("name", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _without_object(self, header: Header) -> list[str]:
        """The modules of the header that have no .olean anywhere; none where it is not known where they lie."""
        if not self._objects:
            return []
        names = dict.fromkeys(imported.module for imported in header.imports)
        folders = [Path(self._project or "", folder) for folder in self._objects]
        return [name for name in names if not any(_exists(at, components(name), ".olean") for at in folders)]

    def _source_folders(self) -> Iterator[Path]:
        yield from self._sources
        if self._project is not None:
            yield self._project
            yield from self._project.glob(".lake/packages/*")


def components(module: str) -> list[str]:
    """The parts of a module's name, without the quotes that Lean puts round odd ones."""
    return [quoted or plain for quoted, plain in _COMPONENT.findall(module)] or [module]


def _named(header: Header, texts: Sequence[str]) -> list[str]:
    """The imports of the header that Lean calls missing; none where it speaks of what they import in turn."""
    named: dict[str, None] = {}
    for text in texts:
        if match := _MISSING_ROOT.search(text):
            # Lean prints the root without quotes here, whatever stands in it.
            root = match[1].strip("«»")
            found = [each.module for each in header.imports if components(each.module)[0] == root]
        elif match := _MISSING_MODULE.search(text):
            parts = components(match[1])
            found = [each.module for each in header.imports if components(each.module) == parts]
        else:
            return []
        if not found:
            return []
        named.update(dict.fromkeys(found))
    return list(named)


def _own_words(missing: Sequence[str]) -> tuple[str, ...]:
    if not missing:
        return ("Lean did not import the header. This REPL keeps Lean's reason to itself: run `lean` on the file.",)
    return tuple(f"module {name} was not found in the search path" for name in missing)


def _paths(variable: str | None) -> list[Path]:
    return [Path(part) for part in (variable or "").split(os.pathsep) if part]


def _exists(folder: Path, parts: Sequence[str], suffix: str) -> bool:
    if any("/" in part or "\0" in part or part in (".", "..") for part in parts):
        return False
    return folder.joinpath(*parts[:-1], parts[-1] + suffix).exists()


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
