"""One row of the table: the newest result of a custom_id, small enough to be held in memory by the million."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamverify.core.datasets.verdict_row import COLUMNS as VERDICT_COLUMNS
from streamverify.core.datasets.verdict_row import verdict_row
from streamverify.core.messages.jsontext import cut
from streamverify.core.messages.newest import weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamverify.core.messages.models import ProofResult

Row = dict[str, Any]

_NOT_KEPT = frozenset({"messages", "header", "latency_seconds", "checkers"})
"""Columns without a bound, or not known from a result; the whole result is on the result topic."""
_RECORD = ("result_topic", "result_partition", "result_offset", "result_timestamp")
COLUMNS = (*(name for name in VERDICT_COLUMNS if name not in _NOT_KEPT), *_RECORD)
"""The fields of a row, in their order; each is there, null where there is nothing to say."""
MAX_TEXT = 500
"""Code points that a row keeps of each text but the ids, which have limits of their own."""
_IDS = frozenset({"custom_id", "run", "group", "superseded_by", "source_topic", "result_topic"})


def result_row(result: ProofResult, *, topic: str, partition: int, offset: int, timestamp: int) -> Row:
    """Make the row of a result, without what is null.

    Args:
        result: The result.
        topic: The topic of its own record.
        partition: The partition of that record.
        offset: Its offset.
        timestamp: Its timestamp, in milliseconds since 1970.
    """
    row = verdict_row(result) | {
        "result_topic": topic,
        "result_partition": partition,
        "result_offset": offset,
        "result_timestamp": timestamp,
    }
    kept = {
        name: cut(value, MAX_TEXT) if isinstance(value, str) and name not in _IDS else value
        for name in COLUMNS
        if (value := row.get(name)) is not None
    }
    # Not shown: it compares rows only.
    return {**kept, "weight": weight(result)}


def shown(row: Mapping[str, Any]) -> Row:
    """Make a row as it is shown: with every column, null where there is nothing to say."""
    return {name: row.get(name) for name in COLUMNS}


def replaces(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Tell whether one row replaces another of the same partition, whichever of the two was read last.

    A record that is read again replaces nothing, nor does one that was answered by a later record in the meantime: so
    reading a part of the topic once more, as after a kill, changes no row.
    """
    return (_rank(new), new["result_offset"]) > (_rank(old), old["result_offset"])


def newest_row(rows: Iterable[Row]) -> Row:
    """Choose the row that counts of several under one custom_id, in different partitions as some were added."""
    return max(rows, key=lambda row: (_rank(row), row["result_timestamp"], row["result_partition"]))


def _rank(row: Mapping[str, Any]) -> tuple[int, str, int, int, int]:
    """The order of `core.messages.newest.supersedes`: the later request, and of one request the weightier answer."""
    source: tuple[int, str, int] = row["source_timestamp"], row["source_topic"], row["source_partition"]
    return (*source, row["source_offset"], row["weight"])
