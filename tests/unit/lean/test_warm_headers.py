"""The hot headers over a restart: kept whole or not at all, and no file of whatever kind stops a worker."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from streamverify.core.scheduling.header_stats import HeaderStat, HeaderStats
from streamverify.core.syntax.header import parse_header
from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.warm_headers import LONGEST_HEADER, MOST, MOST_BYTES, learned_file, read_learned, write_learned

if TYPE_CHECKING:
    from pathlib import Path


def heat(*memories: HeaderStat) -> HeaderStats:
    made = HeaderStats()
    made.restore(memories, 0.0)
    return made


def memory(name: str, asked: float = 5.0) -> HeaderStat:
    return HeaderStat(parse_header(f"import {name}\n"), asked, 2.0)


def test_what_was_written_is_read_the_hottest_first(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "file.json"
    write_learned(file, heat(memory("A", 3.0), memory("B", 4.0)), 0.0)
    assert read_learned(file) == [memory("B", 4.0), memory("A", 3.0)]
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_it_is_bounded(tmp_path: Path) -> None:
    long = memory("A" * LONGEST_HEADER, 99.0)
    write_learned(tmp_path / "f", heat(long, *(memory(f"M{number}") for number in range(MOST + 5))), 0.0)
    kept = read_learned(tmp_path / "f")
    assert len(kept) == MOST - 1
    assert long not in kept
    assert (tmp_path / "f").stat().st_size < MOST_BYTES


def test_nothing_learned_overwrites_nothing(tmp_path: Path) -> None:
    write_learned(tmp_path / "f", heat(memory("A")), 0.0)
    write_learned(tmp_path / "f", HeaderStats(), 0.0)
    assert read_learned(tmp_path / "f") == [memory("A")]


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
        b" " * (MOST_BYTES + 1),
    ],
)
def test_a_file_that_is_none_of_ours_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read_learned(tmp_path / "f") == []


def test_a_missing_file_or_one_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = tmp_path / "file" / "below"
    write_learned(blocked, heat(memory("A")), 0.0)
    assert read_learned(tmp_path / "none") == read_learned(blocked) == []
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names are what matters


def test_each_repl_and_project_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = (ReplCommand((name,), None, None, "lean", wrapped=False) for name in ("a", "b"))
    assert learned_file(one) == learned_file(one) != learned_file(other)
    assert learned_file(one).is_relative_to(tmp_path)
