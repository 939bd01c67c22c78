"""The state of a replay, in one SQLite file beside its output: the verdicts so far, and where to go on.

Whatever ends the process, the file holds what was committed: verdicts and the position on the result topic up to which
they are all the verdicts are written in one transaction. As long as a process has it open, no other can.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from streamverify.core.datasets.columns import printable
from streamverify.core.errors import ReplayRefused
from streamverify.core.messages import jsontext

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS verdicts (number INTEGER PRIMARY KEY, row BLOB NOT NULL);
"""
_AT_ONCE = 500
"""Numbers that one question names at most."""


class ReplayState:
    """The open state file. While a thread commits, another may ask; whoever reads `rows` is alone."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, and keep others from it until `close`.

        Raises:
            ReplayRefused: Another process has it open, or it is no state, or cannot be written.
        """
        self.path = path
        self._one_at_a_time = Lock()
        try:
            # No time-out: another replay would hold it for hours. Commits run in threads, one at a time.
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._refused(error) from None
        try:
            # Exclusive before WAL: so it needs no shared memory, which network file systems do not have.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            # A power cut may lose the last commits, and never tear one: their results are read again.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN EXCLUSIVE")
            for statement in filter(str.strip, _TABLES.split(";")):
                self._db.execute(statement)
            self._db.execute("COMMIT")
            version = self.facts.get("format", _FORMAT)
        except sqlite3.Error as error:
            self._db.close()
            raise self._refused(error) from None
        if version != _FORMAT:
            self._db.close()
            raise ReplayRefused(
                f"{printable(str(path))} is the state of another version of streamverify: --restart begins anew"
            )

    def _refused(self, error: sqlite3.Error) -> ReplayRefused:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return ReplayRefused(
                f"another replay is writing there: it has {printable(str(self.path))} open; wait for it, or end it"
            )
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            return ReplayRefused(
                f"{printable(str(self.path))} is no state of a replay ({error}): remove it, or name another --output"
            )
        return ReplayRefused(f"{printable(str(self.path))}, the state of the replay, cannot be written: {error}")

    def close(self) -> None:
        """Let others have it."""
        with suppress(sqlite3.Error):
            self._db.close()

    @property
    def facts(self) -> dict[str, Any]:
        """Facts that were noted of the replay as a whole."""
        return {name: orjson.loads(value) for name, value in self._db.execute("SELECT name, value FROM facts")}

    def note(self, facts: Mapping[str, Any]) -> None:
        """Note facts of the replay as a whole, in place of what they were.

        Raises:
            ReplayRefused: The file cannot be written.
        """
        self.commit((), {}, facts)

    def begin_anew(self) -> None:
        """Forget everything.

        Raises:
            ReplayRefused: The file cannot be written.
        """
        try:
            self._db.execute("BEGIN")
            for table in ("facts", "positions", "verdicts"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
            self._db.execute("COMMIT")
            # SQLite gives no room back by itself, and millions of verdicts were there.
            self._db.execute("VACUUM")
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def commit(
        self, rows: Collection[tuple[int, Mapping[str, Any]]], positions: Mapping[int, int], facts: Mapping[str, Any]
    ) -> None:
        """Write verdicts, and up to where they are all that the result topic has.

        Args:
            rows: The numbers of the attempts and their verdicts (`core/datasets/verdict_row.py`).
            positions: For each partition of the result topic the offset of the next record to read.
            facts: What to note of the replay as a whole.

        Raises:
            ReplayRefused: The file cannot be written: the disk is full, for instance.
        """
        written = [(number, jsontext.dumps(row)) for number, row in rows]
        with self._one_at_a_time:
            try:
                self._db.execute("BEGIN")
                # The first verdict stays: a second one is the answer to a repeat.
                self._db.executemany("INSERT OR IGNORE INTO verdicts VALUES (?, ?)", written)
                self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items())
                self._db.executemany(
                    "INSERT OR REPLACE INTO facts VALUES (?, ?)",
                    [(name, orjson.dumps(value).decode()) for name, value in facts.items()],
                )
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise self._refused(error) from error

    def positions(self) -> dict[int, int]:
        """Return for each partition of the result topic the offset of the next record to read."""
        return dict(self._db.execute("SELECT partition, position FROM positions"))

    def answered(self, numbers: Collection[int]) -> set[int]:
        """Return those of these attempts that have their row."""
        found: set[int] = set()
        listed = list(numbers)
        for begin in range(0, len(listed), _AT_ONCE):
            some = listed[begin : begin + _AT_ONCE]
            # SQLite bounds the number of parameters of a statement.
            marks = ",".join("?" * len(some))
            query = f"SELECT number FROM verdicts WHERE number IN ({marks})"  # noqa: S608 - question marks alone
            with self._one_at_a_time:
                found.update(number for (number,) in self._db.execute(query, some))
        return found

    def last(self) -> int:
        """Return the highest number of an attempt that has its row, -1 where none has."""
        [(number,)] = self._db.execute("SELECT max(number) FROM verdicts")
        return -1 if number is None else int(number)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the numbers of the attempts and their verdicts, in the order of the numbers, in flat memory."""
        for number, row in self._db.execute("SELECT number, row FROM verdicts ORDER BY number"):
            yield number, orjson.loads(row)

    def finished(self, facts: Mapping[str, Any]) -> None:
        """Keep the facts and drop the verdicts, as the output is there.

        Raises:
            ReplayRefused: The file cannot be written.
        """
        self.note(facts)
        try:
            self._db.execute("DELETE FROM verdicts")
            self._db.execute("VACUUM")
        except sqlite3.Error as error:
            raise self._refused(error) from error
