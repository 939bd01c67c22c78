"""The files of a source, known again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataset_files import JSONL

from streamverify.datasets.finding import find

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digest_knows_another_file_and_a_copy(tmp_path: Path) -> None:
    file, copy = tmp_path / "a" / "set.jsonl", tmp_path / "b" / "set.jsonl"
    for path in (file, copy):
        path.parent.mkdir()
        path.write_bytes(JSONL)
    before = find(str(file), None).digest()
    assert find(str(copy), None).digest() == before
    file.write_bytes(JSONL.replace(b"t2", b"t3"))
    assert find(str(file), None).digest() != before
