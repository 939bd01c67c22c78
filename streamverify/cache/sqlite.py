"""Entries in one SQLite file, for the workers of one machine.

By the standard library, and not by diskcache: that unpickles what it finds in its file (CVE-2025-69872), so whoever can
write the file could run code in every worker. Here a value is a blob and nothing else. The file's own schema is checked
too, as a trigger or a view would be code of a kind.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from streamverify.cache.store import StoreFailed
from streamverify.core.cache.seal import MAX_ENTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.cache.store import Entry

T = TypeVar("T")

READ_BUSY_SECONDS = 0.05
WRITE_BUSY_SECONDS = 2.0
"""Seconds that writing waits for another worker's transaction. Reading waits for none, but for opening the file."""
USED_AGAIN = 3600
"""Seconds within which a second use is not written down: reading an entry would be a write each time."""
_OPENINGS = 40
_OPENING_PAUSE = 0.05
_STEPS = 10_000
"""SQLite instructions between two checks for a cancelled caller."""
_AT_ONCE = 500
"""Names in one question; SQLite takes 999 parameters in every version."""
_SHARE = 10
"""The part of the entries, those not used for the longest, that makes room when the file is full: a tenth."""

_SCHEMA = {
    "entries": "CREATE TABLE entries (name BLOB PRIMARY KEY, value BLOB NOT NULL, weight INTEGER NOT NULL, "
    "used INTEGER NOT NULL) WITHOUT ROWID",
    "entries_used": "CREATE INDEX entries_used ON entries (used)",
}
_GET = f"SELECT name, value, used FROM entries WHERE length(value) <= {MAX_ENTRY} AND name IN "  # noqa: S608 - a number
_PUT = (
    "INSERT INTO entries (name, value, weight, used) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
    "value = excluded.value, weight = excluded.weight, used = excluded.used WHERE excluded.weight >= entries.weight"
)


