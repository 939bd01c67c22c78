"""The view of `streamverify top` that goes on, without a terminal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from overview_fakes import seen

from streamverify.cli.top_live import _View
from streamverify.core.overview import build
from streamverify.core.overview.rates import History

if TYPE_CHECKING:
    from streamverify.core.overview.model import Overview

LOOK = build.overview(seen(), History(), at="2026-01-31T12:00:00Z")


class LosesCancellation:
    """Answers a question although it was cancelled meanwhile, as `wait_for` of Python 3.11 may do."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def broker_again(self) -> None:
        self.asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(600)

    async def workers_now(self) -> Overview:
        return LOOK


async def test_it_ends_although_a_cancellation_was_lost() -> None:
    watch: Any = LosesCancellation()
    view = asyncio.create_task(_View(watch, LOOK, 0.01).run())
    await watch.asked.wait()
    view.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(view, 120)
