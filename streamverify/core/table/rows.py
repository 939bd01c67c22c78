"""The rows of one partition of the result topic, in the order of their ids, and by reason and run. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import orjson
from sortedcontainers import SortedList

if TYPE_CHECKING:
    from streamverify.core.table.pages import RowQuery
    from streamverify.core.table.row import Row

Group = tuple[str | None, str | None]
"""A reason and a run; None: any."""


_NEEDED = {
    "custom_id": str,
    "status": str,
    "reason": str,
    "assurance": str,
    "weight": int,
    "source_topic": str,
    "source_partition": int,
    "source_offset": int,
    "source_timestamp": int,
    "result_partition": int,
    "result_offset": int,
    "result_timestamp": int,
}
"""The fields from which the order of the rows, and the lists of them, are made."""


class PartitionRows(MutableMapping[str, "Row"]):
    """Rows by custom_id.

    A row is kept as JSON, with its id in up to four sorted lists: of all ids, of its reason, of its run, and of both.
    So a page costs the same, whatever is asked for and however many rows there are: a search in a list, and its rows.
    """

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}
        self._ids: dict[Group, SortedList] = {}

    def __getitem__(self, custom_id: str) -> Row:
        row: Row = orjson.loads(self._rows[custom_id])
        return row

    def __setitem__(self, custom_id: str, row: Row) -> None:
        # Last in the dictionary: it is in the order of the records, the oldest first.
        self.pop(custom_id, None)
        # A copy: what orjson returns keeps the room that it was written in, several times as much (measured).
        self._rows[custom_id] = bytes(memoryview(orjson.dumps(row)))
        for group in _groups(row):
            self._ids.setdefault(group, SortedList()).add(custom_id)

    def __delitem__(self, custom_id: str) -> None:
        row = self[custom_id]
        del self._rows[custom_id]
        for group in _groups(row):
            ids = self._ids[group]
            ids.remove(custom_id)
            if not ids:
                del self._ids[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, custom_id: object) -> bool:
        return custom_id in self._rows

    def page(self, wanted: RowQuery) -> Iterator[Row]:
        """Yield the rows of a query in the order of their ids, also beyond its limit: the caller stops."""
        ids = self._ids.get((wanted.reason, wanted.run), ())
        if not ids:
            return
        begins_after = wanted.after is not None and wanted.after >= wanted.prefix
        first = wanted.after if begins_after else wanted.prefix
        for custom_id in ids.irange(minimum=first, inclusive=(not begins_after, True)):
            if not custom_id.startswith(wanted.prefix):
                return
            yield self[custom_id]

    def forget_before(self, offset: int) -> int:
        """Drop the rows whose records lie before an offset: the result topic does not have them any more.

        Returns:
            How many were dropped.
        """
        gone = []
        for custom_id, row in self._rows.items():
            # The rows are in the order of their records: the first that is still there ends the search.
            if orjson.loads(row)["result_offset"] >= offset:
                break
            gone.append(custom_id)
        for custom_id in gone:
            del self[custom_id]
        return len(gone)


def _groups(row: Row) -> list[Group]:
    """Name the lists that a row is in."""
    reason, run = sys.intern(row["reason"]), row.get("run")
    groups: list[Group] = [(None, None), (reason, None)]
    if run is not None:
        run = sys.intern(run)
        groups += [(None, run), (reason, run)]
    return groups


def is_row(value: Any) -> bool:
    """Tell whether a value of the changelog is a row: whoever may write to the topic may have written another."""
    needed = isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in _NEEDED.items())
    return needed and isinstance(value.get("run"), str | None)
