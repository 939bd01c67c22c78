"""The committer: a last commit that nobody waits for any more."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.committer import OffsetCommitter
from streamverify.settings import load_settings

if TYPE_CHECKING:
    import pytest

PATIENCE = 60.0


async def test_a_last_commit_that_nobody_waits_for_any_more_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain whose time is over while the broker is gone gives up waiting; the committer goes on as before."""
    requests = CommitRequests()
    parts: Any = SimpleNamespace()
    committer = OffsetCommitter(
        load_settings(), parts, parts, partitions=parts, requests=requests, handler=parts, liveness=parts, counts=parts
    )
    begun, broker_is_back = asyncio.Event(), asyncio.Event()

    async def finish() -> bool:
        begun.set()
        await broker_is_back.wait()
        return True

    monkeypatch.setattr(committer, "_finish", finish)
    running = asyncio.create_task(committer.run())
    given_up = asyncio.create_task(requests.finish())
    await begun.wait()
    given_up.cancel()
    await asyncio.wait([given_up])
    broker_is_back.set()
    # The next one is answered, so the committer has not ended.
    assert await asyncio.wait_for(requests.finish(), PATIENCE)
    running.cancel()
    await asyncio.wait([running])
