"""Remembers which exports a kernel has accepted, so that the same bytes are not judged twice by the same program.

Only acceptances: a refusal is worth a second look, and what is inconclusive may have another end. The key has the
digest of exactly the bytes that were judged, and of the program's executable: nothing of another proof can be taken for
it. An export has all that its theorem reaches, so the part of Mathlib that two proofs share is judged with each of
them: no exporter leaves out what was judged before, and no kernel here can be told to trust it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.lean.kernel.tools import Tool

_log = structlog.get_logger(__name__)

MAX_ROWS = 1_000_000
"""Acceptances that are kept; the oldest make room."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS acceptances (key BLOB PRIMARY KEY, accepted REAL NOT NULL) WITHOUT ROWID"
_INDEX = "CREATE INDEX IF NOT EXISTS by_age ON acceptances (accepted)"
_BUSY = 5.0


def store_file(setting: str) -> Path | None:
    """Return the file that the setting REPLAY_STORE names; None: nothing is remembered."""
    if setting == "none":
        return None
    if setting != "auto":
        return Path(setting)
    folder = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(folder, "streamverify", "acceptances.sqlite")


class Acceptances:
    """The store of one machine's workers; each call opens it, so that no connection is shared by threads.

    OPEN --it cannot be read or written--> OFF, for the life of the worker

    Off, it remembers nothing, and has said so once: no proof fails for it.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    async def knows(self, export_sha256: str, checker: Tool) -> bool:
        """Tell whether this program has accepted these bytes."""
        return bool(await self._try(lambda db: db.execute(_FIND, (_key(export_sha256, checker),)).fetchone()))

    async def remember(self, export_sha256: str, checker: Tool) -> None:
        """Note that this program has accepted these bytes."""

        def insert(db: sqlite3.Connection) -> None:
            db.execute(_INSERT, (_key(export_sha256, checker), time.time()))
            db.execute(_FORGET, (MAX_ROWS,))
            db.commit()

        await self._try(insert)

    async def _try(self, work: Callable[[sqlite3.Connection], object]) -> object:
        if self._file is None:
            return None
        try:
            return await asyncio.to_thread(self._open_and, work)
        except (OSError, sqlite3.Error) as error:
            _log.warning(
                "acceptances_unavailable",
                file=str(self._file),
                error=str(error),
                hint="kernels judge again what they have accepted before; make the file writable, or move it away, or "
                "set STREAMVERIFY_REPLAY_STORE",
            )
            self._file = None
            return None

    def _open_and(self, work: Callable[[sqlite3.Connection], object]) -> object:
        if self._file is None:
            return None
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=_BUSY)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(_SCHEMA)
            db.execute(_INDEX)
            return work(db)


_FIND = "SELECT 1 FROM acceptances WHERE key = ?"
_INSERT = "INSERT OR REPLACE INTO acceptances VALUES (?, ?)"
_FORGET = (
    "DELETE FROM acceptances WHERE accepted < "
    "(SELECT accepted FROM acceptances ORDER BY accepted DESC LIMIT 1 OFFSET ?)"
)


def _key(export_sha256: str, checker: Tool) -> bytes:
    # A digest of a program that may have arguments, which may change what it accepts.
    parts = (export_sha256, checker.name, checker.version or "", checker.digest, *checker.argv[1:])
    return hashlib.sha256("\0".join(parts).encode()).digest()
