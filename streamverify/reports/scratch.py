"""Keeps what a report needs to know of all rows at once in a temporary SQLite file: memory stays flat."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.reports.pass_at_k import Problems
from streamverify.core.reports.summary import ProblemGroups
from streamverify.reports.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamverify.core.reports.verdict import VerdictRow

_HELD = 20_000
"""Problems that are counted in memory before they are added to those in the file."""


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """Open a database that is deleted at the end. It lies in the folder for temporary files (`TMPDIR`).

    Raises:
        ReportError: It cannot be written: the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="streamverify-report-") as folder:
        database = sqlite3.connect(Path(folder) / "scratch.sqlite", isolation_level=None)
        try:
            # What is lost with the process is not worth a log.
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("PRAGMA cache_size = -65536")
            yield database
        except sqlite3.OperationalError as error:
            raise ReportError(f"the temporary file in {folder} cannot be written: {error}") from None
        finally:
            database.close()


class _Attempts(NamedTuple):
    attempts: int = 0
    successes: int = 0
    undecided: int = 0
    superseded: int = 0


class GroupCounts:
    """Counts the attempts at each problem. A problem is a group of one run; its rows may lie anywhere in the file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._held: dict[str, _Attempts] = {}
        database.execute(
            "CREATE TABLE groups (name TEXT PRIMARY KEY, attempts INTEGER, successes INTEGER, undecided INTEGER, "
            "superseded INTEGER) WITHOUT ROWID"
        )

    def add(self, verdict: VerdictRow) -> None:
        """Count one attempt, if it is one."""
        if verdict.group is None:
            return
        # With the length, so that no run and group are joined to the name of another pair. SQLite takes no half of a
        # surrogate pair, which JSON may have.
        run = verdict.run or ""
        name = f"{len(run)}:{run}{verdict.group}".encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        before = self._held.get(name, _Attempts())
        self._held[name] = _Attempts(
            before.attempts + 1,
            before.successes + verdict.verified,
            before.undecided + (not verdict.decided),
            before.superseded + verdict.superseded,
        )
        if len(self._held) >= _HELD:
            self._write()

    def groups(self) -> ProblemGroups:
        """Sum up what was counted."""
        self._write()
        problems = Counter[Problems]()
        rows = self._database.execute("SELECT attempts, successes, count(*) FROM groups GROUP BY 1, 2")
        for attempts, successes, count in rows:
            problems[Problems(attempts, successes)] = count
        undecided, superseded = self._database.execute(
            "SELECT total(undecided), total(superseded > 0) FROM groups"
        ).fetchone()
        return ProblemGroups(problems, int(undecided), int(superseded))

    def _write(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO groups VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "attempts = attempts + excluded.attempts, successes = successes + excluded.successes, "
            "undecided = undecided + excluded.undecided, superseded = superseded + excluded.superseded",
            ((name, *counts) for name, counts in self._held.items()),
        )
        self._database.execute("COMMIT")
        self._held.clear()
