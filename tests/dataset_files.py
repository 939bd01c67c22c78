"""Small data sets in every format, and what reading them gives."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamverify.core.errors import SourceError
from streamverify.datasets.source import rows

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
