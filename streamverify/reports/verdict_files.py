"""Reads files of verdicts, row by row: what `replay --output` and `export --output` write, Parquet or JSONL.

Results as they are on the topic, one a line, are verdicts, too. A file of another origin is read as well, as long as it
has the columns; which column is ours is decided by
`core/datasets/verdict_row.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.core.datasets.verdict_row import names_in, verdict_row
from streamverify.core.errors import UndecodableResult
from streamverify.core.messages.codec import decode_result
from streamverify.core.reports.verdict import NEEDED, READ, VerdictRow, verdict_of
from streamverify.reports.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PARQUET = b"PAR1"
_ROWS_AT_ONCE = 1024
_BOM = b"\xef\xbb\xbf"


def read_verdicts(file: Path) -> Iterator[VerdictRow]:
    """Read each verdict of a file, in its order and in constant memory.

    Raises:
        ReportError: There is no such file, it cannot be read, or its rows are no verdicts.
    """
    try:
        # By its content: a file may have any name.
        with file.open("rb") as opened:
            start = opened.read(4)
        rows = _parquet(file) if start == _PARQUET else _jsonl(file)
        for row in rows:
            yield verdict_of(row)
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror or error}") from None


def _parquet(file: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ReportError("Parquet needs pyarrow: pip install 'streamverify[datasets]'") from None
    try:
        # Not in threads: they would read ahead, and the file may be larger than the memory.
        with pq.ParquetFile(file, pre_buffer=False) as opened:
            ours = _columns(file, opened.schema_arrow.names)
            for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=list(ours.values()), use_threads=False):
                columns = {name: batch.column(theirs).to_pylist() for name, theirs in ours.items()}
                for values in zip(*columns.values(), strict=True):
                    yield dict(zip(columns, values, strict=True))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        said = str(error).partition("\n")[0]
        raise ReportError(f"{file}: no Parquet that can be read: {said}") from None


def _jsonl(file: Path) -> Iterator[dict[str, Any]]:
    ours: Mapping[str, str] = {}
    seen: tuple[str, ...] | None = None
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if not text.strip():
                continue
            try:
                row = _loads(text)
            except (ValueError, RecursionError) as error:
                raise ReportError(f"{file}:{number}: no JSON ({error}); verdicts are JSONL or Parquet") from None
            if not isinstance(row, dict):
                raise ReportError(f"{file}:{number}: no JSON object; a file of verdicts has one on each line")
            # A result as it is on the topic, which `results --json` and `verify --json` print. Not where a data set of
            # results was replayed: then the verdicts are beside its own columns.
            if "timings" in row and "verifier" in row and "verifier_kind" not in names_in(row):
                try:
                    row = verdict_row(decode_result(text.strip()))
                except UndecodableResult as error:
                    raise ReportError(f"{file}:{number}: no result: {error}") from None
            names = tuple(row)
            if names != seen:
                seen, ours = names, _columns(file, names, f":{number}")
            yield {name: row[theirs] for name, theirs in ours.items()}


def _loads(text: bytes) -> Any:
    """Read JSON; also what orjson refuses and a data set may have: halves of surrogate pairs, and deep values."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(text)
        except ValueError:
            raise error from None  # its message is the better one


def _columns(file: Path, names: list[str] | tuple[str, ...], line: str = "") -> Mapping[str, str]:
    """Find our columns.

    Raises:
        ReportError: There are none.
    """
    found = names_in(names)
    missing = [name for name in NEEDED if name not in found]
    if missing:
        hint = "a file of verdicts is written by `streamverify replay --output` or `streamverify export --output`"
        raise ReportError(f"{file}{line}: has no column {missing[0]!r}; {hint}")
    return {name: found[name] for name in READ if name in found}
