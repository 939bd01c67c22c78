"""A replay of millions keeps nothing of what is done: no request, and of an unanswered one no proof."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import pytest
from replay_fakes import Broker, FakeWire, Fate, MemoryJournal, attempt

from streamverify.core.datasets.pace import Pace
from streamverify.replay import runner as module
from streamverify.replay.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.datasets.attempts import Attempt

MANY = 3000


@pytest.mark.parametrize("in_flight", [20, MANY])
async def test_of_many_attempts_few_are_there_at_once(monkeypatch: pytest.MonkeyPatch, in_flight: int) -> None:
    monkeypatch.setattr(module, "_COMMIT", 0.001)
    alive: weakref.WeakSet[object] = weakref.WeakSet()
    most = 0

    async def attempts() -> AsyncIterator[list[Attempt]]:
        nonlocal most
        for begin in range(0, MANY, 10):
            chunk = [attempt(number) for number in range(begin, begin + 10)]
            alive.update(each.request for each in chunk)
            most = max(most, len(alive))
            yield chunk

    broker = Broker(1)
    broker.quick = True
    runner = Runner(FakeWire(broker, Fate()), Pace(in_flight=in_flight), "0011", journal=MemoryJournal())
    await runner.run(attempts())
    assert runner.tally.verdicts == MANY
    # However many are unanswered: those that the broker has are not here.
    assert most <= 600
