"""Rows of Parquet files, a batch at a time: a file may be larger than memory, and so may one of its row groups."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from streamverify.core.datasets.columns import shown_names
from streamverify.core.errors import SourceError
from streamverify.datasets.byte_streams import INSTALL, LFS_POINTER
from streamverify.datasets.text import FileRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 512
_BUFFER = 1024 * 1024
_MAGIC = b"PAR1"


@contextmanager
def open_parquet(name: str, path: Path | None, stream: BinaryIO) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file. Its end says what is in it: a pipe, or a compressed one, is copied to a temporary file.

    Args:
        name: What it is called in errors.
        path: Where it is; None where `stream` is to be copied.
        stream: What is in it.

    Raises:
        SourceError: It is none, or is cut off.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - of an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise SourceError(f"to read Parquet, install the extra `datasets`: {INSTALL}") from None
    with tempfile.TemporaryFile() as copy:
        head = stream.read(len(LFS_POINTER))
        if path is None and head.startswith(_MAGIC):
            copy.write(head)
            while data := stream.read(_BUFFER):
                copy.write(data)
            copy.seek(0)
        if head.startswith(LFS_POINTER):
            raise SourceError(f"{name} is a pointer of Git LFS and not the file itself: `git lfs pull` fetches that")
        if not head.startswith(_MAGIC):
            raise SourceError(f"{name} is no Parquet file: it does not begin with `PAR1`")
        try:
            # Without pre-buffering a row group is read page by page and not as a whole.
            file = pq.ParquetFile(copy if path is None else path, pre_buffer=False, buffer_size=_BUFFER)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise SourceError(f"{name} is no Parquet file, or is cut off: {reason}") from None
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise SourceError(f"{name}: two columns have the same name: {shown_names(names)}")
        yield file


def read_parquet(name: str, file: pq.ParquetFile, columns: Sequence[str] | None) -> Iterator[FileRow]:
    """Read the rows of a file; of `columns` those that it has, None for all.

    Raises:
        SourceError: It is damaged.
    """
    import pyarrow as pa  # noqa: PLC0415 - of an extra

    wanted = [column for column in file.schema_arrow.names if columns is None or column in columns]
    number = 0
    try:
        for batch in file.iter_batches(_BATCH, columns=wanted, use_threads=False):
            values = [_values(column) for column in batch.columns]
            names = batch.schema.names
            for row in zip(*values, strict=True) if values else ((),) * batch.num_rows:
                number += 1
                yield FileRow(f"{name} row {number}", dict(zip(names, row, strict=True)))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{name} is damaged after row {number:,}: {reason}") from None


def _values(column: pa.Array) -> list[Any]:
    """Give the Python values of a column; where Python has none for them all, Arrow's own."""
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        import pyarrow as pa  # noqa: PLC0415 - of an extra

        # A column of text with bytes that are not: whoever uses the value finds out.
        return list(column.cast(pa.large_binary()).to_pylist())
    except (ValueError, OverflowError):
        return list(column)  # times of nanoseconds, or beyond the year 9999
