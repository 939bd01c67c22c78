"""The time of one command: when it is over, and when it is not."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from streamverify.lean.repl import time_limit
from streamverify.lean.repl.errors import ReplFailure, TimedOut, WorkerSuspended
from streamverify.lean.repl.time_limit import TimeLimit

if TYPE_CHECKING:
    import pytest

ENOUGH = 60.0


class Command:
    """A command that is answered when the test says so."""

    def __init__(self, cores: float | None = None) -> None:
        self.is_running = True
        self.over: asyncio.Future[ReplFailure] = asyncio.get_running_loop().create_future()
        self.time = TimeLimit(
            os.getpid(), cores=cores, is_running=lambda: self.is_running, on_over=self.over.set_result
        )

    async def ended(self) -> ReplFailure:
        return await asyncio.wait_for(self.over, ENOUGH)


async def test_the_time_is_over_once_it_is_used_up() -> None:
    command = Command()
    command.time.start(0.01)
    assert isinstance(await command.ended(), TimedOut)


async def test_a_command_that_was_answered_is_not_ended() -> None:
    stopped, answered, restarted = Command(), Command(), Command()
    for command in (stopped, answered, restarted):
        command.time.start(0.01)
    stopped.time.stop()
    answered.is_running = False
    # The next command: its time counts, and no longer that of the one before.
    restarted.time.start(ENOUGH)
    last = Command()
    last.time.start(0.02)
    await last.ended()
    assert not any(command.over.done() for command in (stopped, answered, restarted))
    restarted.time.stop()


async def test_a_time_out_that_fires_late_is_ours() -> None:
    command = Command()
    command.time.start(0.01)
    time.sleep(time_limit.LATE_TIMEOUT_GRACE + 0.1)  # noqa: ASYNC251 - emulates SIGSTOP
    assert isinstance(await command.ended(), WorkerSuspended)


async def test_cpu_time_is_used_up_before_the_time_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "CPU_LOOK_EVERY", 0.001)
    command = Command(cores=1e-6)
    command.time.start(ENOUGH)
    while not command.over.done():
        sum(range(100_000))
        await asyncio.sleep(0.001)
    assert str(await command.ended()) == "Lean used more than the 0 s of CPU time that it may use."
