"""A data set with everything that the command line says about it: its attempts, one after the other."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.attempts import Attempt, Attempts
from streamverify.core.datasets.columns import Columns, choose
from streamverify.datasets.source import Form, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the user says about a data set. A field is a flag with that name, `form` is `--format`."""

    form: Form | None = None
    id_column: str | None = None
    proof_column: str | None = None
    statement_column: str | None = None
    header_column: str | None = None
    theorem_column: str | None = None
    group_column: str | None = None
    header: str | None = None
    completions: bool = False
    limit: int | None = None
    offset: int = 0
    shuffle: bool = False
    seed: int = 0
    where: tuple[str, ...] = ()
    repeat: int = 1
    request: Mapping[str, Any] = field(default_factory=dict)
    keep_columns: bool = True


@dataclass
class DataSet:
    """A source that was opened. `attempts` reads it from the beginning each time."""

    name: str
    source: str
    options: SourceOptions
    columns: Columns
    remarks: list[str]
    total: int | None
    schema: pa.Schema | None
    identity: dict[str, Any]

    @classmethod
    def open(cls, source: str, options: SourceOptions | None = None) -> DataSet:
        """Open a source, and choose its columns.

        Raises:
            SourceError: It cannot be read, or lacks a column.
        """
        options = options or SourceOptions()
        given = Columns(
            id=options.id_column,
            proof=options.proof_column,
            statement=options.statement_column,
            header=options.header_column,
            theorem=options.theorem_column,
            group=options.group_column,
            completion=options.completions,
        )
        names = dict.fromkeys(name for row in itertools.islice(rows(source, options.form), 64) for name in row.values)
        columns, remarks = choose(list(names), given)
        identity = {"source": source, "columns": asdict(columns)}
        return cls(Path(source).name, source, options, columns, remarks, None, None, identity)

    def attempts(self) -> Iterator[Attempt]:
        """Read the attempts, from the beginning.

        Raises:
            SourceError: What is left of the source cannot be read.
        """
        options = self.options
        make = Attempts(self.name, self.columns, options.header or "", options.request, options.keep_columns)
        for repeat in range(1, options.repeat + 1):
            end = None if options.limit is None else options.offset + options.limit
            suffix = f"@{repeat}" if options.repeat > 1 else ""
            for row in itertools.islice(rows(self.source, options.form), options.offset, end):
                yield from make.of(row, suffix)

    def progress(self) -> float | None:
        """Give the share of the source that was read, from 0 to 1; None where that cannot be known."""
        return None
