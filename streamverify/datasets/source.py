"""Opens what the user calls SOURCE, and reads its rows one after the other."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.row import Row
from streamverify.core.errors import SourceError
from streamverify.datasets.byte_streams import open_stream, reading
from streamverify.datasets.files import STDIN, Form, SourceFiles
from streamverify.datasets.finding import find
from streamverify.datasets.parquet import open_parquet, read_parquet
from streamverify.datasets.text import check_text, read_csv, read_json, read_jsonl, read_lean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    import pyarrow as pa

    from streamverify.datasets.files import File
    from streamverify.datasets.text import FileRow

_PEEKED = 64
"""Rows by which the columns of files that do not list them are known."""


def rows(source: str, form: Form | None = None) -> Iterator[Row]:
    """Read the rows of a source, from the beginning.

    Raises:
        SourceError: It cannot be read.
    """
    return DataSource(find(source, form)).rows()


class DataSource:
    """A source that was found. `rows` reads it from the beginning each time; standard input has only one time."""

    def __init__(self, found: SourceFiles) -> None:
        """Look into the source for its columns.

        Raises:
            SourceError: It cannot be read, or nothing in it is a row.
        """
        self.found = found
        self.schema: pa.Schema | None = None
        self.total: int | None = None
        self._only: Sequence[str] | None = None
        self._read = 0
        """Bytes of the files that were read to their end."""
        self._stream: BinaryIO | None = None
        self._rows_read = 0
        self._stdin = self._begin() if found.files[0].name == "stdin" and found.files[0].size is None else None
        if found.form == "parquet" and self._stdin is None:
            self.columns = self._look_into_parquet()
        else:
            self.columns = self._look_into_rows()

    def only(self, columns: Sequence[str]) -> None:
        """Read no other columns, where the format allows that."""
        self._only = columns

    def rows(self) -> Iterator[Row]:
        """Read the rows, from the beginning.

        Raises:
            SourceError: What is left cannot be read, or it is standard input and was read before.
        """
        if self._stdin is not None:
            rows, self._stdin = self._stdin, iter(())
            first = next(rows, None)
            if first is None:
                raise SourceError(f"stdin can be read once only: write it to a file, and name that instead of {STDIN}")
            return itertools.chain([first], rows)
        return self._begin()

    def progress(self) -> float | None:
        """Give the share of the source that was read, from 0 to 1; None where its size is not known."""
        # Parquet is read by columns and row groups: its position in the file tells nothing.
        if self.total:
            return min(1.0, self._rows_read / self.total)
        sizes = [file.size for file in self.found.files]
        if None in sizes or not sum(filter(None, sizes)):
            return None
        try:
            position = self._stream.tell() if self._stream is not None else 0
        except ValueError:  # it was closed meanwhile
            position = 0
        return min(1.0, (self._read + position) / sum(filter(None, sizes)))

    def _begin(self) -> Iterator[Row]:
        self._read, self._rows_read, index = 0, 0, 0
        for file in self.found.files:
            try:
                for record in self._records(file):
                    self._rows_read = index + 1
                    yield Row(index, record.place, record.values, record.error)
                    index += 1
            finally:
                self._stream = None
            self._read += file.size or 0
        self.total = index

    def _records(self, file: File) -> Iterator[FileRow]:
        """Read the rows of one file."""
        name, form, before = file.name, self.found.form, self._rows_read
        with reading(name, lambda: f" after {self._rows_read - before:,} rows"):
            path = file.fetch()
            stream, raw = open_stream(path)
            with raw, stream:
                self._stream = raw
                if form == "parquet":
                    with open_parquet(name, path if stream is raw else None, stream) as parquet:
                        # A shard may lack columns that others have: its rows have them all, as nulls.
                        names = () if self.schema is None else self.schema.names if self._only is None else self._only
                        empty: dict[str, Any] = dict.fromkeys(names)
                        for row in read_parquet(name, parquet, self._only):
                            complete = len(row.values) >= len(empty)
                            yield row if complete else row._replace(values={**empty, **row.values})
                    return
                check_text(name, bytes(stream.peek(4096)[:4096]))  # type: ignore[attr-defined]
                match form:
                    case "jsonl":
                        yield from read_jsonl(name, stream)
                    case "json":
                        yield from read_json(name, stream)
                    case "lean":
                        yield from read_lean(name, stream)
                    case _:
                        yield from read_csv(name, stream, "\t" if form == "tsv" else ",")

    def _look_into_parquet(self) -> list[str]:
        """Read what the ends of the files say: their columns, and how many rows there are.

        Of a set on the hub only the first file is fetched for that.
        """
        import pyarrow as pa  # noqa: PLC0415 - of an extra, and only there if one was opened

        schemas, total = [], 0
        remote = self.found.revision is not None
        files = self.found.files[:1] if remote else self.found.files
        for file in files:
            with reading(file.name, lambda: ""):
                path = file.fetch()
                stream, raw = open_stream(path)
                with raw, stream, open_parquet(file.name, path if stream is raw else None, stream) as parquet:
                    schemas.append(parquet.schema_arrow.remove_metadata())
                    total += parquet.metadata.num_rows
        try:
            self.schema = pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise SourceError(f"{self.found.name}: its files have different columns: {reason}") from None
        # Of a set on the hub the other files were not fetched: how many rows they have is not known.
        self.total = total if len(files) == len(self.found.files) else None
        if self.total == 0:
            raise SourceError(f"{self.found.name} has no rows")
        return list(self.schema.names)

    def _look_into_rows(self) -> list[str]:
        """Read the first rows for their columns; those of standard input are kept."""
        rows = self._stdin if self._stdin is not None else self._begin()
        peeked = list(itertools.islice(rows, _PEEKED))
        if self._stdin is not None:
            self._stdin = itertools.chain(peeked, rows)
        else:
            rows.close()  # type: ignore[attr-defined]
        names = list(dict.fromkeys(name for row in peeked for name in row.values))
        if not peeked:
            raise SourceError(f"{self.found.name} has no rows")
        if not names:
            first = peeked[0]
            raise SourceError(
                f"{first.where} {first.error or 'has no columns'}; is it {self.found.form}? --format says what it is"
            )
        return names
