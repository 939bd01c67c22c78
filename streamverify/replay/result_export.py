"""Writes what the result topic has to a file, in the columns that a replay's output has; in flat memory."""

from __future__ import annotations

import sqlite3
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.client.result_topic import read_results
from streamverify.core.datasets.verdict_row import verdict_row
from streamverify.core.errors import OutputRefused
from streamverify.core.messages import jsontext
from streamverify.core.messages.newest import rank
from streamverify.datasets.writers import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamverify.core.messages.models import ProofResult
    from streamverify.core.messages.selection import ResultSelection
    from streamverify.settings import Settings

_TABLE = """
CREATE TABLE newest (
    number INTEGER PRIMARY KEY, custom_id TEXT UNIQUE NOT NULL,
    timestamp INTEGER, topic TEXT, partition INTEGER, offset INTEGER, weight INTEGER, row BLOB
)
"""
# Texts are compared byte by byte in UTF-8, which is the order of their code points, as in Python.
_ADD = """
INSERT INTO newest (custom_id, timestamp, topic, partition, offset, weight, row) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (custom_id) DO UPDATE SET
    (timestamp, topic, partition, offset, weight, row) =
        (excluded.timestamp, excluded.topic, excluded.partition, excluded.offset, excluded.weight, excluded.row)
    WHERE (excluded.timestamp, excluded.topic, excluded.partition, excluded.offset, excluded.weight)
        >= (timestamp, topic, partition, offset, weight)
"""


@dataclass(slots=True)
class Exported:
    """The counts of an export; true whatever ends it."""

    read: int = 0
    written: int = 0
    statuses: dict[str, int] = field(default_factory=dict)

    def wrote(self, row: dict[str, Any]) -> None:
        """Count a row."""
        self.written += 1
        self.statuses[row["status"]] = self.statuses.get(row["status"], 0) + 1


async def export(settings: Settings, wanted: ResultSelection, output: Path, *, every: bool, report: Exported) -> None:
    """Write results to a file, which gets its name when it is complete.

    Args:
        settings: The broker and the topic.
        wanted: Which. With the newest alone, status and reason are asked of it: no older one comes in its place.
        output: The file, `.parquet` or `.jsonl`; what has its name is replaced.
        every: All results, in the order in which they are read. Else the newest of each custom_id.
        report: Filled while it goes on.

    Raises:
        BrokerUnavailable: No broker, or no topic.
        OutputRefused: The file, or a temporary one, cannot be written.
    """
    if every:
        with writing(output) as writer:
            async with aclosing(read_results(settings, wanted)) as results:
                async for found in results:
                    report.read += 1
                    row = verdict_row(found.result)
                    writer.write({}, row)
                    report.wrote(row)
        return
    of_any_outcome = replace(wanted, statuses=frozenset(), reasons=frozenset())
    try:
        # SQLite keeps it in memory as long as it is small, and then in a file that has no name.
        with closing(Newest()) as newest:
            async with aclosing(read_results(settings, of_any_outcome, deleted=newest.delete)) as results:
                async for found in results:
                    report.read += 1
                    newest.add(found.result)
            with writing(output) as writer:
                for row in newest.rows():
                    if wanted.takes_outcome(row["status"], row["reason"]):
                        writer.write({}, row)
                        report.wrote(row)
    except sqlite3.Error as error:
        raise OutputRefused(
            f"the results cannot be collected in a temporary file (TMPDIR says where): {error}"
        ) from error


class Newest:
    """The newest result of each custom_id, in the order in which the custom_ids first came."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        # It ends with this process: there is nothing to recover.
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(_TABLE)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, result: ProofResult) -> None:
        """Take a result into account, read after the others."""
        self._db.execute(_ADD, (result.custom_id, *rank(result), jsontext.dumps(verdict_row(result))))

    def delete(self, key: bytes) -> None:
        """Forget what was said of this custom_id before its tombstone."""
        self._db.execute("DELETE FROM newest WHERE custom_id = ?", (key.decode("utf-8", "replace"),))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of what is left."""
        for (row,) in self._db.execute("SELECT row FROM newest ORDER BY number"):
            yield orjson.loads(row)
