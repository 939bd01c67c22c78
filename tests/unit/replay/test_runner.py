"""A replay of millions keeps nothing of what is done: no request, and of an unanswered one no proof."""

from __future__ import annotations

import asyncio
import itertools
import time
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from replay_fakes import Broker, FakeWire, Fate, MemoryJournal, attempt

from streamverify.core.datasets.pace import Pace
from streamverify.replay import journal
from streamverify.replay import runner as runner_module
from streamverify.replay.counts import ReplayCounts
from streamverify.replay.runner import Runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from streamverify.core.datasets.attempts import Attempt

MANY = 3000


@pytest.mark.parametrize("in_flight", [20, MANY])
async def test_of_many_attempts_few_are_there_at_once(monkeypatch: pytest.MonkeyPatch, in_flight: int) -> None:
    monkeypatch.setattr(journal, "_COMMIT", 0.001)
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
    assert runner.counts.verdicts == MANY
    # However many are unanswered: those that the broker has are not here.
    assert most <= 600


async def test_a_process_that_is_killed_has_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_COMMIT", 0.001)
    monkeypatch.setattr(runner_module, "time", SimpleNamespace(monotonic=itertools.count().__next__, time=time.time))
    kept: list[float] = []

    class Journal(MemoryJournal):
        def commit(
            self,
            rows: Collection[tuple[int, Mapping[str, Any]]],
            positions: Mapping[int, int],
            facts: Mapping[str, Any],
        ) -> None:
            super().commit(rows, positions, facts)
            kept.append(facts["seconds"])

    async def attempts() -> AsyncIterator[list[Attempt]]:
        for number in range(5):
            while len(kept) < number:
                await asyncio.sleep(0)
            yield [attempt(number)]

    broker = Broker(1)
    broker.quick = True
    earlier = ReplayCounts(seconds=100.0)
    runner = Runner(FakeWire(broker, Fate()), Pace(in_flight=9), "0011", journal=Journal(), counts=earlier)
    await runner.run(attempts())
    # Each commit, and not the last alone, has what the processes have run by then.
    assert len(kept) > 4
    assert kept == sorted(set(kept))
    assert kept[0] > 100
