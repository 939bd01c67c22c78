"""Progress on stderr: it is shown while a command works, and nothing goes on after that."""

from __future__ import annotations

import asyncio

import pytest
from rich.progress import TextColumn

from streamverify.cli.progress import kept_showing, progress_bar


async def test_it_is_shown_again_and_again_and_not_after_the_block() -> None:
    shown = 0
    enough = asyncio.Event()

    def show() -> None:
        nonlocal shown
        shown += 1
        if shown == 3:
            enough.set()

    async with kept_showing(show):
        async with asyncio.timeout(60):
            await enough.wait()
        before = asyncio.all_tasks()
    assert len(asyncio.all_tasks()) == len(before) - 1, "the task that showed it has ended"


async def test_an_error_of_the_block_ends_it_and_is_raised() -> None:
    with pytest.raises(ValueError, match="of the block"):
        async with kept_showing(lambda: None):
            raise ValueError("of the block")
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_without_a_terminal_the_bar_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(TextColumn("{task.description}")) as progress:
        progress.add_task("replaying")
        assert progress.disable
    assert capsys.readouterr() == ("", "")
