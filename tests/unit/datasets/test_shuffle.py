from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamverify.core.datasets.row import Row
from streamverify.core.errors import SourceError
from streamverify.datasets import shuffle
from streamverify.datasets.shuffle import shuffled

if TYPE_CHECKING:
    from pathlib import Path


def rows(count: int) -> list[Row]:
    return [Row(index, f"row {index}", {"text": "x" * 50}) for index in range(count)]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 400),
    st.integers(),
    st.one_of(st.none(), st.integers(0, 500)),
    st.integers(1, 50_000),
    st.data(),
)
def test_the_order_depends_on_seed_and_numbers_only(
    count: int, seed: int, first: int | None, piece: int, data: st.DataObject
) -> None:
    given_rows = rows(count)
    whole = list(shuffled(given_rows, seed))
    assert sorted(whole, key=lambda row: row.index) == given_rows
    # Not on memory, nor on how many are wanted, nor on the order in which they come, nor on other rows.
    some = data.draw(st.lists(st.sampled_from(given_rows), unique_by=lambda row: row.index)) if given_rows else []
    chosen = {row.index for row in some}
    result = list(shuffled(some, seed, first, piece))
    assert result[:first] == [row for row in whole if row.index in chosen][:first]


def test_many_pieces_are_merged_into_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "_OPEN_FILES", 4)
    opened: list[Any] = []
    new = tempfile.TemporaryFile

    def open_another(**options: Any) -> Any:
        opened.append(new(**options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", open_another)
    assert list(shuffled(rows(1000), 5, piece=1000)) == list(shuffled(rows(1000), 5))
    assert len(opened) > 50
    assert all(file.closed for file in opened)


def test_few_of_many_need_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    assert list(shuffled(rows(5000), 5, first=3, piece=10_000))[:3] == list(shuffled(rows(5000), 5))[:3]


def test_no_room_for_files_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SourceError, match=r"--shuffle needs room in .*missing \(TMPDIR\): No such file"):
        list(shuffled(rows(100), 1, piece=100))
