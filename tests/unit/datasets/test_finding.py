"""Which files a source is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataset_files import JSONL, ROWS, failure, read

from streamverify.datasets.source import rows

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_of_lean(tmp_path: Path) -> None:
    for name, content in {
        "b.lean": b"theorem b",
        "a/c.lean": b"theorem c",
        "a/bad.lean": b"\xff",
        ".lake/x.lean": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "lake-manifest.json").write_text("{}")
    assert [(row.where, row.values, row.error) for row in rows(str(tmp_path))] == [
        ("a/bad.lean", {"path": "a/bad.lean", "proof": None}, "is not UTF-8 (byte 0)"),
        ("a/c.lean", {"path": "a/c.lean", "proof": "theorem c"}, None),
        ("b.lean", {"path": "b.lean", "proof": "theorem b"}, None),
    ]
    assert read(tmp_path / "b.lean") == [{"path": "b.lean", "proof": "theorem b"}]


def test_a_folder_with_files_of_several_kinds_needs_a_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(JSONL)
    (tmp_path / "b.lean").write_text("theorem b")
    assert failure(tmp_path).endswith("has files of several kinds: say which with --format jsonl or lean")
    assert read(tmp_path, "jsonl") == ROWS


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "proofs.jsonl").write_bytes(JSONL)
    assert failure(tmp_path / "proof.jsonl").endswith("proof.jsonl; did you mean `proofs.jsonl`?")
    assert failure(f"{tmp_path}/*.csv").startswith("no file matches")
    (tmp_path / "empty").mkdir()
    assert "has no file that ends in .jsonl, .ndjson" in failure(tmp_path / "empty")
    assert failure("").startswith("the name of the source is empty")
    assert failure("a\0b").startswith("the name of the source is empty")
    assert failure("x" * 5000).startswith("there is no file or folder xxx")
    assert "\x1b" not in failure(tmp_path / "\x1b[31m.jsonl")
