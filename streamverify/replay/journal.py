"""Keeps the rows of a replay: many in one commit, each commit with the positions up to which they are all the rows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Row = tuple[int, dict[str, Any]]
    """The number of an attempt, and its verdict (`core/datasets/verdict_row.py`)."""

_COMMIT = 0.5
"""Seconds between two commits: a process that is killed reads the results of so long again."""
_FULL = 2_000
"""Rows that are worth a commit at once."""
_TOO_MANY = 20_000
"""Rows that wait for a commit before nothing more is sent."""


class Journal(Protocol):
    """The store of a replay's verdicts (`replay/state.py`); tests have one in memory."""

    @property
    def facts(self) -> dict[str, Any]:
        """Facts that were noted of the replay as a whole."""

    def positions(self) -> dict[int, int]:
        """For each partition of the result topic the offset of the next record to read; empty for a new replay."""

    def answered(self, numbers: Collection[int]) -> set[int]:
        """Those of these attempts that have their row."""

    def last(self) -> int:
        """The highest number of an attempt with a row; -1 where none has."""

    def commit(
        self, rows: Collection[tuple[int, Mapping[str, Any]]], positions: Mapping[int, int], facts: Mapping[str, Any]
    ) -> None:
        """Write rows, positions and facts, all or nothing."""


class JournalWriter:
    """Commits rows to a journal in the background. Without a journal it keeps nothing.

    A row moves on from left to right; `close` writes whatever has not come to the end.

        keep() --> waiting --> in the commit that goes on --> in the journal
    """

    def __init__(
        self,
        journal: Journal | None,
        positions: Callable[[], Mapping[int, int]],
        facts: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Nothing is written yet.

        Args:
            journal: Where the rows are kept; None: nowhere.
            positions: Tells where to read on: with the rows that were kept so far, nothing before is missing.
            facts: Tells what to note of the replay as a whole.
        """
        self._journal = journal
        self._positions = positions
        self._facts = facts
        self._waiting: list[Row] = []
        self._in_commit: list[Row] = []
        self._due = asyncio.Event()
        """A commit is due at once."""
        self._committing: asyncio.Task[None] | None = None

    def keep(self, number: int, row: dict[str, Any]) -> None:
        """Take a row, which the next commit has."""
        if self._journal is not None:
            self._waiting.append((number, row))
            if len(self._waiting) >= _FULL:
                self._due.set()

    async def room(self) -> None:
        """Wait while more rows wait than may: the disk is slower than the workers, and memory must stay flat."""
        while self._journal is not None and len(self._waiting) >= _TOO_MANY:
            self._due.set()
            await asyncio.sleep(_COMMIT / 10)

    async def run(self) -> None:
        """Commit now and then, until cancelled; without a journal it returns at once.

        Raises:
            ReplayRefused: The journal cannot be written.
        """
        while self._journal is not None:
            try:
                async with asyncio.timeout(_COMMIT):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            if self._waiting:
                self._in_commit, self._waiting = self._waiting, []
                # The positions are taken now, and not in the thread: results that are read meanwhile have no row here.
                commit = asyncio.to_thread(self._journal.commit, self._in_commit, self._positions(), self._facts())
                self._committing = asyncio.create_task(commit)
                await asyncio.shield(self._committing)
                self._in_commit = []

    async def close(self) -> None:
        """Write what is not written yet. `run` must have ended.

        Raises:
            ReplayRefused: The journal cannot be written.
        """
        if self._committing is not None:
            # It writes in a thread, which goes on though nobody waits for it.
            await asyncio.gather(self._committing, return_exceptions=True)
        facts = self._facts()
        if self._journal is not None:
            # Where the last commit failed, its rows are tried again: the positions are beyond them by now.
            self._journal.commit([*self._in_commit, *self._waiting], self._positions(), facts)
