"""A header that Lean cannot import: whose fault that is, what the verdict says, and for how long it is remembered.

An infrastructure failure must never look like a rejection. So a module that is missing is the proof's fault
(`header_error`) only where this worker has imported the root of its package, and the project has no source of it, or
where the project's manifest has no such package. Everything else about imports is the installation's (`import_failed`).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.audit.checked import first_error
from streamverify.core.bounded_dict import BoundedDict
from streamverify.core.job import Verdict
from streamverify.core.messages.models import Reason, Response
from streamverify.core.syntax.lexer import IDENTIFIER
from streamverify.core.syntax.names import first_part, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streamverify.core.messages.models import Position
    from streamverify.core.syntax.header import Header, Import
    from streamverify.lean.repl.command import ReplCommand

FAILED_HEADER_TTL = 60.0
"""Seconds for which a failed import is remembered. Short, because the missing module may be being built."""

MAX_FAILED_HEADERS = 1_000
"""Failed imports that are remembered; the oldest makes room."""

_TOOLCHAIN_ROOTS = frozenset({"Init", "Std", "Lean", "Lake"})

_MISSING_ROOT = re.compile(r"unknown (?:module prefix|package) '([^'\n]+)'")
_MISSING_MODULE = re.compile(r"object file '[^\n]*' of module ([^\n]+?) does not exist")

_NAME_IN_MESSAGE = re.compile(rf"(?<![\w./»]){IDENTIFIER.pattern}(?![\w/])")
_PATH_IN_MESSAGE = re.compile(r"[^\s'\"`:]++")
_QUOTED_IN_MESSAGE = re.compile(r"'([^'\n]++)'")
_SUFFIX = re.compile(r"\.(?:olean|ilean|ir|lean)(?:\.\w++)?\Z")
_MAX_PATH_DEPTH = 32


@dataclass(frozen=True, slots=True)
class FailedImport:
    """The reason why a header cannot be imported, in Lean's own words where the REPL passes them on."""

    reason: Reason
    texts: tuple[str, ...]

    def verdict(self, header: Header, seconds: float = 0.0, attempts: int = 1) -> Verdict:
        """Return the verdict on a proof with this header: each text is an error message at the import that it names.

        Args:
            header: The proof's header.
            seconds: What the failed import took; 0 where none was tried for this proof.
            attempts: How many times the proof was attempted.
        """
        messages = [
            {"severity": "error", "pos": import_position(header, text), "endPos": None, "data": text}
            for text in self.texts
        ]
        response = Response.model_validate({"messages": messages, "time": seconds})
        return Verdict(self.reason, first_error(response.messages), response, attempts=attempts)


class FailedHeaders:
    """Failed imports that are the proofs' own fault, remembered so that no process is restarted for each. Pure.

    They are known by the header's fingerprint. Times are monotonic seconds, passed in.
    """

    def __init__(self) -> None:
        self._known: BoundedDict[str, tuple[float, FailedImport]] = BoundedDict(MAX_FAILED_HEADERS)

    def add(self, fingerprint: str, failed: FailedImport, now: float) -> None:
        """Remember a failed import until `FAILED_HEADER_TTL` seconds from now."""
        self._known[fingerprint] = (now + FAILED_HEADER_TTL, failed)

    def get(self, fingerprint: str, now: float) -> FailedImport | None:
        """Return the failed import of a header, or None where there was none, or too long ago."""
        known = self._known.get(fingerprint)
        if known is None:
            return None
        if known[0] <= now:
            del self._known[fingerprint]
            return None
        return known[1]


