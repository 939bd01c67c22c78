"""When the table is whole: after each rebalance, and for what the result topic still has."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from cli_fakes import make_result
from faust.types import TP

from streamverify.core.table.row import result_row
from streamverify.core.table.rows import PartitionRows
from streamverify.table.completeness import Completeness

HERE, THERE = TP("lean.results", 0), TP("lean.results", 1)


class Consumer:
    """Faust's consumer, with what the broker says of two partitions."""

    def __init__(self) -> None:
        self.ends = {HERE: 5, THERE: 0}
        self.firsts = {HERE: 0, THERE: 0}
        self.positions = {HERE: 0, THERE: 0}
        self.unacked: set[Any] = set()

    def assignment(self) -> set[TP]:
        return {HERE, THERE, TP("changelog", 0)}

    async def highwaters(self, *_tps: TP) -> dict[TP, int]:
        return self.ends

    async def earliest_offsets(self, *_tps: TP) -> dict[TP, int]:
        return self.firsts

    async def position(self, tp: TP) -> int:
        return self.positions[tp]


class Rig:
    def __init__(self) -> None:
        self.consumer = Consumer()
        app = SimpleNamespace(consumer=self.consumer, consumer_generation_id=3)
        self.rows = PartitionRows()
        for offset in range(4):
            result = make_result(f"a{offset}")
            self.rows[result.custom_id] = result_row(
                result, topic="lean.results", partition=0, offset=offset, timestamp=1
            )
        table = SimpleNamespace(partitions_held={0: self.rows}, data=self.rows)
        self.batches = SimpleNamespace(read={})
        agent = SimpleNamespace(batches=self.batches, table=table)
        names = SimpleNamespace(source="lean.results")
        self.life: Any = SimpleNamespace(restored=True, app=app, agent=agent, names=names)
        self.completeness = Completeness(cast("Any", self.life))

    async def look(self) -> None:
        held = self.completeness._assignment
        assert held is not None
        await self.completeness._look(held)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_it_is_whole_when_all_that_was_there_has_been_taken_in(rig: Rig) -> None:
    await rig.completeness._begin(3)
    assert rig.completeness.complete is None
    rig.batches.read[0] = 4
    await rig.look()
    assert rig.completeness.complete is None
    rig.batches.read[0] = 5
    await rig.look()
    await rig.look()
    held = rig.completeness.complete
    assert held is not None
    assert held.partitions == {0, 1}
    rig.life.app.consumer_generation_id = 4
    assert rig.completeness.complete is None
    rig.life.app.consumer_generation_id, rig.life.restored = 3, False
    assert rig.completeness.complete is None


async def test_holes_at_the_end_of_a_partition_are_passed_over_only_when_nothing_is_under_way(rig: Rig) -> None:
    await rig.completeness._begin(3)
    rig.consumer.positions[HERE] = 5
    rig.consumer.unacked = {"a record"}
    for _ in range(3):
        await rig.look()
    assert rig.completeness.behind == 1
    rig.consumer.unacked = set()
    await rig.look()
    assert rig.completeness.behind == 1
    await rig.look()
    assert rig.completeness.behind == 0


async def test_rows_whose_records_the_topic_has_deleted_are_gone_after_a_restart_and_later(rig: Rig) -> None:
    rig.consumer.firsts[HERE] = 2
    await rig.completeness._begin(3)
    assert sorted(rig.rows) == ["a2", "a3"]
    rig.consumer.firsts[HERE] = 9
    await rig.completeness._drop_what_the_topic_has_deleted({HERE})
    assert len(rig.rows) == 0
