"""Opens what the user calls SOURCE, and reads its rows one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson

from streamverify.core.datasets.row import Row
from streamverify.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

Form = Literal["jsonl", "json", "csv", "tsv", "parquet", "lean"]


def rows(source: str, form: Form | None = None) -> Iterator[Row]:
    """Read the rows of a source, from the beginning.

    Raises:
        SourceError: It cannot be read.
    """
    path = Path(source)
    if form not in (None, "jsonl") or path.suffix != ".jsonl":
        raise SourceError(f"{source} is no .jsonl file, and nothing else can be read yet")
    with path.open("rb") as stream:
        index = 0
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            where = f"{source}:{number}"
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield Row(index, where, error=f"is not JSON: {error}")
            else:
                ok = isinstance(values, dict)
                yield Row(index, where, values) if ok else Row(index, where, error="is no JSON object")
            index += 1
