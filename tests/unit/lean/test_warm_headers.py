"""The headers that are warm at start: the hot ones over a restart, kept whole or not at all, and those of PREWARM."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streamverify.core.errors import SettingsError
from streamverify.core.scheduling.header_stats import HeaderStat, HeaderStats
from streamverify.core.scheduling.prewarm import parse_prewarm
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.sandbox import inside
from streamverify.lean.warm_headers import (
    MAX_FILE_BYTES,
    MAX_HEADER_LENGTH,
    MAX_SAVED_HEADERS,
    headers_to_warm,
    library_roots,
    read_saved_headers,
    saved_headers_file,
    write_saved_headers,
)
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def header_stats(*stats: HeaderStat) -> HeaderStats:
    made = HeaderStats()
    made.restore(stats, 0.0)
    return made


def stat(name: str, asked: float = 5.0) -> HeaderStat:
    return HeaderStat(parse_header(f"import {name}\n"), asked, 2.0)


def test_what_was_written_is_read_the_hottest_first(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file.json"
    write_saved_headers(file, header_stats(stat("A", 3.0), stat("B", 4.0)), 0.0)
    assert read_saved_headers(file) == [stat("B", 4.0), stat("A", 3.0)]
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_it_is_bounded(tmp_path: Path) -> None:
    long = stat("A" * MAX_HEADER_LENGTH, 99.0)
    write_saved_headers(
        tmp_path / "f", header_stats(long, *(stat(f"M{number}") for number in range(MAX_SAVED_HEADERS + 5))), 0.0
    )
    kept = read_saved_headers(tmp_path / "f")
    assert len(kept) == MAX_SAVED_HEADERS - 1
    assert long not in kept
    assert (tmp_path / "f").stat().st_size < MAX_FILE_BYTES


def test_no_headers_overwrite_nothing(tmp_path: Path) -> None:
    write_saved_headers(tmp_path / "f", header_stats(stat("A")), 0.0)
    write_saved_headers(tmp_path / "f", HeaderStats(), 0.0)
    assert read_saved_headers(tmp_path / "f") == [stat("A")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"headers": 1}',
        b'{"headers": [{"header": "prelude", "asked": 1, "import_seconds": 1}]}',
        b'{"headers": [{"header": "import A", "asked": "inf", "import_seconds": 1}]}',
        b'{"headers": [{"header": "import A", "asked": 1}]}',
        b"[" * 100_000,
        b" " * (MAX_FILE_BYTES + 1),
    ],
)
def test_a_file_that_is_none_of_ours_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read_saved_headers(tmp_path / "f") == []


def test_a_missing_file_or_one_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = tmp_path / "file" / "below"
    write_saved_headers(blocked, header_stats(stat("A")), 0.0)
    assert read_saved_headers(tmp_path / "none") == read_saved_headers(blocked) == []
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names are what matters


def test_each_repl_and_project_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = (ReplCommand((name,), None, None, "lean", wrapped=False) for name in ("a", "b"))
    assert saved_headers_file(one) == saved_headers_file(one) != saved_headers_file(other)
    assert saved_headers_file(one).is_relative_to(tmp_path)


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
    with pytest.raises(SettingsError, match="--prewarm"):
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
