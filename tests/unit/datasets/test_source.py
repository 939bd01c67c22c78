from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamverify.core.errors import SourceError
from streamverify.datasets.files import find
from streamverify.datasets.source import Source, rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [{"id": str(n), "proof": f"theorem t{n} : ∀ x, x = x\n"} for n in range(3)]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
CSV = b"id,proof\n" + b"".join(f'{row["id"]},"{row["proof"]}"\n'.encode() for row in ROWS)


def parquet(values: list[dict[str, Any]], **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(values), stream, **options)
    return stream.getvalue()


FORMS = {
    "jsonl": JSONL,
    "ndjson": JSONL.replace(b"\n", b"\r\n\r\n"),
    "json": json.dumps(ROWS, indent=1).encode(),
    "csv": CSV,
    "tsv": CSV.replace(b',"', b'\t"').replace(b"id,", b"id\t"),
    "parquet": parquet(ROWS),
}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


def read(source: Path | str, *arguments: Any) -> list[dict[str, Any]]:
    found = list(rows(str(source), *arguments))
    assert [row.index for row in found] == list(range(len(found)))
    assert [row.error for row in found] == [None] * len(found)
    return [row.values for row in found]


def errors(source: Path) -> list[str | None]:
    return [row.error for row in rows(str(source))]


def failure(source: Path | str, *arguments: Any) -> str:
    with pytest.raises(SourceError) as raised:
        list(rows(str(source), *arguments))
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_every_format_with_every_compression(tmp_path: Path, form: str, compression: str) -> None:
    file = tmp_path / f"set.{form}{compression}"
    file.write_bytes(COMPRESSIONS[compression](FORMS[form]))
    assert read(file) == ROWS


