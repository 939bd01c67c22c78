"""What keeps a process around Faust from its work, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from streamverify.bus.liveness import OUTAGE_GRACE
from streamverify.core.errors import BrokerUnavailable
from streamverify.router.router import router_names
from streamverify.runtime import EXIT_CUT_SHORT, EXIT_DONE, Signals
from streamverify.settings import load_settings
from streamverify.streams.life import StreamLife


class App:
    """A Faust application that runs until it is stopped, or crashes."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        self.crash_reason: BaseException | None = None
        self.rebalancing = False
        self.recovered = asyncio.Event()
        self.tables = SimpleNamespace(recovery=SimpleNamespace(completed=self.recovered))

    async def start(self) -> None:
        """Nothing has to be reached."""

    async def wait(self) -> None:
        await self.ended.wait()

    async def stop(self) -> None:
        await self.may_stop.wait()
        self.ended.set()

    async def give_up(self) -> None:
        self.ended.set()


class Rig:
    def __init__(self, stack: AsyncExitStack) -> None:
        self.signals = Signals()
        self.app = App()
        settings = load_settings()
        self.life: StreamLife[Any] = StreamLife(settings, router_names(settings), self.signals, stack)

    def make(self) -> Any:
        return self.app, None


@pytest.fixture
async def stack() -> Any:
    async with AsyncExitStack() as stack:
        yield stack


async def test_ready_says_what_is_wrong_and_an_outage_counts_only_after_its_grace_time(stack: AsyncExitStack) -> None:
    rig = Rig(stack)
    await rig.life.start(rig.make)
    brokers: Any = SimpleNamespace(outage=None, seconds_without_broker=0.0)
    vars(rig.life).update(_brokers=brokers)
    problem, ready = rig.life.readiness()
    assert ("joins its group" in str(problem), ready) == (True, False)
    rig.app.recovered.set()
    assert rig.life.readiness() == (None, True)
    rig.app.rebalancing = True
    assert not rig.life.readiness().ready
    rig.app.rebalancing = False
    brokers.outage, brokers.seconds_without_broker = "no broker answers", OUTAGE_GRACE
    assert rig.life.readiness() == ("no broker answers", True)
    brokers.seconds_without_broker += 1
    assert rig.life.readiness() == ("no broker answers", False)
    rig.signals.drain.set()
    problem, ready = rig.life.readiness()
    assert ("the router drains: it forwards" in str(problem), ready) == (True, False)
    rig.life.failed(BrokerUnavailable("gone"))
    problem, ready = rig.life.readiness()
    assert ("has failed: it ends" in str(problem), ready) == (True, False)
    with pytest.raises(BrokerUnavailable, match="gone"):
        await rig.life.run(dict)


async def test_a_signal_drains_and_a_second_one_cuts_the_drain_short(stack: AsyncExitStack) -> None:
    rig = Rig(stack)
    await rig.life.start(rig.make)
    rig.signals.drain.set()
    assert await rig.life.run(dict) == EXIT_DONE
    other = Rig(stack)
    await other.life.start(other.make)
    other.app.may_stop.clear()
    other.signals.drain.set()
    running = asyncio.create_task(other.life.run(dict))
    other.signals.force.set()
    assert await running == EXIT_CUT_SHORT
    other.app.may_stop.set()


@pytest.mark.parametrize(
    ("reason", "says"),
    [(None, "ended without a reason"), (GroupAuthorizationFailedError("g"), "the router's connection to Kafka failed")],
)
async def test_a_faust_that_stops_by_itself_is_an_error_for_an_operator(
    stack: AsyncExitStack, reason: BaseException | None, says: str
) -> None:
    rig = Rig(stack)
    await rig.life.start(rig.make)
    rig.app.crash_reason = reason
    rig.app.ended.set()
    with pytest.raises(BrokerUnavailable, match=says):
        await rig.life.run(dict)


async def test_a_part_that_fails_ends_the_process_with_its_error(stack: AsyncExitStack) -> None:
    async def fail() -> None:
        raise BrokerUnavailable("a part has failed")

    rig = Rig(stack)
    await rig.life.start(rig.make)
    await rig.life.keep_running(fail())
    with pytest.raises(BrokerUnavailable, match="a part has failed"):
        await rig.life.run(dict)
