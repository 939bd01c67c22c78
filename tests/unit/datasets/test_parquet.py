"""Parquet files: damaged ones, types, shards."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from dataset_files import ROWS, failure, parquet, read

from streamverify.datasets.finding import find
from streamverify.datasets.source import DataSource, rows

if sys.version_info >= (3, 14):
    pass
else:
    pass

if TYPE_CHECKING:
    from pathlib import Path


def test_a_parquet_file_that_is_damaged_within(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    values = [{"id": n, "proof": f"{n * 2**90 // 7:032x}" * 9} for n in range(20_000)]
    content = bytearray(parquet(values, row_group_size=5_000, compression="gzip"))
    content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
    file.write_bytes(content)
    assert failure(file).startswith("set.parquet is damaged after ")


def test_parquet_keeps_its_types_and_reads_only_what_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    table = pa.table(
        {
            "proof": ["x", None],
            "when": pa.array([moment, None], pa.timestamp("ns", "UTC")),
            "price": pa.array([Decimal("1.5"), None], pa.decimal128(5, 2)),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "scores": [[0.5], []],
            "odd": pa.array([b"\xff", b"a"]),
        }
    )
    pq.write_table(table, file)
    source = DataSource(find(str(file), None))
    first, second = (row.values for row in source.rows())
    assert source.schema == table.schema
    assert source.total == 2
    assert pa.Table.from_pylist([first, second], table.schema) == table
    source.only(["proof"])
    assert [row.values for row in source.rows()] == [{"proof": "x"}, {"proof": None}]


def test_times_that_python_has_no_value_for_survive(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    table = pa.table(
        {"proof": ["x"], "when": pa.array([1], pa.timestamp("ns")), "far": pa.array([2**55], pa.timestamp("us"))}
    )
    pq.write_table(table, file)
    source = DataSource(find(str(file), None))
    assert pa.Table.from_pylist([row.values for row in source.rows()], source.schema) == table


def test_text_in_parquet_that_is_not_utf8_costs_its_row_only(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    column = pa.array([b"x", b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"proof": column}), file)
    assert [row.values for row in rows(str(file))] == [{"proof": b"x"}, {"proof": b"\xff"}]


def test_shards_are_one_set_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, row in enumerate(ROWS):
        file = tmp_path / "data" / f"train-{number:05}-of-00003.parquet"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(parquet([row] if number else [{"extra": 1, **row}]))
    (tmp_path / "README.md").write_text("# a set")
    (tmp_path / "dataset_infos.json").write_text("{}")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x.parquet").write_text("no")
    expected = [{"extra": None, **row} for row in ROWS]
    expected[0]["extra"] = 1
    assert read(tmp_path) == expected
    assert read(f"{tmp_path}/data/train-*.parquet") == expected
    assert read(f"{tmp_path}/**/*.parquet") == expected
    assert [row.where for row in rows(str(tmp_path))][1] == "data/train-00001-of-00003.parquet row 1"


def test_shards_with_other_types_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet([{"proof": "x"}]))
    (tmp_path / "b.parquet").write_bytes(parquet([{"proof": [1]}]))
    assert "its files have different columns" in failure(tmp_path)