class ImportClassifier:
    """Decides whose fault a failed import is, by the project's files and by what this worker has imported before."""

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
        """Note that the header was imported without an error: its packages are there."""
        self._imported.update(imported.module for imported in header.imports)

    def classify(self, header: Header, texts: Sequence[str]) -> FailedImport:
        """Classify a failed import by Lean's error messages.

        Where there are none (the upstream REPL of 2025 and 2026 drops them) the missing object files are looked for.
        """
        missing = _missing_imports(header, texts) if texts else self._without_object(header)
        if missing and all(self._cannot_be_ours(module) for module in missing):
            reason = Reason.HEADER_ERROR
        else:
            reason = Reason.IMPORT_FAILED
        if not texts and missing:
            texts = [f"module {name} was not found in the search path" for name in missing]
        elif not texts:
            texts = ["Lean did not import the header. This REPL keeps Lean's reason to itself: run `lean` on the file."]
        return FailedImport(reason, tuple(texts))

    def _cannot_be_ours(self, module: str) -> bool:
        """Return whether no build of this installation would make the module: only then its absence is the proof's."""
        name = parts(module)
        root = name[0]
        packages = [] if self._project is None else [self._project, *self._project.glob(".lake/packages/*")]
        folders = (*self._sources, *packages, *self._objects)
        # A source without an object file is a build that is not finished, or was never made.
        if any(_exists(folder, name, ".lean") for folder in folders):
            return False
        if root in self._imported:
            return True
        known = self._packages()
        if known is None or root in _TOOLCHAIN_ROOTS or _plain(root) in known:
            return False
        # A package may have libraries that are not called what it is called.
        return not any(_exists(folder, [root], suffix) for folder in folders for suffix in ("", ".lean", ".olean"))

    def _packages(self) -> frozenset[str] | None:
        """Return the names in the project's manifest, its own included, or None where there is none to read."""
        if self._project is None:
            return None
        try:
            manifest = json.loads((self._project / "lake-manifest.json").read_bytes())
            names = [package["name"] for package in manifest["packages"]]
            return frozenset(_plain(name) for name in (*names, manifest.get("name", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _without_object(self, header: Header) -> list[str]:
        """Return the modules of the header that have no .olean anywhere; none where LEAN_PATH is not known."""
        if not self._objects:
            return []
        names = dict.fromkeys(imported.module for imported in header.imports)
        folders = [Path(self._project or "", folder) for folder in self._objects]
        return [name for name in names if not any(_exists(at, parts(name), ".olean") for at in folders)]


def _missing_imports(header: Header, texts: Sequence[str]) -> list[str]:
    """Return the imports of the header that Lean calls missing; none where it speaks of what they import in turn."""
    named: dict[str, None] = {}
    for text in texts:
        if match := _MISSING_ROOT.search(text):
            # Lean prints the root without quotes here, whatever stands in it.
            root = match[1].strip("«»")
            found = [each.module for each in header.imports if parts(each.module)[0] == root]
        elif match := _MISSING_MODULE.search(text):
            found = [each.module for each in header.imports if parts(each.module) == parts(match[1])]
        else:
            return []
        # One text that names no import of the proof is enough: then something else is broken here, too.
        if not found:
            return []
        named.update(dict.fromkeys(found))
    return list(named)


def _paths(variable: str | None) -> list[Path]:
    return [Path(part) for part in (variable or "").split(os.pathsep) if part]


def _exists(folder: Path, name: Sequence[str], suffix: str) -> bool:
    # A part of a quoted name may hold anything, and a proof must not have files looked for outside these folders.
    if any("/" in part or "\0" in part or part in (".", "..") for part in name):
        return False
    return folder.joinpath(*name[:-1], name[-1] + suffix).exists()


def _plain(name: str) -> str:
    """Return a name as packages and their libraries are compared: `doc-gen4` has the library `DocGen4`."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def import_position(header: Header, message_text: str) -> Position:
    """Return the position in the file of the import that a message names, else of the first import.

    A REPL imports the header apart, so what Lean says of it has no position in the file as sent. Lean's versions word
    such messages differently; they name the module, its file, or the root of its name.
    """
    # Of an import that stands twice, the first is meant.
    modules = {item.module: item for item in reversed(header.imports)}
    roots = {first_part(item.module): item for item in reversed(header.imports)}
    # A closing quotation mark is read as the prime that a name may end with.
    names = [name.rstrip("'") for name in _NAME_IN_MESSAGE.findall(message_text)]
    found = (
        # The module itself, or the root of its name where a whole package is missing.
        _first(roots | modules, names)
        # Its file, where Lean names no module.
        or _first(modules, _modules_of_paths(message_text))
        # A module below the one that is imported, which may be named in its place.
        or _first(roots, map(first_part, names))
        # Lean names a missing root without the «quotes» that it would need.
        or _first({root.strip("«»"): item for root, item in roots.items()}, _QUOTED_IN_MESSAGE.findall(message_text))
        or next(iter(header.imports), None)
    )
    return {"line": found.line, "column": found.column} if found else {"line": 1, "column": 0}


def _first(known: dict[str, Import], names: Iterable[str]) -> Import | None:
    return next((known[name] for name in names if name in known), None)


def _modules_of_paths(message_text: str) -> Iterator[str]:
    """Yield the modules that the paths in a message may stand for: each tail of `/a/Does/Not.olean`, longest first."""
    for path in _PATH_IN_MESSAGE.findall(message_text):
        stem, is_file = _SUFFIX.subn("", path)
        folders = stem.split("/")[-_MAX_PATH_DEPTH:] if is_file else ()
        for start in range(len(folders)):
            yield ".".join(folders[start:])
