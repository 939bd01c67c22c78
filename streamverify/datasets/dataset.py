"""A data set with everything that the command line says about it: its attempts, one after the other."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.attempts import Attempt, AttemptMaker
from streamverify.core.datasets.columns import Columns, choose
from streamverify.core.datasets.where import parse_all
from streamverify.core.errors import SourceError
from streamverify.datasets.files import STDIN, Form
from streamverify.datasets.finding import find
from streamverify.datasets.shuffle import shuffled
from streamverify.datasets.source import DataSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from streamverify.core.datasets.row import Row


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """The options that a user gives for a data set. A field is a flag with that name, `form` is `--format`.

    Attributes:
        form: What the files are; None: their names say so.
        header: The header of every proof that has none, where no column has one; a backslash and an n end a line of it.
        completions: The proof is the last block of Lean code in what a model wrote.
        continues: The proof is only what stands behind the statement's `:= by`.
        guess: Whether columns that are not named may be guessed.
        limit: The number of rows; None for all.
        offset: The number of rows that are passed over before.
        shuffle: Whether rows come in the order of `seed`.
        where: Conditions that a row must all satisfy.
        repeat: How often all rows are gone over.
        request: Further fields of each request.
        keep_columns: Whether attempts have the columns of their rows.
    """

    form: Form | None = None
    id_column: str | None = None
    proof_column: str | None = None
    statement_column: str | None = None
    header_column: str | None = None
    theorem_column: str | None = None
    group_column: str | None = None
    header: str | None = None
    completions: bool = False
    continues: bool = False
    guess: bool = True
    limit: int | None = None
    offset: int = 0
    shuffle: bool = False
    seed: int = 0
    where: tuple[str, ...] = ()
    repeat: int = 1
    request: Mapping[str, Any] = field(default_factory=dict)
    keep_columns: bool = True

    @property
    def columns(self) -> Columns:
        """The columns that were named."""
        return Columns(
            id=self.id_column,
            proof=self.proof_column,
            statement=self.statement_column,
            header=self.header_column,
            theorem=self.theorem_column,
            group=self.group_column,
            completion=self.completions,
            continues=self.continues,
        )


class DataSet:
    """A source that was opened. `attempts` reads it from the beginning each time."""

    def __init__(self, source: DataSource, options: SourceOptions) -> None:
        """Choose the columns.

        Raises:
            SourceError: A column is not there, or an option makes no sense with this source.
        """
        found = source.found
        self.name = found.name
        self.columns, remarks = choose(source.columns, options.columns, guess=options.guess)
        self.remarks = [*found.remarks, *remarks]
        self._source = source
        self._options = options
        self._where = parse_all(options.where, source.columns)
        self._made: AttemptMaker | None = None
        self._found: int | None = None
        """The number of rows after --where, once that is known."""
        self._pass = self._given = 0
        """The number of times that the source was begun, and of the rows that all of them have given."""
        if options.header is not None and options.header_column is not None:
            raise SourceError("--header and --header-column: a header comes from one of them")
        if options.repeat > 1 and found.files[0].name == "stdin" and found.files[0].size is None:
            raise SourceError(f"--repeat reads the source again, and {STDIN} can be read once only")
        if not options.keep_columns:
            source.only([*self.columns.used.values(), *(condition.column for condition in self._where)])

    @classmethod
    def open(cls, source: str, options: SourceOptions | None = None, stdin: Path | None = None) -> DataSet:
        """Find and open a source.

        Args:
            source: What `find` takes.
            options: What the user says about it.
            stdin: A file with what came from standard input, where the source is `-`.

        Raises:
            SourceError: It cannot be read, or lacks a column.
        """
        options = options or SourceOptions()
        return cls(DataSource(find(source, options.form, stdin)), options)

    @property
    def total(self) -> int | None:
        """The number of attempts to come, where it is known without reading them: rows with lists have any number."""
        rows = self._found if self._where or self._source.total is None else self._source.total
        if rows is None or self._has_lists:
            return None
        left = max(0, rows - self._options.offset)
        return (left if self._options.limit is None else min(left, self._options.limit)) * self._options.repeat

    @property
    def schema(self) -> pa.Schema | None:
        """The types of the columns of attempts, where the source is Parquet. A list of proofs has that of its items."""
        schema, column = self._source.schema, self.columns.proof
        if schema is None or column is None or not self._has_lists:
            return schema
        import pyarrow as pa  # noqa: PLC0415 - of an extra, and only there if a Parquet file was opened

        place = schema.get_field_index(column)
        return schema.set(place, pa.field(column, schema.field(place).type.value_type))

    @property
    def renamed(self) -> int:
        """The number of rows so far that had an id which another one had before."""
        return self._made.renamed if self._made else 0

    @property
    def identity(self) -> dict[str, Any]:
        """The options and files that decide which attempts there are: where they are the same, so are their numbers."""
        options = asdict(self._options)
        # What changes no attempt may change when a replay goes on; the columns stand below as they were chosen.
        for name in ("keep_columns", "form", "guess", *(f"{part}_column" for part in asdict(self.columns))):
            options.pop(name, None)
        found = self._source.found
        return {
            "source": found.name,
            "format": found.form,
            "revision": found.revision,
            "files": found.digest(),
            "columns": asdict(self.columns),
            **options,
            "where": list(self._options.where),
        }

    @property
    def _has_lists(self) -> bool:
        """True where the proof column of Parquet is one of lists."""
        column = self.columns.proof
        if self._source.schema is None or column is None:
            return False
        import pyarrow as pa  # noqa: PLC0415 - as above

        kind = self._source.schema.field(column).type
        return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))

    def attempts(self) -> Iterator[Attempt]:
        """Read the attempts, from the beginning.

        Raises:
            SourceError: What is left of the source cannot be read.
        """
        options = self._options
        # Shells have no easy way to write the end of a line, and no header has a backslash before an n.
        header = (options.header or "").replace("\\n", "\n")
        self._made = make = AttemptMaker(self.name, self.columns, header, options.request, options.keep_columns)
        self._given = 0
        end = None if options.limit is None else options.offset + options.limit
        for self._pass in range(1, options.repeat + 1):
            suffix = f"@{self._pass}" if options.repeat > 1 else ""
            rows = self._counted(self._source.rows())
            # Where, then shuffle, then offset and limit: a limit is a sample of the rows that are wanted.
            if options.shuffle:
                rows = shuffled(rows, options.seed, end)
            for row in itertools.islice(rows, options.offset, end):
                self._given += 1
                yield from make.of(row, suffix)

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Leave out the rows that are not wanted; after the last one it is known how many are."""
        found = 0
        for row in rows:
            # A row that cannot be read may be one that is wanted: it is kept, so that it is seen.
            if row.error is not None or all(condition.holds(row.values) for condition in self._where):
                found += 1
                yield row
        self._found = found

    def progress(self) -> float | None:
        """Give the share of the attempts that was read, from 0 to 1; None where that cannot be known."""
        options = self._options
        shares = [self._given / (options.limit * options.repeat)] if options.limit else []
        read = None if options.shuffle else self._source.progress()
        if read is not None:
            shares.append((max(self._pass, 1) - 1 + read) / options.repeat)
        return min(1.0, max(shares)) if shares else None
