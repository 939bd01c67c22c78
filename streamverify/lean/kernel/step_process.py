"""Runs one program to its end, within limits on time, memory and output; its stdin is closed from the start."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from streamverify.core.tiers.ends import How, ProcessEnd, exited
from streamverify.lean.repl.errors import StartFailed
from streamverify.lean.repl.memory_watch import memory_watch
from streamverify.lean.repl.process import ReplProcess
from streamverify.lean.repl.time_limit import LATE_TIMEOUT_GRACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.lean.repl.command import ReplCommand

WORDS_KEPT = 64 * 1024
"""Bytes of stdout that are kept as words."""


async def run_step(
    command: ReplCommand, *, timeout: float, max_output: int, take: Callable[[bytes], None] | None = None
) -> ProcessEnd:
    """Run the command. Its whole process group is dead when this returns, however it ends; cancelling this kills it.

    Args:
        command: In its sandbox; its memory limit holds for all its processes together.
        timeout: Seconds of wall-clock time.
        max_output: Bytes that it may write to stdout; one that writes more is killed.
        take: Gets stdout as it comes. None: only the beginning is kept, in `out`.

    Raises:
        OSError: `take` could not write what it got.
    """
    loop = asyncio.get_running_loop()
    output = _Output(max_output, take)
    begun = time.monotonic()
    try:
        process = ReplProcess(
            command,
            on_output=output.on_output,
            # One that closes its stdout may have work left: its exit says how it went, or its time ends.
            on_hang_up=lambda: None,
            on_exit=lambda returncode: output.end(exited(returncode)),
        )
    except StartFailed as error:
        return ProcessEnd(How.NOT_STARTED, err=str(error))
    process.close_stdin()
    timer = loop.call_later(timeout, output.time_is_up, loop.time() + timeout, timeout)
    if command.limits.memory is not None:
        memory_watch().add(process.pid, command.limits.memory, lambda _used: output.end(ProcessEnd(How.MEMORY)))
    try:
        how = await output.ended
    finally:
        timer.cancel()
        memory_watch().remove(process.pid)
        process.kill()
        await process.gone()
    said = process.stderr.read().decode("utf-8", "replace")
    kept = output.kept.decode("utf-8", "replace")
    return replace(how, out=kept, err=said, seconds=time.monotonic() - begun)


class _Output:
    """Takes what a process writes, and notes its end: by itself, or by one of its limits."""

    def __init__(self, max_output: int, take: Callable[[bytes], None] | None) -> None:
        self.ended: asyncio.Future[ProcessEnd] = asyncio.get_running_loop().create_future()
        self.kept = bytearray()
        self._left = max_output
        self._take = take

    def end(self, how: ProcessEnd) -> None:
        if not self.ended.done():
            self.ended.set_result(how)

    def on_output(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            self.end(ProcessEnd(How.OUTPUT))
        elif self._take is None:
            self.kept.extend(chunk[: WORDS_KEPT - len(self.kept)])
        elif not self.ended.done():
            try:
                self._take(chunk)
            except OSError as error:
                self.ended.set_exception(error)

    def time_is_up(self, due: float, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - due > LATE_TIMEOUT_GRACE:
            # Stopped and continued, the process may have had none of its time: it gets all of it once more.
            loop.call_later(timeout, self.end, ProcessEnd(How.TIMEOUT))
        else:
            self.end(ProcessEnd(How.TIMEOUT))
