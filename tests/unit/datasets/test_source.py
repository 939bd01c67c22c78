"""Rows of every format: what is read, what a row with an error costs, and what is no data set."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
from typing import TYPE_CHECKING, Any

import pytest
from dataset_files import COMPRESSIONS, FORMS, JSONL, ROWS, errors, failure, parquet, read

from streamverify.core.errors import SourceError
from streamverify.datasets.finding import find
from streamverify.datasets.source import DataSource, rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
    begun = DataSource(find(str(file), None)).rows()
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
        source = DataSource(find("-", form))
        assert [row.values for row in source.rows()] == ROWS
        with pytest.raises(SourceError, match="stdin can be read once only"):
            source.rows()


def test_progress_is_known_while_a_file_is_read(tmp_path: Path) -> None:
    lines = b"".join(b'{"id": %d, "proof": "%0999d"}\n' % (n, n) for n in range(9000))
    for name, content in {"a.jsonl": lines, "b.jsonl.gz": gzip.compress(lines, mtime=0)}.items():
        (tmp_path / name).write_bytes(content)
    source = DataSource(find(str(tmp_path), None))
    shares = [source.progress() or 0.0 for _ in source.rows()]
    assert shares == sorted(shares)
    assert 0.4 < shares[len(shares) // 4] < 0.6
    assert source.progress() == 1.0
