"""One row of a data set, as it was read from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A row, or the reason why there is none.

    `index` is its number in the source, from 0 over all files, whatever is chosen of them. `values` are the source's
    columns in their order. `where` names file and line or row for people. A row with an `error` could not be read; its
    values are those that are known all the same, mostly none.
    """

    index: int
    where: str
    values: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
