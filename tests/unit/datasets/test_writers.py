from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamverify.core.datasets.verdict_row import COLUMNS, unsent_row
from streamverify.core.errors import OutputRefused
from streamverify.datasets.writers import check_output, shape_of, writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

VERDICT = unsent_row("no", custom_id="ours") | {
    "status": "verified",
    "messages": [{"severity": "info", "line": 1, "column": 0, "text": "hello"}],
}


def write(path: Path, rows: Sequence[Mapping[str, Any]], schema: Any = None) -> None:
    shape = None if schema is not None else shape_of(path, rows)
    with writing(path, schema=schema, shape=shape) as writer:
        for row in rows:
            writer.write(row, VERDICT)


def test_parquet_keeps_the_types_of_its_source(tmp_path: Path) -> None:
    schema = pa.schema([
        pa.field("small", pa.int8()),
        pa.field("when", pa.timestamp("us", tz="Europe/Berlin")),
        pa.field("money", pa.decimal128(12, 3)),
        pa.field("raw", pa.binary()),
        pa.field("tags", pa.list_(pa.large_string())),
        pa.field("status", pa.dictionary(pa.int32(), pa.string())),
    ])  # fmt: skip
    when = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    table = pa.Table.from_pylist(
        [
            {"small": 3, "when": when, "money": Decimal("1.250"), "raw": b"\xff", "tags": ["a", None], "status": "x"},
            dict.fromkeys(schema.names),
        ],
        schema=schema.with_metadata({"huggingface": "{}"}),
    )
    file = tmp_path / "v.parquet"
    write(file, table.to_pylist(), table.schema)

    read = pq.read_table(file)
    assert read.select(schema.names).equals(pa.Table.from_pylist(table.to_pylist(), schema=schema))
    assert read.column("verdict_status").to_pylist() == ["verified"] * 2
    assert set(read.column_names) == {*schema.names, *(COLUMNS.keys() - {"status"}), "verdict_status"}
    assert read.column("messages").to_pylist()[0] == VERDICT["messages"]
    assert b"huggingface" not in (read.schema.metadata or {})


def test_json_lines_keep_what_json_has(tmp_path: Path) -> None:
    rows = [{"id": 2**70, "name": "\ud83c∀", "deep": {"a": [1, None, 1.5]}}, {"other": True, "summary": "theirs"}]
    file = tmp_path / "v.jsonl"
    write(file, rows)

    first, second = (json.loads(line) for line in file.read_text("utf-8").splitlines())
    assert (first["id"], first["name"], first["deep"]) == (2**70, "\ufffd∀", {"a": [1, None, 1.5]})
    # The same names in every row, whatever columns it has itself.
    assert first["verdict_summary"] is second["verdict_summary"] is None
    assert second["summary"] == "theirs"
    assert first["status"] == "verified"


def test_what_json_has_no_type_for_is_written_as_text(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    write(file, [{"raw": b"\xff", "money": Decimal("1.20"), "day": dt.date(2026, 1, 2), "big": 2**70}])

    row = json.loads(file.read_text())
    assert (row["raw"], row["money"], row["day"], row["big"]) == ("/w==", "1.20", "2026-01-02", 2**70)


def test_rows_of_json_become_parquet_without_a_loss(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"n": 1, "x": 1, "id": 1, "tags": ["a"], "meta": {"k": 1}, "big": 2**60, "none": None, "half": "\ud800"},
        {"n": 2, "x": 0.5, "id": "b", "tags": [], "meta": {"l": "z"}, "big": 0.5, "late": [{"a": 1}]},
    ]
    file = tmp_path / "v.parquet"
    write(file, rows)

    first, second = pq.read_table(file).to_pylist()
    assert (first["n"], first["x"], second["x"]) == (1, 1.0, 0.5)
    # What has no type in common is text: JSON, but for what is text already.
    assert (first["id"], second["id"]) == ("1", "b")
    assert (first["big"], second["big"]) == (str(2**60), "0.5")
    assert (first["tags"], first["meta"], second["late"]) == (["a"], {"k": 1, "l": None}, [{"a": 1}])
    assert (first["none"], first["half"], first["late"]) == (None, "\ufffd", None)


def test_many_rows_become_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamverify.datasets.writers._ROWS", 10)
    monkeypatch.setattr("streamverify.datasets.writers._GROUP", 10_000)
    file = tmp_path / "v.parquet"
    write(file, [{"n": n} for n in range(95)])

    assert pq.ParquetFile(file).num_row_groups > 1
    assert pq.read_table(file).column("n").to_pylist() == list(range(95))


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet"])
def test_a_file_that_is_not_complete_has_not_its_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("before")

    def interrupted() -> None:
        with writing(file) as writer:
            writer.write({}, VERDICT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "before")]


def test_outputs_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for path, why in (
        (tmp_path / "v.csv", r"must end in \.parquet or \.jsonl"),
        (tmp_path / "folder.jsonl", "is a folder"),
        (tmp_path / "no" / "v.jsonl", "there is no folder"),
        (tmp_path / "a\nb.csv", "a\ufffdb"),
    ):
        with pytest.raises(OutputRefused, match=why) as refused:
            check_output(path)
        assert "\n" not in str(refused.value)


def test_a_full_disk_is_one_line() -> None:
    from pathlib import Path  # noqa: PLC0415 - /dev/full is where it is

    with pytest.raises(OutputRefused, match="cannot be written"), writing(Path("/dev/full/v.jsonl")) as writer:
        writer.write({}, VERDICT)