@pytest.mark.parametrize("compress", COMPRESSIONS.values())
def test_several_compressed_parts_one_after_the_other_are_all_read(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "set.jsonl"
    file.write_bytes(compress(JSONL) + compress(JSONL))
    assert read(file) == ROWS + ROWS


def test_a_name_that_says_nothing_needs_a_format(tmp_path: Path) -> None:
    file = tmp_path / "set.txt"
    file.write_bytes(JSONL)
    assert "its name does not say what it is: --format jsonl or json or csv" in failure(file)
    assert read(file, "jsonl") == ROWS


@pytest.mark.parametrize(
    "text",
    [
        {"proofs": ROWS},
        {"codes": ROWS, "timeout": 5},
        {"meta": {"data": 1, "n": [1, 2]}, "data": ROWS},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_rows_may_lie_in_an_object(tmp_path: Path, text: dict[str, Any], indent: int | None) -> None:
    file = tmp_path / "set.json"
    file.write_text(json.dumps(text, indent=indent))
    assert read(file) == ROWS


def test_a_json_file_may_be_jsonl_and_an_array_may_be_of_texts(tmp_path: Path) -> None:
    file = tmp_path / "set.json"
    file.write_bytes(JSONL)
    assert read(file) == ROWS
    file.write_text('["theorem a", "theorem b"]')
    assert read(file) == [{"proof": "theorem a"}, {"proof": "theorem b"}]
    file.write_text('{"name": "p", "proofs": ["a", "b"]}')
    assert read(file) == [{"name": "p", "proofs": ["a", "b"]}]
    file.write_text('{"name": "p", "proofs": ["a", "b"]}\n' * 2)
    assert len(read(file)) == 2


def test_a_json_array_is_read_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "set.json"
    with file.open("w") as stream:
        stream.write('{"proofs": [')
        stream.write(",".join(json.dumps({"id": n, "proof": "x" * 1000}) for n in range(4000)))
        # What is behind the rows that are looked at is not read yet, so what is wrong there does not matter yet.
        stream.write(", broken")
    begun = Source(find(str(file), None)).rows()
    assert next(begun).values["id"] == 0
    with pytest.raises(SourceError, match=r"set.json is no JSON, or is cut off, after 4,000 rows"):
        list(begun)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    for form in ("jsonl", "json", "csv"):
        file = tmp_path / f"set.{form}"
        file.write_bytes(b"\xef\xbb\xbf" + FORMS[form])
        assert read(file) == ROWS


def test_lines_that_are_no_rows_are_rows_with_an_error(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    lines = [b'{"id": 1, "proof": "x"}', b"[1]", b'{"id": ', b'{"id": "\xff"}', b'{"id": "a\x00"}', b"nonsense"]
    file.write_bytes(b"\n".join(lines))
    expected = [
        None,
        "is no JSON object but [1]",
        "is not JSON: ",
        "is not UTF-8 (byte 8 of",
        "is not JSON: ",
        "is not JSON: ",
    ]
    assert [
        error and error[: len(begin or "")] for error, begin in zip(errors(file), expected, strict=True)
    ] == expected
    assert [row.where for row in rows(str(file))][-1] == "set.jsonl:6"


def test_numbers_that_json_does_not_have_cost_no_row(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text(f'{{"id": {2**100}, "score": NaN, "proof": "x"}}\n{{"id": {2**90}}}')
    first, second = read(file)
    assert (first["id"], str(first["score"]), second["id"]) == (2**100, "nan", 2**90)


def test_lone_surrogates_are_an_error_of_their_row(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    file.write_text('{"proof": "a"}\n{"proof": "\\ud800"}\n')
    assert errors(file) == [None, "has half of a surrogate pair, which UTF-8 cannot encode"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"proof": "a"}, {"proof": "\\udc00"}]', "set.json has half of a surrogate pair, .* after 1 rows"),
        ('[{"proof": "a"}, {"proof": "\\ud800"}]', "set.json has half of a surrogate pair, .* after 1 rows"),
        ('{"proofs": ["a", "b", "\\uD83Dx\\uDE00"]}', "set.json has half of a surrogate pair, .* after 2 rows"),
        ('{"x": "\\udc00",\n"proofs": [{"proof": "a"}]}', "set.json is one JSON object without a list of rows"),
    ],
)
def test_an_array_with_lone_surrogates_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "set.json"
    file.write_text(text)
    with pytest.raises(SourceError, match=said):
        errors(file)


def test_a_line_that_is_longer_than_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamverify.datasets.text.MAX_REQUEST_BYTES", 100)
    file = tmp_path / "set.jsonl"
    file.write_text('{"id": 1}\n' + '{"id": "' + "x" * 1000 + '"}\n{"id": 2}\n')
    assert errors(file) == [None, "the line has more than 100 bytes", None]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("set.jsonl", FORMS["parquet"], "set.jsonl is a Parquet file: --format parquet"),
        ("set.jsonl", b"\x7fELF" + bytes(2000), "set.jsonl is binary: it is neither JSON, CSV nor Lean"),
        ("set.jsonl", JSONL.decode().encode("utf-16"), "set.jsonl is UTF-16; data sets are read as UTF-8"),
        ("set.jsonl", b"", "set.jsonl has no rows"),
        ("set.jsonl", b"\n \n", "set.jsonl has no rows"),
        ("set.json", b"[]", "set.json has no rows"),
        ("set.csv", b"", "set.csv has no rows"),
        (
            "set.jsonl",
            b"theorem t\n",
            "set.jsonl:1 is not JSON: ",
        ),
        ("set.json", b"hello", "set.json is no JSON: it begins with 'hello'"),
        ("set.json", b'{\n "columns": {"a": 1}, "x": []\n}', "set.json is one JSON object without a list of rows"),
        ("set.parquet", b"", "set.parquet is no Parquet file: it does not begin with `PAR1`"),
        ("set.parquet", JSONL, "set.parquet is no Parquet file: it does not begin with `PAR1`"),
        ("set.parquet", FORMS["parquet"][:-30], "set.parquet is no Parquet file, or is cut off: "),
        ("set.parquet", b"PAR1", "set.parquet is no Parquet file, or is cut off: "),
        (
            "set.parquet",
            parquet(ROWS)[:0] + b"PAR1" + bytes(60) + b"PAR1",
            "set.parquet is no Parquet file, or is cut off",
        ),
        ("set.parquet", parquet([])[:], "set.parquet has no rows"),
        ("set.parquet", b"version https://git-lfs.github.com/spec/v1\n", "set.parquet is a pointer of Git LFS"),
        ("set.jsonl", b"version https://git-lfs.github.com/spec/v1\n", "set.jsonl is a pointer of Git LFS"),
        ("set.csv", b"a,a\n1,2\n", "set.csv: two columns have the same name, or one is not UTF-8: `a`, `a`"),
        ("set.csv", b'a,b\n1,"2\n', "set.csv:2 is no CSV: unexpected end of data (a quote that is not closed?)"),
        # Without the time: what is compressed is a part of the test's name, which all processes must agree on.
        ("set.jsonl.gz", gzip.compress(JSONL, mtime=0)[:-20], "set.jsonl.gz is cut off after "),
        ("set.jsonl.bz2", bz2.compress(JSONL)[:-20], "set.jsonl.bz2 is cut off after "),
        ("set.jsonl.xz", lzma.compress(JSONL)[:-20], "set.jsonl.xz is cut off after"),
        ("set.jsonl.zst", zstd.compress(JSONL)[:-10], "set.jsonl.zst is cut off after "),
        ("set.jsonl.gz", gzip.compress(JSONL, mtime=0)[:30] + bytes(99), "set.jsonl.gz is damaged after 0 rows: "),
        ("set.jsonl.zst", zstd.compress(JSONL)[:9] + b"\xff" * 99, "set.jsonl.zst is damaged after 0 rows: "),
        ("set.jsonl.bz2", bz2.compress(JSONL)[:30] + b"\xff" * 99, "set.jsonl.bz2 is damaged after 0 rows: "),
    ],
)
def test_what_is_no_data_set_is_said(tmp_path: Path, name: str, content: bytes, error: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert failure(tmp_path / name).startswith(error)


def test_what_is_there_of_a_file_that_is_cut_off_comes_before_the_error(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl.gz"
    lines = b"".join(b'{"id": %d, "proof": "%032x"}\n' % (n, n * 2**90 // 7) for n in range(20_000))
    file.write_bytes(gzip.compress(lines, mtime=0)[:-30_000])
    came: list[int] = []
    begun = rows(str(file))
    with pytest.raises(SourceError, match=r"set.jsonl.gz is cut off after [\d,]+ rows") as raised:
        came.extend(row.index for row in begun)
    assert len(came) > 1000
    assert f"after {len(came):,} rows" in str(raised.value)


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
    source = Source(find(str(file), None))
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
    source = Source(find(str(file), None))
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


def test_rows_of_csv_with_another_number_of_fields(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_bytes(b"id,proof\r\n1,a\r\n2\r\n3,b,c\r\n\r\n4,\xff\r\n5,a\x00b\r\n")
    assert errors(file) == [
        None,
        "has 1 fields; the first line names 2 columns",
        "has 3 fields; the first line names 2 columns",
        "is not UTF-8",
        None,
    ]


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
@pytest.mark.parametrize("compression", ["", ".gz"])
def test_standard_input_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any, compression: str
) -> None:
    file = tmp_path / "pipe"
    file.write_bytes(COMPRESSIONS[compression](FORMS[form]))
    with file.open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert failure("-").startswith("say what comes from stdin: --format jsonl, json")
        source = Source(find("-", form))
        assert [row.values for row in source.rows()] == ROWS
        with pytest.raises(SourceError, match="stdin can be read once only"):
            source.rows()


def test_progress_is_known_while_a_file_is_read(tmp_path: Path) -> None:
    lines = b"".join(b'{"id": %d, "proof": "%0999d"}\n' % (n, n) for n in range(9000))
    for name, content in {"a.jsonl": lines, "b.jsonl.gz": gzip.compress(lines, mtime=0)}.items():
        (tmp_path / name).write_bytes(content)
    source = Source(find(str(tmp_path), None))
    shares = [source.progress() or 0.0 for _ in source.rows()]
    assert shares == sorted(shares)
    assert 0.4 < shares[len(shares) // 4] < 0.6
    assert source.progress() == 1.0


def test_the_digest_knows_another_file_and_a_copy(tmp_path: Path) -> None:
    file, copy = tmp_path / "a" / "set.jsonl", tmp_path / "b" / "set.jsonl"
    for path in (file, copy):
        path.parent.mkdir()
        path.write_bytes(JSONL)
    before = find(str(file), None).digest()
    assert find(str(copy), None).digest() == before
    file.write_bytes(JSONL.replace(b"t2", b"t3"))
    assert find(str(file), None).digest() != before
