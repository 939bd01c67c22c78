"""The committer's inbox: however often a commit is asked for, one is posted, soon or at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streamverify.bus import commit_requests as module
from streamverify.bus.commit_requests import CommitRequests

if TYPE_CHECKING:
    import pytest

PATIENCE = 60.0


async def posted(requests: CommitRequests, seconds: float) -> int:
    """How many messages come within a time."""
    count = 0
    give_up = time.monotonic() + seconds
    while (left := give_up - time.monotonic()) > 0:
        try:
            await asyncio.wait_for(requests.next(), left)
        except TimeoutError:
            break
        count += 1
    return count


async def posts_one(requests: CommitRequests) -> None:
    """A message comes, whenever that is on a busy machine, and no other behind it."""
    await asyncio.wait_for(requests.next(), PATIENCE)
    assert await posted(requests, 0.05) == 0


async def test_many_completions_are_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMIT_INTERVAL", 0.02)
    requests = CommitRequests()
    requests.commit_begins()
    for _ in range(5):
        requests.commit_soon()
    await posts_one(requests)
    # A completion after the commit began needs another.
    requests.commit_soon()
    await posts_one(requests)


async def test_a_quarantined_record_does_not_wait_for_the_interval_and_replaces_the_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "COMMIT_INTERVAL", 2 * PATIENCE)
    requests = CommitRequests()
    requests.commit_begins()
    requests.commit_soon()
    requests.commit_now()
    requests.commit_now()
    requests.commit_soon()
    await posts_one(requests)


async def test_a_retry_comes_later_and_replaces_a_commit_that_would_come_soon() -> None:
    requests = CommitRequests()
    requests.commit_begins()
    requests.commit_soon()
    requests.commit_in(2 * PATIENCE)
    requests.commit_soon()
    assert await posted(requests, 2 * module.COMMIT_INTERVAL) == 0
    requests.commit_now()
    await posts_one(requests)


async def test_a_cancelled_timer_posts_nothing_and_the_next_completion_is_committed() -> None:
    requests = CommitRequests()
    requests.commit_soon()
    requests.cancel_timer()
    assert await posted(requests, 0.05) == 0
    requests.commit_soon()
    await posts_one(requests)
