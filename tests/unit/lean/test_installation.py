"""The cache's keys have every change of an installation that Lean could see, and no place on the disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamverify.lean.installation import Installation
from streamverify.lean.repl.command import ReplCommand

if TYPE_CHECKING:
    from collections.abc import Callable


def project_in(folder: Path) -> ReplCommand:
    """Make a Lean project with a module of its own, a package, and a REPL."""
    own, package = folder / ".lake/build/lib/lean", folder / ".lake/packages/mathlib/.lake/build/lib"
    for file, text in {
        folder / "lake-manifest.json": "{}",
        folder / "lean-toolchain": "leanprover/lean4:v4.35.0",
        folder / "My.lean": "def a := 1",
        own / "My.olean": "own",
        own / "My/Part.olean": "part",
        own / "My.olean.hash": "1",
        package / "Mathlib.olean": "mathlib",
        folder / "bin/repl": "#!/bin/sh",
    }.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    environment = {"LEAN_PATH": f"{package}:{own}"}
    return ReplCommand((str(folder / "bin/repl"), "--flag"), environment, folder, "lean", wrapped=True)


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (write(".lake/build/lib/lean/My.olean", "nwo"), "own modules"),
        (write(".lake/build/lib/lean/New.olean", "new"), "own modules"),
        (write(".lake/build/lib/lean/My.olean.private", "new"), "own modules"),
        (remove(".lake/build/lib/lean/My/Part.olean"), "own modules"),
        (write("lake-manifest.json", '{"packages": []}'), "manifest"),
        (write("lean-toolchain", "leanprover/lean4:v4.36.0"), "manifest"),
        (write(".lake/packages/mathlib/.lake/build/lib/Mathlib.olean", "mathlib!"), "other modules"),
        (write(".lake/packages/mathlib/.lake/build/lib/More.olean", ""), "other modules"),
        (write("bin/repl", "#!/bin/bash"), "repl"),
    ],
)
def test_any_change_that_lean_could_see_is_another_installation(
    tmp_path: Path, change: Callable[[Path], None], part: str
) -> None:
    command = project_in(tmp_path)
    before = Installation.read(command)
    change(tmp_path)
    after = Installation.read(command)
    assert {name for name in before.parts if before.parts[name] != after.parts[name]} == {part}
    assert before.is_unchanged() == (part in {"other modules", "repl"}), "these are pinned: they are read at the start"
    assert after.is_unchanged()


def test_a_library_outside_of_the_project_is_pinned_by_nothing(tmp_path: Path) -> None:
    """A package by its path, or a library on LEAN_PATH alone: built anew with the same size it is another one."""
    library = tmp_path / "library"
    write("Lib.olean", "library")(library)
    project = project_in(tmp_path / "project")
    assert project.env is not None
    in_project = replace(project, env={"LEAN_PATH": f"{project.env['LEAN_PATH']}:{library}"})
    alone = replace(project, cwd=None, env={"LEAN_PATH": str(library)})
    before = [Installation.read(command) for command in (in_project, alone)]
    assert [each.modules for each in before] == [2, 0]
    (library / "Lib.olean").write_text("yrarbil")
    os.utime(library / "Lib.olean", ns=(1, 1))
    for command, read in zip((in_project, alone), before, strict=True):
        assert not read.is_unchanged()
        after = Installation.read(command)
        assert {name for name in read.parts if read.parts[name] != after.parts[name]} == {"other modules"}


def test_the_order_in_which_lean_searches_counts(tmp_path: Path) -> None:
    """Of two modules with one name Lean takes that of the first folder: they need not have one statement."""
    project = project_in(tmp_path)
    for folders, part in [
        (("mine/a", "mine/b"), "own modules"),
        ((".lake/packages/a", ".lake/packages/b"), "other modules"),
    ]:
        first, second = (tmp_path / folder for folder in folders)
        write("Both.olean", "1")(first)
        write("Both.olean", "2")(second)
        write("More.olean", "longer")(second)
        one, other = (
            Installation.read(replace(project, env={"LEAN_PATH": f"{here}:{there}"})).parts
            for here, there in [(first, second), (second, first)]
        )
        assert {name for name in one if one[name] != other[name]} == {part}


@pytest.mark.parametrize("name", ["My.lean", ".lake/build/lib/lean/My.olean.hash", "notes.txt"])
def test_what_lean_does_not_load_is_no_change(tmp_path: Path, name: str) -> None:
    command = project_in(tmp_path)
    before = Installation.read(command)
    write(name, "other")(tmp_path)
    assert before.is_unchanged()
    assert Installation.read(command).parts == before.parts


def test_another_place_is_the_same_installation(tmp_path: Path) -> None:
    here = Installation.read(project_in(tmp_path / "here"))
    assert here.parts == Installation.read(project_in(tmp_path / "a/b/there")).parts
    assert here.modules == 2


def test_other_words_of_the_command_are_another_one(tmp_path: Path) -> None:
    command = project_in(tmp_path)
    other = replace(command, argv=(command.argv[0], "--other"))
    assert Installation.read(command).parts["repl"] != Installation.read(other).parts["repl"]
    # Confined by a sandbox it is the same one.
    confined = replace(command, argv=("bwrap", *command.argv), outside=command)
    assert Installation.read(confined).parts == Installation.read(command).parts


def test_a_module_that_is_built_again_with_the_same_size_is_a_change(tmp_path: Path) -> None:
    command = project_in(tmp_path)
    before = Installation.read(command)
    file = tmp_path / ".lake/build/lib/lean/My.olean"
    os.utime(file, ns=(1, 1))
    assert not before.is_unchanged()


def test_without_a_project_there_is_nothing_but_the_command_and_our_code() -> None:
    command = ReplCommand((shutil.which("true") or "", "x"), None, None, "lean", wrapped=True)
    installation = Installation.read(command)
    assert (installation.modules, installation.is_unchanged()) == (0, True)


def test_our_own_code_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamverify.lean import installation as module  # noqa: PLC0415 - its place is changed

    package = tmp_path / "streamverify"
    for folder in ("core/audit", "core/messages", "core/syntax", "lean"):
        (package / folder).mkdir(parents=True)
    (package / "core/audit/axioms.py").write_text("allowed = 3")
    monkeypatch.setattr(module, "__file__", str(package / "lean/installation.py"))
    command = ReplCommand(("x",), {}, None, "lean", wrapped=True)
    before = Installation.read(command).parts["code"]
    (package / "core/audit/axioms.py").write_text("allowed = 4")
    assert Installation.read(command).parts["code"] != before
    assert Path(package).is_dir()
