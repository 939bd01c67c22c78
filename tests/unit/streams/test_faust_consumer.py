"""Rewinds and fetches of the consumer, with Faust's own replaced."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from weakref import WeakSet

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streamverify.streams.faust_consumer import StreamConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ONE, TWO = TP("ingest", 0), TP("ingest", 1)


class Log:
    """Topic, position and rewinds of a consumer that fetches as it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.answer = asyncio.Event()
        self.position = 0


@pytest.fixture
async def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()

    async def fetch(_self: Any, _active: Any, _timeout: float) -> Any:
        log.events.append("fetch")
        await log.answer.wait()
        records = [(ONE, offset) for offset in range(log.position, log.position + 3)]
        log.position += 3
        log.events.append("fetched")
        return records

    async def getmany(self: Any, timeout: float) -> AsyncIterator[Any]:
        for record in await self._getmany(None, timeout):
            yield record

    async def rewind(_self: Any) -> None:
        log.events.append("rewind")
        await asyncio.sleep(0.01)
        log.position = 0
        log.events.append("rewound")

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    monkeypatch.setattr(driver.Consumer, "getmany", getmany)
    monkeypatch.setattr(driver.Consumer, "perform_seek", rewind)
    return log


def consumer(committed: dict[TP, int | None] | None = None) -> Any:
    made: Any = object.__new__(StreamConsumer)
    made._moving = asyncio.Lock()
    made._rewinds = made._fetched_after = 0
    made._rewound_to, made._read_offset = {}, defaultdict(lambda: None)
    made._paused_partitions = set()
    made._committed_offset = defaultdict(lambda: None, committed or {ONE: 5})
    made.assignment = lambda: set(made._committed_offset)
    made._is_changelog_tp = lambda tp: tp.topic == "changelog"
    return made


async def taken(made: Any) -> list[int]:
    return [offset async for _tp, offset in made.getmany(1.0)]


async def test_without_a_rewind_everything_is_delivered(log: Log) -> None:
    log.answer.set()
    made = consumer()
    assert await taken(made) == [0, 1, 2]
    assert await taken(made) == [3, 4, 5]


async def test_what_was_being_fetched_when_it_rewound_is_not_delivered(log: Log) -> None:
    made = consumer()
    fetching = asyncio.create_task(taken(made))
    await asyncio.sleep(0.01)
    rewinding = asyncio.create_task(made.perform_seek())
    await asyncio.sleep(0.01)
    assert log.events == ["fetch"]  # the rewind waits: it could come in between
    log.answer.set()
    await rewinding
    assert await fetching == []
    assert await taken(made) == [0, 1, 2]


async def test_no_fetch_begins_while_it_rewinds(log: Log) -> None:
    log.answer.set()
    made = consumer()
    rewinding = asyncio.create_task(made.perform_seek())
    await asyncio.sleep(0)
    assert await taken(made) == [0, 1, 2]
    await rewinding
    assert log.events == ["rewind", "rewound", "fetch", "fetched"]


async def test_a_rewind_in_the_middle_of_a_batch_ends_it(log: Log) -> None:
    log.answer.set()
    made = consumer()
    seen = []
    async for _tp, offset in made.getmany(1.0):
        seen.append(offset)
        await made.perform_seek()
    assert seen == [0]
    assert await taken(made) == [0, 1, 2]


async def test_where_nothing_is_committed_it_goes_back_to_the_beginning(log: Log) -> None:
    log.answer.set()
    made = consumer({ONE: None, TWO: 7, TP("changelog", 0): None})
    sought: list[tuple[TP, int]] = []

    async def earliest(*tps: TP) -> dict[TP, int]:
        return dict.fromkeys(tps, 3)

    async def seek(tp: TP, offset: int) -> None:
        sought.append((tp, offset))

    made.earliest_offsets, made.seek = earliest, seek
    await made.perform_seek()
    assert sought == [(ONE, 3)]


async def test_room_for_a_partition_that_has_gone_elsewhere_is_of_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[TP] = []
    monkeypatch.setattr(driver.Consumer, "on_buffer_drop", lambda _self, tp: resumed.append(tp))
    made = consumer({ONE: 1})
    made._buffered_partitions = {ONE, TWO}
    made.on_buffer_drop(ONE)
    made.on_buffer_drop(TWO)
    assert resumed == [ONE]
    assert made._buffered_partitions == {ONE}


