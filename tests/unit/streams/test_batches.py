"""Batches of records: which are ours, how far they are, and what an error in the work does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from streamverify.streams.batches import Batches, DeliveredBatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Rig:
    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.forgotten: list[int] = []
        self.failures: list[BaseException] = []
        consumer = SimpleNamespace(forget=lambda message: self.forgotten.append(message.offset))
        app: Any = SimpleNamespace(consumer_generation_id=1, consumer=consumer)
        self.app = app
        self.batches = Batches(cast("Any", app), self.failures.append)

    def event(self, offset: int, *, generation: int = 1) -> Any:
        message = SimpleNamespace(partition=2, offset=offset, generation_id=generation)
        return SimpleNamespace(message=message, ack=lambda: self.acknowledged.append(offset))

    def take(self, *events: Any) -> DeliveredBatch:
        batch = self.batches.take(events)
        assert batch is not None
        return batch


async def test_records_of_an_assignment_that_is_over_are_left_and_the_others_are_a_batch() -> None:
    rig = Rig()
    batch = rig.take(rig.event(3, generation=0), rig.event(4), rig.event(5))
    assert [message.offset for message in batch.messages] == [4, 5]
    assert (rig.forgotten, rig.acknowledged) == ([3], [])
    assert rig.batches.take([rig.event(6, generation=0)]) is None
    batch.acknowledge()
    assert (rig.acknowledged, rig.batches.read, rig.batches.done()) == ([4, 5], {2: 6}, {2: 6})


async def test_a_rebalance_makes_a_batch_another_ones_and_what_was_done_before_it_does_not_count() -> None:
    rig = Rig()
    rig.take(rig.event(0)).acknowledge()
    batch = rig.take(rig.event(1))
    assert batch.is_ours
    rig.app.consumer_generation_id = 2
    assert not batch.is_ours
    batch.leave()
    assert (rig.forgotten, rig.acknowledged) == ([1], [0])
    assert (rig.batches.done(), rig.batches.read) == ({}, {2: 1})
    rig.take(rig.event(7, generation=2)).acknowledge()
    assert rig.batches.read == {2: 8}


async def test_an_error_of_the_work_ends_the_process_and_the_agent_takes_no_other_batch() -> None:
    rig = Rig()
    worked = []

    class Stream:
        async def noack_take(self, _count: int, within: float) -> AsyncIterator[list[Any]]:
            assert within < 1
            yield [rig.event(0, generation=0)]
            yield [rig.event(1)]
            yield [rig.event(2)]

    async def work(batch: DeliveredBatch) -> None:
        worked.append(batch.messages[0].offset)
        raise LookupError

    running = asyncio.create_task(rig.batches.run(cast("Any", Stream()), work))
    while not rig.failures:
        await asyncio.sleep(0)
    assert [type(failure) for failure in rig.failures] == [LookupError]
    await asyncio.sleep(0)
    assert worked == [1]
    assert not running.done()  # or Faust would start the agent again
    running.cancel()
