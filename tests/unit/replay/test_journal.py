"""The writer of a replay's rows: what a commit has, and what is left when one fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from replay_fakes import MemoryJournal

from streamverify.core.errors import ReplayRefused
from streamverify.replay import journal as module
from streamverify.replay.journal import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMMIT", 0.001)


class FullDisk(MemoryJournal):
    """A journal whose first commit fails."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0

    def commit(
        self, rows: Collection[tuple[int, Mapping[str, Any]]], positions: Mapping[int, int], facts: Mapping[str, Any]
    ) -> None:
        self.commits += 1
        if self.commits == 1:
            raise ReplayRefused("the disk is full")
        super().commit(rows, positions, facts)


def writer_to(journal: MemoryJournal | None) -> JournalWriter:
    return JournalWriter(journal, lambda: {0: 7}, lambda: {"seconds": 1.5})


async def test_rows_are_written_with_the_positions_and_facts_of_that_moment() -> None:
    journal = MemoryJournal()
    writer = writer_to(journal)
    running = asyncio.create_task(writer.run())
    writer.keep(3, {"status": "verified"})
    while not journal.rows:
        await asyncio.sleep(0.001)
    assert (journal.rows, journal.stored, journal.facts) == ({3: {"status": "verified"}}, {0: 7}, {"seconds": 1.5})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_a_failed_commit_had_is_written_at_the_end() -> None:
    journal = FullDisk()
    writer = writer_to(journal)
    writer.keep(0, {"status": "verified"})
    with pytest.raises(ReplayRefused):
        await writer.run()
    writer.keep(1, {"status": "rejected"})
    await writer.close()
    assert journal.rows == {0: {"status": "verified"}, 1: {"status": "rejected"}}


async def test_many_rows_are_waited_for_until_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOO_MANY", 2)
    journal = MemoryJournal()
    writer = writer_to(journal)
    for number in range(2):
        writer.keep(number, {})
    waiting = asyncio.create_task(writer.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    running = asyncio.create_task(writer.run())
    await waiting
    assert sorted(journal.rows) == [0, 1]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_without_a_journal_nothing_is_kept_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOO_MANY", 0)
    writer = writer_to(None)
    writer.keep(0, {})
    await writer.room()
    await writer.run()
    await writer.close()
    assert writer._waiting == []
