"""What only the broker knows, asked while a page is open."""

from __future__ import annotations

import asyncio

from streamverify.core.errors import BrokerUnavailable
from streamverify.gateway.monitor import Monitor


async def test_a_broker_that_is_away_makes_numbers_unknown_and_is_asked_again() -> None:
    answers: list[int | None] = [5, None, 6]
    told = []

    async def to_do() -> int:
        told.append(monitor.to_do)
        answer = answers[min(len(told), len(answers)) - 1]
        if answer is None:
            raise BrokerUnavailable("away")
        return answer

    async def none() -> int:
        return 0

    monitor = Monitor(to_do, none, every=0.001)
    running = asyncio.create_task(monitor.run())
    await asyncio.sleep(0.01)
    assert told == [], "nobody looks, so nobody asks"
    with monitor.watching():
        while len(told) < 4:
            await asyncio.sleep(0.001)
    running.cancel()
    assert told[:4] == [None, 5, None, 6]
