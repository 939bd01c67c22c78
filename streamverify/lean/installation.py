"""The files of this installation that can change a verdict, as digests, and a look whether they are still the same.

The result cache keeps verdicts by it. Read are the bytes of what is this project's own, and names and sizes of what its
manifest has pinned: reading 5 GB of Mathlib would take longer than to import it. A folder outside of the project is
pinned by nothing (a library by its path, say): of it the times count, too. Blocking: for a thread.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from streamverify.lean.repl.command import ReplCommand

_COMPILED = (".olean", ".olean.server", ".olean.private", ".ir", ".so")
"""The files that Lean loads of a module. Not its `.lean`: until that is compiled, nothing has changed for Lean."""
_PINNED = ("lake-manifest.json", "lean-toolchain")
_PACKAGES = (Path(".lake", "packages"), Path("lake-packages"), Path("build", "packages"))
_DECIDING = ("core/audit", "core/export", "core/messages", "core/syntax", "lean")
"""The folders of our own code that decide which verdict a proof gets."""
_BLOCK = 1 << 20

Stamp = tuple[int, int]
"""Size and time of the last change of a file: what differs once it is written anew."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation as it was when it was read."""

    parts: Mapping[str, str]
    """Digests by what they are of."""
    modules: int
    """Own compiled modules whose bytes were read."""
    is_seen: bool
    """False where nothing names a compiled module: a REPL that finds its library by itself, or needs none."""
    _folders: Sequence[Path]
    _pinned: Sequence[Path]
    _stamps: Mapping[str, Stamp]

    @classmethod
    def read(cls, command: ReplCommand) -> Installation:
        """Read the installation that a REPL belongs to. What cannot be read counts as not there."""
        # Of a confined command the executable and the project are among its arguments only.
        command = command.outside or command
        own, packages, loose = _folders(command)
        pinned = [] if command.cwd is None else [command.cwd / name for name in _PINNED]
        # Before the contents: what is written meanwhile differs from its stamp afterwards.
        stamps = _stamps([*own, *loose], pinned)
        files = [name for name in stamps if name.endswith(_COMPILED) and not name.startswith(_starts(loose))]
        parts = {
            "repl": _of_lines(_word(each, command.cwd) for each in command.argv),
            "manifest": _of_lines(f"{file.name} {_content(file)}" for file in pinned),
            "own modules": _of_lines(sorted(f"{_within(name, own)} {_content(Path(name))}" for name in files)),
            "other modules": _of_lines(
                [
                    *sorted(f"{_within(name, packages)} {size}" for name, (size, _) in _stamps(packages, []).items()),
                    *sorted(
                        f"{_within(name, loose)} {size} {time}" for name, (size, time) in _stamps(loose, []).items()
                    ),
                ]
            ),
            "code": _own_code(),
        }
        is_seen = any(True for folder in (*own, *packages, *loose) for _ in _compiled(str(folder)))
        return cls(parts, len(files), is_seen, [*own, *loose], pinned, stamps)

    def is_unchanged(self) -> bool:
        """Tell whether the manifest and all modules that it does not pin are as they were, by sizes and times."""
        return _stamps(self._folders, self._pinned) == self._stamps


def _folders(command: ReplCommand) -> tuple[list[Path], list[Path], list[Path]]:
    """Find the folders of compiled modules: the project's own, its packages', and those outside of it.

    Each list is in the order in which Lean searches: of two modules with one name it takes the first.
    """
    environment = os.environ if command.env is None else command.env
    named = [Path(part) for part in environment.get("LEAN_PATH", "").split(":") if part]
    if command.cwd is None:
        return [], [], list(dict.fromkeys(named))
    project = command.cwd.resolve()
    folders = dict.fromkeys((project / folder).resolve() for folder in (*named, Path(".lake", "build", "lib")))
    places = [project / folder for folder in _PACKAGES]
    packages = [each for each in folders if any(each.is_relative_to(place) for place in places)]
    own = [each for each in folders if each.is_relative_to(project) and each not in packages]
    return own, packages, [each for each in folders if each not in own and each not in packages]


def _stamps(folders: Iterable[Path], files: Iterable[Path]) -> dict[str, Stamp]:
    """Return the stamps of all compiled modules below the folders, and of the files; in one order everywhere."""
    found: dict[str, Stamp] = {}
    for path in [*(path for folder in folders for path in _compiled(str(folder))), *map(str, files)]:
        try:
            stat = os.stat(path)  # noqa: PTH116 - there are thousands, and a Path takes longer to make than this
        except OSError:
            continue
        found[path] = stat.st_size, stat.st_mtime_ns
    return dict(sorted(found.items()))


def _compiled(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (f"{place}/{name}" for name in names if name.endswith(_COMPILED))


def _starts(folders: Iterable[Path]) -> tuple[str, ...]:
    return tuple(f"{folder}/" for folder in folders)


def _within(path: str, folders: Iterable[Path]) -> str:
    """Name a file below its folder, which counts by its turn: two machines may have one project at different places."""
    for turn, start in enumerate(_starts(folders)):
        if path.startswith(start):
            return f"{turn} {path[len(start) :]}"
    return path


def _word(word: str, folder: Path | None) -> str:
    """Describe a word of a command line: a file by its bytes, anything else by itself."""
    path = Path(folder or "", word)
    return f"file {_content(path)}" if path.is_file() else f"word {word}"


def _content(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    except OSError:
        return "none"
    return digest.hexdigest()


def _own_code() -> str:
    """Digest the code that decides verdicts: an upgrade that changes it answers nothing from before."""
    package = Path(__file__).parents[1]
    files = sorted(file for folder in _DECIDING for file in (package / folder).rglob("*.py"))
    return _of_lines(f"{file.relative_to(package)} {_content(file)}" for file in files)


def _of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
