"""Which headers a worker imports before it joins its group, where the setting PREWARM does not say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from streamverify.core.prewarm import parse_prewarm

if TYPE_CHECKING:
    from streamverify.core.header import Header
    from streamverify.lean.command import ReplCommand

_PLAIN = re.compile(r"[^\W\d]\w*")


def headers_to_warm(setting: str, command: ReplCommand) -> list[Header]:
    """The headers that the setting names, the most important first; `auto`: the root of each library of the project."""
    if setting != "auto":
        return parse_prewarm(setting)
    return parse_prewarm(";".join(library_roots(command)) or "none")


def library_roots(command: ReplCommand) -> list[str]:
    """The compiled root modules that lie in the project and have modules below them; the largest library first."""
    if command.cwd is None or command.env is None:
        return []
    project = command.cwd.resolve()
    folders = [Path(project, part).resolve() for part in command.env.get("LEAN_PATH", "").split(":") if part]
    roots = {
        file.stem: _size(file.with_suffix(""))
        for folder in dict.fromkeys(folders)
        if folder.is_relative_to(project)
        for file in folder.glob("*.olean")
        if _PLAIN.fullmatch(file.stem) and file.with_suffix("").is_dir()
    }
    return sorted(roots, key=lambda name: (-roots[name], name))


def _size(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.olean"))