class SqliteStore:
    """A file that several workers read and write. Reading and writing have a thread each, and wait for no other."""

    def __init__(self, path: str, *, limit: int, max_age: float) -> None:
        """Prepare the threads; the first question opens the file.

        Args:
            path: The file; it and its folder are made if they are not there.
            limit: Bytes that the file may have.
            max_age: Seconds after which an entry that nobody used is deleted.
        """
        file = Path(path).expanduser().absolute()
        self.label = f"sqlite:{file}"
        self._limit = limit
        self._max_age = max_age
        self._reading = _ConnectionThread(file, self.label, busy_seconds=READ_BUSY_SECONDS)
        self._writing = _ConnectionThread(file, self.label, busy_seconds=WRITE_BUSY_SECONDS)

    async def check(self) -> None:
        """See that the file can be read and written; it is opened anew, as it may have been deleted."""
        await self._writing.run(_write_nothing, anew=True)
        await self._reading.run(lambda connection: _get(connection, []), anew=True)

    async def get_many(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those names that are there."""
        return await self._reading.run(lambda connection: _get(connection, names))

    async def put_many(self, entries: Sequence[Entry]) -> None:
        """Keep these entries, in one transaction."""
        await self._writing.run(lambda connection: self._put(connection, entries))

    async def close(self) -> None:
        """Close the file. A statement that still runs is interrupted."""
        self._reading.close()
        self._writing.close()

    def _put(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        now = int(time.time())
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_PUT, [(each.name, each.value, each.weight, now) for each in entries])
            self._make_room(connection, now)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _make_room(self, connection: sqlite3.Connection, now: int) -> None:
        """Delete what was not used for the longest until the rest fits into the limit; free pages are used again."""

        def pragma(name: str) -> int:
            return int(connection.execute(f"PRAGMA {name}").fetchone()[0])

        while (pragma("page_count") - pragma("freelist_count")) * pragma("page_size") > self._limit:
            count = int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
            connection.execute("DELETE FROM entries WHERE used < ?", (now - self._max_age,))
            connection.execute(
                "DELETE FROM entries WHERE name IN (SELECT name FROM entries ORDER BY used LIMIT ?)",
                (max(1, count // _SHARE),),
            )
            if count <= 1:
                break


class _ConnectionThread:
    """One connection, and the thread that uses it, so that no slow disk stops the event loop."""

    def __init__(self, file: Path, label: str, *, busy_seconds: float) -> None:
        self._file = file
        self._label = label
        self._busy_seconds = busy_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache")
        self._connection: sqlite3.Connection | None = None
        self.is_busy: Callable[[], bool] = lambda: False

    async def run(self, work: Callable[[sqlite3.Connection], T], *, anew: bool = False) -> T:
        """Do `work` in the thread. Cancelled, as by a time-out, it interrupts the statement that runs.

        Raises:
            StoreFailed: It fails, or an earlier one still hangs.
        """
        if self.is_busy():
            # It hangs, in a system call perhaps: whatever waited behind it would hang, too.
            raise StoreFailed(f"{self._label} is still busy with an earlier question")
        given_up = threading.Event()
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._do, work, anew, given_up)
        self.is_busy = lambda: not future.done()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            given_up.set()
            # Nobody waits for its outcome any more.
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            raise
        except (sqlite3.Error, OSError, OverflowError) as error:
            raise StoreFailed(f"{self._label}: {error}") from error

    def close(self) -> None:
        """Close the connection and end the thread."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.interrupt()
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=True)

    # --- in the thread --------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[sqlite3.Connection], T], anew: bool, given_up: threading.Event) -> T:  # noqa: FBT001 - an executor's call
        if anew:
            self._disconnect()
        connection = self._opened()
        # Not `interrupt`, which does nothing to a statement that has not begun.
        connection.set_progress_handler(given_up.is_set, _STEPS)
        return work(connection)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Lean's words about other people's proofs are nobody else's business; SQLite gives its other files this mode.
        # Only a new file is opened here: closing it gives up all locks that this process has on it, also those of the
        # other connection, and then another worker that ends deletes the log with the entries from under this one.
        with suppress(FileExistsError):
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self._file, timeout=WRITE_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _opened_by_turns(connection)
            # Only the opening may wait for others: once it is open, reading does not.
            connection.execute(f"PRAGMA busy_timeout = {int(self._busy_seconds * 1000)}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _get(connection: sqlite3.Connection, names: Sequence[bytes]) -> dict[bytes, bytes]:
    now = int(time.time())
    found: dict[bytes, bytes] = {}
    old: list[bytes] = []
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        places = ",".join("?" * len(some))
        for name, value, used in connection.execute(_GET + f"({places})", some):
            # Whoever writes the file may have put anything there.
            if isinstance(value, bytes) and isinstance(used, int):
                found[name] = value
                if now - used > USED_AGAIN:
                    old.append(name)
    if old:
        with suppress(sqlite3.OperationalError):
            # Another one writes: then this use is not remembered.
            connection.executemany("UPDATE entries SET used = ? WHERE name = ?", [(now, name) for name in old])
    return found


def _write_nothing(connection: sqlite3.Connection) -> None:
    """A write lock shows that the file can be written, and by whom it is not held for long; nothing is changed."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def _opened_by_turns(connection: sqlite3.Connection) -> None:
    """Set a connection up; workers that open a new file at one moment find it locked, and SQLite does not wait then."""
    for _ in range(_OPENINGS):
        try:
            _prepare(connection)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            time.sleep(_OPENING_PAUSE)
        else:
            return
    _prepare(connection)


def _prepare(connection: sqlite3.Connection) -> None:
    """Set a connection up, make the tables in a new file, and look whether they are ours in one that is there."""
    connection.execute("PRAGMA trusted_schema = OFF")
    # Readers do not wait for a writer.
    connection.execute("PRAGMA journal_mode = WAL")
    # A crash of the machine may cost the last entries; the file stays whole.
    connection.execute("PRAGMA synchronous = NORMAL")
    if not _schema(connection):
        connection.execute("BEGIN IMMEDIATE")
        # Another worker may have been faster.
        if not _schema(connection):
            for statement in _SCHEMA.values():
                connection.execute(statement)
        connection.execute("COMMIT")
    if _schema(connection) != _SCHEMA:
        raise sqlite3.DatabaseError("the file is no cache of this version: delete it, or name another one")


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())
