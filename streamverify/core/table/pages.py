"""Reads the query of a request to the table, and puts a page of rows together from several parts. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from streamverify.core.errors import InvalidQuery
from streamverify.core.messages.models import MAX_CUSTOM_ID, MAX_RUN
from streamverify.core.table.row import Row, newest_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_LIMIT = 1000
LIMIT = 100
_LENGTHS = {"prefix": MAX_CUSTOM_ID, "after": MAX_CUSTOM_ID, "reason": 128, "run": MAX_RUN}


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Asks for rows that meet every condition: those after the id `after`, the first `limit` of them."""

    prefix: str = ""
    reason: str | None = None
    run: str | None = None
    after: str | None = None
    limit: int = LIMIT

    def as_query(self) -> list[tuple[str, str]]:
        """Write the parameters that `parse_query` reads back."""
        named = {"prefix": self.prefix or None, "reason": self.reason, "run": self.run, "after": self.after}
        return [(name, value) for name, value in named.items() if value is not None] + [("limit", str(self.limit))]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the order of their ids, and whether there are more after the last."""

    rows: list[Row]
    more: bool

    @property
    def after(self) -> str | None:
        """The id after which the next page begins; None on the last page."""
        return self.rows[-1]["custom_id"] if self.more and self.rows else None


def parse_query(parameters: Iterable[tuple[str, str]]) -> RowQuery:
    """Read the parameters of a request.

    Raises:
        InvalidQuery: One is unknown, twice there, too long, or no number.
    """
    given: dict[str, Any] = {}
    for name, value in parameters:
        if name not in _LENGTHS and name != "limit":
            raise InvalidQuery(f"there is no parameter {name!r}; there are: {', '.join((*_LENGTHS, 'limit'))}")
        if name in given:
            raise InvalidQuery(f"the parameter {name} is there twice")
        if name in _LENGTHS and len(value) > _LENGTHS[name]:
            raise InvalidQuery(f"the parameter {name} has {len(value):,} characters, of at most {_LENGTHS[name]}")
        if name in {"reason", "run"} and not value:
            raise InvalidQuery(f"the parameter {name} is empty; without it any {name} will do")
        given[name] = value
    if "limit" in given:
        given["limit"] = _limit(given["limit"])
    return RowQuery(**given)


def _limit(text: str) -> int:
    # int() would take blanks, underscores and digits of other scripts, too, and text of any length.
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT)) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise InvalidQuery(f"the parameter limit is {text[:20]!r}, and no whole number from 1 to {MAX_LIMIT}")


def merge(parts: Sequence[Iterable[Row]], limit: int, *, more: bool = False) -> Page:
    """Put a page together from parts, each in the order of its ids.

    Args:
        parts: The rows of each partition, or the page of each instance.
        limit: How many rows the page has at most.
        more: Whether one of the parts itself has more rows than are here.
    """
    # Lazily: of a million rows only those of the page are made.
    by_id = groupby(heapq.merge(*parts, key=_custom_id), key=_custom_id)
    # Where partitions were added to the topic, an id may be in two of them: the newest counts.
    rows = (newest_row(same) for _, same in by_id)
    page = list(islice(rows, limit))
    return Page(page, more or next(rows, None) is not None)


def _custom_id(row: Row) -> str:
    custom_id: str = row["custom_id"]
    return custom_id
