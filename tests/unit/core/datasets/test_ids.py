from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.datasets import ids

if TYPE_CHECKING:
    import pytest


def test_tables_grow_to_their_bound_and_forget_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_SIZES", (2**10, 2**13, 2**16))
    seen = ids.SeenIds()
    mistaken = sum(seen.add(f"id {number}") for number in range(5000))
    assert [len(table) * 8 for table in seen._tables] == [2**10, 2**13, 2**16]
    assert all(seen.add(f"id {number}") for number in range(5000))
    # Beyond its capacity of 2**16 / 128 ids, the last table is wrong now and then, and stays as large as it is.
    assert 0 < mistaken < 250
