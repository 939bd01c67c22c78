"""How other stream processors lose records or hang, one named test each."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, ConsumerStoppedError
from worker_fakes import FakeHandler

from streamverify.bus import committer as module
from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.committer import OffsetCommitter
from streamverify.bus.consumer import RequestConsumer
from streamverify.bus.consumer_counts import ConsumerCounts
from streamverify.bus.liveness import Liveness
from streamverify.core.delivery.commits import Committed
from streamverify.core.delivery.load import AdmissionLimits
from streamverify.core.delivery.offset_map import OffsetMap, encode_map
from streamverify.core.delivery.partitions import Partitions
from streamverify.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

TOPIC = "lean.proofs"
TP = TopicPartition(TOPIC, 0)


class FakeConsumer:
    """aiokafka's consumer: `commits` has what was committed; `trouble` is what the next commits do instead."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, tuple[int, str]]] = []
        self.trouble: list[Exception | float] = []
        self.polls = 0
        self.paused: set[TopicPartition] = set()
        self._coordinator = SimpleNamespace(generation=1)

    async def commit(self, points: dict[TopicPartition, tuple[int, str]]) -> None:
        match self.trouble.pop(0) if self.trouble else None:
            case Exception() as error:
                raise error
            case float(seconds):
                await asyncio.sleep(seconds)
        self.commits.append(points)

    async def getmany(self, **_options: Any) -> dict[TopicPartition, list[Any]]:
        self.polls += 1
        await asyncio.sleep(0)
        return {}

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    def pause(self, *tps: TopicPartition) -> None:
        self.paused |= set(tps)

    def resume(self, *tps: TopicPartition) -> None:
        self.paused -= set(tps)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Nothing is delivered here."""


def committer(consumer: FakeConsumer, partitions: Partitions, requests: CommitRequests) -> OffsetCommitter:
    return OffsetCommitter(
        Settings(),
        cast("Any", consumer),
        cast("Any", None),
        partitions=partitions,
        requests=requests,
        handler=FakeHandler(),
        liveness=Liveness(Settings(), partitions, 100.0),
        counts=ConsumerCounts(),
    )


class Group:
    """The committer of one partition between its fakes."""

    def __init__(self) -> None:
        self.consumer, self.partitions, self.requests = FakeConsumer(), Partitions(TOPIC), CommitRequests()
        self.committer = committer(self.consumer, self.partitions, self.requests)

    async def assigned(self) -> None:
        self.requests.assigned(frozenset({0}))
        while not (self.partitions.are_restored and self.consumer.commits):
            await asyncio.sleep(0.001)

    def finish_one(self, offset: int) -> None:
        admission = self.partitions.deliver(0, offset, 1)
        assert admission is not None
        self.partitions.records.complete(admission.id)
        self.requests.commit_soon()

    async def committed(self, offset: int) -> None:
        while self.consumer.commits[-1][TP][0] != offset:
            await asyncio.sleep(0.001)


@pytest.fixture
async def group(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Group]:
    async def nothing_committed(*_: Any) -> dict[int, Committed | None]:
        return {0: None}

    monkeypatch.setattr(module, "committed_offsets", nothing_committed)
    monkeypatch.setattr(module, "RETRY", 0.01)
    made = Group()
    task = asyncio.create_task(made.committer.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_commit_during_a_rebalance_does_not_kill_the_committer(group: Group) -> None:
    await group.assigned()
    group.consumer.trouble = [CommitFailedError("rebalancing"), CommitFailedError("rebalancing")]
    group.finish_one(0)
    await group.committed(1)
    group.finish_one(1)
    await group.committed(2)
    counts = group.committer._counts
    assert (counts.commit_failures, counts.rebalances) == (2, 1)
    assert counts.commits >= 2


async def test_the_revoke_callback_and_the_commit_loop_do_not_wait_for_each_other(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    await group.assigned()
    monkeypatch.setattr(module, "COMMIT_TIMEOUT", 0.05)
    group.consumer.trouble = [3600.0, 3600.0]
    group.finish_one(0)
    await asyncio.sleep(0.12)
    async with asyncio.timeout(60):
        await group.requests.revoked()
    assert not group.partitions.restored()


def test_a_dropped_job_does_not_swallow_the_redelivery_of_its_offset() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, None, 0)
    stale = partitions.deliver(0, 0, 1)
    assert stale is not None
    partitions.revoke()
    partitions.assign({0})
    partitions.restore(0, Committed(0, encode_map(OffsetMap(0, 0), TOPIC, 0)), 0)
    partitions.records.forget(stale.id)  # it was queued, and is dropped
    again = partitions.deliver(0, 0, 1)
    assert again is not None
    assert again.is_new


def test_records_of_a_lost_partition_do_not_pause_it_for_ever() -> None:
    partitions = Partitions(TOPIC, AdmissionLimits(records=2))
    partitions.assign({0})
    partitions.restore(0, None, 0)
    for offset in range(2):
        partitions.deliver(0, offset, 1)
    partitions.revoke()
    partitions.assign(set())
    assert partitions.flow.in_flight == 0
    partitions.assign({0})
    partitions.restore(0, None, 0)
    commit = partitions.commit()
    assert commit is not None
    partitions.acknowledged(commit)
    assert partitions.flow.pauses().resume == {0}


async def test_draining_does_not_stop_polling() -> None:
    consumer, partitions, commits = FakeConsumer(), Partitions(TOPIC), CommitRequests()
    requests = RequestConsumer(Settings(), partitions, commits)
    requests._consumer = cast("Any", consumer)
    requests._handler = FakeHandler()
    requests._committer = committer(consumer, partitions, commits)
    poll = asyncio.create_task(requests.poll())
    while not consumer.polls:
        await asyncio.sleep(0)
    requests.drain()
    before = consumer.polls
    while consumer.polls < before + 3:
        await asyncio.sleep(0)
    assert consumer.paused == {TP}
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)


async def test_records_that_are_fetched_already_do_not_hold_up_the_event_loop() -> None:
    """aiokafka's getmany returns them without yielding: between two polls everybody else has a turn."""
    consumer, partitions, commits = FakeConsumer(), Partitions(TOPIC), CommitRequests()
    requests = RequestConsumer(Settings(), partitions, commits)
    turns: list[int] = []

    async def fetched(**_options: Any) -> dict[TopicPartition, list[Any]]:
        consumer.polls += 1
        if consumer.polls > 5:
            raise ConsumerStoppedError
        return {TP: []}

    async def somebody_else() -> None:
        while True:
            turns.append(consumer.polls)
            await asyncio.sleep(0)

    consumer.getmany = fetched  # type: ignore[method-assign]
    requests._consumer = cast("Any", consumer)
    requests._handler = FakeHandler()
    requests._committer = committer(consumer, partitions, commits)
    other = asyncio.create_task(somebody_else())
    await requests.poll()
    other.cancel()
    assert {1, 2, 3, 4, 5} <= set(turns)


def test_the_commit_point_is_not_the_highest_offset_seen() -> None:
    partitions = Partitions(TOPIC)
    partitions.assign({0})
    partitions.restore(0, None, 0)
    records = [partitions.deliver(0, offset, 1) for offset in range(3)]
    last = records[-1]
    assert last is not None
    partitions.records.complete(last.id)
    commit = partitions.commit()
    assert commit is not None
    assert commit.points[0].offset == 0
