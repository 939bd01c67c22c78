"""Writes rows of verdicts, beside the columns of a data set, to Parquet or JSON Lines.

The file appears under its name when it is complete, and not before: whoever finds it has all of it. Rows are written as
they come, in flat memory.
"""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from streamverify.core.datasets.columns import printable
from streamverify.core.datasets.inference import NULL, TEXT, Inference, Shape, Type, as_text
from streamverify.core.datasets.verdict_row import CHECKER, COLUMNS, MESSAGE, ColumnKind, names_beside
from streamverify.core.errors import OutputRefused
from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

JSON_LINES = frozenset({".jsonl", ".ndjson"})
PARQUET = frozenset({".parquet", ".pq"})
_ROWS = 4096
"""Rows that become columns at once."""
_BYTES = 4 * 1024**2
"""Bytes of JSON of them at most, about."""
_GROUP = 32 * 1024**2
"""Bytes of a row group of Parquet, about."""


class Writer(Protocol):
    """Takes rows one after the other."""

    def write(self, values: Mapping[str, Any], verdict: Mapping[str, Any]) -> None:
        """Write a row: the data set's columns, and ours by their own names."""


def check_output(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is done.

    Raises:
        OutputRefused: Its ending is none of ours, its folder is not there, or it is a folder; or it is Parquet, and
            pyarrow is not installed.
    """
    if path.suffix.lower() not in JSON_LINES | PARQUET:
        raise OutputRefused(f"--output {printable(str(path))}: its name must end in .parquet or .jsonl")
    if path.suffix.lower() in PARQUET:
        _pyarrow()
    if path.is_dir():
        raise OutputRefused(f"--output {printable(str(path))} is a folder")
    if not path.parent.is_dir():
        raise OutputRefused(f"--output {printable(str(path))}: there is no folder {printable(str(path.parent))}")
    if not os.access(path.parent, os.W_OK):
        raise OutputRefused(
            f"--output {printable(str(path))}: the folder {printable(str(path.parent))} cannot be written to"
        )


@contextmanager
def writing(path: Path, *, schema: Any = None, shape: Shape | None = None) -> Iterator[Writer]:
    """Write a file for the time of the context; at its end, if nothing went wrong, it gets its name.

    Args:
        path: The file. What has its name is replaced.
        schema: The Arrow schema of the data set's columns, where it has one.
        shape: What is known of the data set's columns otherwise.

    Raises:
        OutputRefused: It cannot be written: the disk is full, for instance.
    """
    # In the same folder: only within a file system a rename is one step.
    unfinished = path.with_name(f".{path.name}.unfinished")
    names = list(schema.names) if schema is not None else list(shape.columns if shape is not None else ())
    try:
        if path.suffix.lower() in PARQUET:
            with _parquet(unfinished, schema, shape or Shape()) as writer:
                yield writer
        else:
            with unfinished.open("wb") as file:
                yield _JsonLinesWriter(file.write, names_beside(names))
        with unfinished.open("rb") as file:
            # The name only when the content is on the disk.
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise OutputRefused(f"{printable(str(path))} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


class _JsonLinesWriter:
    def __init__(self, write: Callable[[bytes], object], names: Mapping[str, str]) -> None:
        self._write = write
        self._names = names

    def write(self, values: Mapping[str, Any], verdict: Mapping[str, Any]) -> None:
        row = {**values, **{self._names[name]: verdict[name] for name in COLUMNS}}
        self._write(_line(row))


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Integers beyond 64 bits, and half surrogate pairs.
        return jsontext.dumps(_all_plain(row)) + b"\n"


def _plain(value: Any) -> Any:
    """Return what JSON has no type for: bytes as Base64, all else (decimals, durations) as its text."""
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)


def _all_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _all_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_all_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else _plain(value)


@contextmanager
def _parquet(path: Path, schema: Any, shape: Shape) -> Iterator[_ParquetWriter]:
    pa, parquet = _pyarrow()
    theirs = _schema_of(pa, shape) if schema is None else schema
    names = names_beside(theirs.names)
    # What the libraries of others noted of their columns would be wrong with ours beside them.
    whole = pa.schema([*theirs, *(pa.field(names[name], _type(pa, kind)) for name, kind in COLUMNS.items())])
    with parquet.ParquetWriter(path, whole, compression="zstd") as file:
        writer = _ParquetWriter(pa, file, whole, names, shape if schema is None else None)
        yield writer
        writer.flush()


class _ParquetWriter:
    def __init__(self, pa: Any, file: Any, schema: Any, names: Mapping[str, str], shape: Shape | None) -> None:
        self._pa, self._file, self._schema, self._names, self._shape = pa, file, schema, names, shape
        self._texts = frozenset() if shape is None else shape.texts
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._tables: list[Any] = []

    def write(self, values: Mapping[str, Any], verdict: Mapping[str, Any]) -> None:
        row = {**values, **{self._names[name]: verdict[name] for name in COLUMNS}}
        for name in self._texts:
            if row.get(name) is not None:
                row[name] = as_text(row[name])
        self._rows.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES:
            self._make_table()

    def _make_table(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        try:
            table = self._pa.Table.from_pylist(rows, schema=self._schema)
        except UnicodeEncodeError:
            table = self._pa.Table.from_pylist([_repaired(row) for row in rows], schema=self._schema)
        self._tables.append(table)
        # Row groups of many rows: each costs a reader statistics, and few rows compress badly.
        if sum(each.nbytes for each in self._tables) >= _GROUP:
            self._write_group()

    def _write_group(self) -> None:
        self._file.write_table(self._pa.concat_tables(self._tables))
        self._tables = []

    def flush(self) -> None:
        if self._rows:
            self._make_table()
        if self._tables:
            self._write_group()


def _repaired(value: Any) -> Any:
    """Replace half surrogate pairs, which JSON may have and no file of Parquet."""
    if isinstance(value, str):
        return jsontext.repaired(value)
    if isinstance(value, dict):
        return {_repaired(name): _repaired(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    return value


def shape_of(path: Path, rows: Iterable[Mapping[str, Any]]) -> Shape:
    """Look at all rows of a data set that has no schema: which columns there are, and for Parquet of which types."""
    inference = Inference()
    if path.suffix.lower() in PARQUET:
        for row in rows:
            inference.add(row)
        return inference.shape()
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    return Shape(dict.fromkeys(names, TEXT))


def _type(pa: Any, kind: ColumnKind) -> Any:
    plain = {
        ColumnKind.TEXT: pa.string(),
        ColumnKind.WHOLE: pa.int64(),
        ColumnKind.NUMBER: pa.float64(),
        ColumnKind.FLAG: pa.bool_(),
    }
    nested: dict[ColumnKind, Mapping[str, ColumnKind]] = {ColumnKind.MESSAGES: MESSAGE, ColumnKind.CHECKERS: CHECKER}
    if kind in plain:
        return plain[kind]
    return pa.list_(pa.struct([pa.field(name, plain[each]) for name, each in nested[kind].items()]))


def _schema_of(pa: Any, shape: Shape) -> Any:
    plain = {
        "bool": pa.bool_(), "int": pa.int64(), "long": pa.int64(), "float": pa.float64(), "text": pa.string(),
        # Nothing but nulls: text is what most columns are.
        "null": pa.string(),
    }  # fmt: skip

    def arrow(each: Type) -> Any:
        if each.name == "list":
            return pa.list_(arrow(each.item or NULL))
        if each.name == "struct":
            return pa.struct([pa.field(name, arrow(inner)) for name, inner in each.fields.items()])
        return plain[each.name]

    return pa.schema([pa.field(name, arrow(each)) for name, each in shape.columns.items()])


def _pyarrow() -> Sequence[Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - only who has Parquet needs it
        from pyarrow import parquet  # noqa: PLC0415 - as above
    except ImportError:
        raise OutputRefused(
            "Parquet needs pyarrow, which is not installed: pip install 'streamverify[datasets]', or name a .jsonl file"
        ) from None
    return pa, parquet
