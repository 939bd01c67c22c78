"""Which headers are imported before a worker joins its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamverify.core.errors import SettingsError
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.lean.prewarm import headers_to_warm, library_roots
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.sandbox import inside
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", []),
        ("Mathlib", ["import Mathlib\n"]),
        ("Mathlib; Mathlib Aesop ;", ["import Mathlib\n", "import Mathlib\nimport Aesop\n"]),
        ("import Mathlib\nimport Aesop", ["import Mathlib\nimport Aesop\n"]),
        ("A.B, «odd-name».C", ["import A.B\nimport «odd-name».C\n"]),
    ],
)
def test_headers_are_separated_by_semicolons(text: str, canonical: list[str]) -> None:
    assert [header.canonical for header in parse_prewarm(text)] == canonical


@pytest.mark.parametrize("text", ["A-B", "theorem", "A; 1", "prelude"])
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no modules"):
        parse_prewarm(text)
    with pytest.raises(SettingsError, match="STREAMVERIFY_PREWARM"):
        load_settings(prewarm=text)


def project(folder: Path, **modules: int) -> ReplCommand:
    for module, below in modules.items():
        library = folder / ".lake/packages/x/lib"
        library.mkdir(parents=True, exist_ok=True)
        (library / f"{module}.olean").touch()
        for number in range(below):
            (library / module).mkdir(exist_ok=True)
            (library / module / f"M{number}.olean").touch()
    path = f".lake/packages/x/lib:{folder.parent}/elsewhere"
    return ReplCommand(("repl",), {"LEAN_PATH": path}, folder, "lean", wrapped=False)


def test_the_roots_of_the_projects_libraries_are_warmed_the_largest_first(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "Init").mkdir(parents=True)
    (elsewhere / "Init.olean").touch()
    command = project(tmp_path / "project", Aesop=2, Mathlib=3, Main=0)
    assert library_roots(command) == ["Mathlib", "Aesop"]
    assert [header.canonical for header in headers_to_warm("auto", command)] == ["import Mathlib\n", "import Aesop\n"]
    assert [header.canonical for header in headers_to_warm("Lean", command)] == ["import Lean\n"]
    # A worker starts it in the sandbox, where the folder is one of bubblewrap's arguments.
    confined = inside(command, "/usr/bin/bwrap", None)
    assert library_roots(confined) == ["Mathlib", "Aesop"]


def test_without_a_project_nothing_is_warmed() -> None:
    assert headers_to_warm("auto", ReplCommand(("repl",), None, None, "lean", wrapped=False)) == []