async def test_a_rebalance_does_not_wait_for_a_record_that_was_left_to_the_next_owner() -> None:
    """The stream holds on to its last record: with Faust's own bookkeeping the wait would have no end."""
    made: Any = object.__new__(StreamConsumer)
    message = ConsumerMessage("ingest", 0, 7, 0.0, 0, [], None, b"", None, None, tp=ONE, generation_id=1)
    made._unacked_messages = WeakSet([message])
    commits: list[str] = []

    async def commit(*_given: Any, **_options: Any) -> None:
        commits.append("commit")

    async def no_ack(*_given: Any, **_options: Any) -> None:
        await asyncio.sleep(0.001)

    made.commit, made._wait_for_ack = commit, no_ack
    made._stopped = asyncio.Event()
    made._crashed = asyncio.Event()
    made.log = Mock()
    made.app = Mock()
    waiting = asyncio.create_task(driver.Consumer.wait_empty.__wrapped__(made))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    made.forget(message)
    await asyncio.wait_for(waiting, 10)
    assert commits
    assert message.offset == 7, "something refers to it to the end, as the stream would"


class Fenced:
    """A fence that answers as the test says."""

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self.noted = 0

    async def may_rejoin(self) -> bool:
        return self.free

    def joined(self) -> None:
        self.noted += 1


@pytest.mark.parametrize("free", [True, False])
async def test_a_router_whose_name_is_another_s_does_not_join_again(
    *, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on = []

    async def revoke() -> None:
        went_on.append(True)

    monkeypatch.setattr(driver.ConsumerRebalanceListener, "on_partitions_revoked", lambda *_: revoke())
    listener = StreamConsumer.RebalanceListener(Mock(fence=Fenced(free=free)))
    # What ends aiokafka's own task; any other exception of a listener it logs, and joins.
    result = await asyncio.gather(listener.on_partitions_revoked([]), return_exceptions=True)
    assert [type(each) for each in result] == [type(None) if free else asyncio.CancelledError]
    assert bool(went_on) is free


async def test_a_record_whose_delivery_outlasts_a_rewind_hides_none_of_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With Faust's own loop: it notes the record as read after the rewind, and would drop those that come again."""
    committed, made, delivered = 10, consumer({ONE: 10}), []
    delivering, rewound, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def fetch(self: Any, *_given: Any) -> list[Any]:
        records = [
            (ONE, SimpleNamespace(offset=self.position + n, topic="ingest", key=b"", value=b"")) for n in range(3)
        ]
        self.position += 3
        await asyncio.sleep(0)
        return records

    async def getmany(self: Any, timeout: float) -> AsyncIterator[Any]:
        for record in await self._getmany(None, timeout):
            yield record

    async def rewind(self: Any) -> None:
        self.position = committed
        self._read_offset.update({ONE: committed})

    async def deliver(message: Any) -> None:
        delivered.append(message.offset)
        if delivered == [10, 11, 12]:
            delivering.set()
            await rewound.wait()
        if len(delivered) == 6:
            made._stopped.set()
            done.set()

    async def wait_first(first: Any, other: Any) -> None:
        other.close()
        await first

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    monkeypatch.setattr(driver.Consumer, "getmany", getmany)
    monkeypatch.setattr(driver.Consumer, "perform_seek", rewind)
    made.position, made._commit_every, made.callback = committed, None, deliver
    made._read_offset = defaultdict(lambda: None, {ONE: committed})
    made._stopped, made._crashed, made.suspend_flow = asyncio.Event(), asyncio.Event(), asyncio.Event()
    made.diag, made.log, made.app, made.transport = Mock(), Mock(), Mock(), Mock()
    made.app.topics.acks_enabled_for = lambda _topic: False
    made.sleep, made.wait_first, made.consumer_stopped_errors = asyncio.sleep, wait_first, ()
    draining = asyncio.create_task(made._drain_messages(Mock(_stopped=asyncio.Event())))
    await delivering.wait()
    await made.perform_seek()
    rewound.set()
    await asyncio.wait_for(done.wait(), 60)
    await draining
    assert delivered == [10, 11, 12, 10, 11, 12]


async def test_room_for_a_partition_that_is_paused_does_not_let_it_go_on() -> None:
    """Its stream has room again while the table is restored, which is before its rewind."""
    made = consumer({ONE: 1})
    made._buffered_partitions, made._paused_partitions, made._active_partitions = {ONE}, {ONE}, set()
    made.on_buffer_drop(ONE)
    assert (made._buffered_partitions, made._active_partitions) == (set(), set())
    made._buffered_partitions, made._paused_partitions = {ONE}, set()
    made.on_buffer_drop(ONE)
    assert made._active_partitions == {ONE}
