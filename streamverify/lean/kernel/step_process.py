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
    ended: asyncio.Future[ProcessEnd] = loop.create_future()
    kept, written = bytearray(), 0
    begun = time.monotonic()

    def end(with_end: ProcessEnd) -> None:
        if not ended.done():
            ended.set_result(with_end)

    def on_output(chunk: bytes) -> None:
        nonlocal written
        written += len(chunk)
        if written > max_output:
            end(ProcessEnd(How.OUTPUT))
        elif take is None:
            kept.extend(chunk[: WORDS_KEPT - len(kept)])
        elif not ended.done():
            try:
                take(chunk)
            except OSError as error:
                ended.set_exception(error)

    try:
        process = ReplProcess(
            command,
            on_output=on_output,
            # One that closes its stdout may have work left: its exit says how it went, or its time ends.
            on_hang_up=lambda: None,
            on_exit=lambda returncode: end(exited(returncode)),
        )
    except StartFailed as error:
        return ProcessEnd(How.NOT_STARTED, err=str(error))
    process.close_stdin()
    timer = loop.call_later(timeout, end, ProcessEnd(How.TIMEOUT))
    if command.limits.memory is not None:
        memory_watch().add(process.pid, command.limits.memory, lambda _used: end(ProcessEnd(How.MEMORY)))
    try:
        how = await ended
    finally:
        timer.cancel()
        memory_watch().remove(process.pid)
        process.kill()
        await process.gone()
    said = process.stderr.decode("utf-8", "replace")
    return replace(how, out=kept.decode("utf-8", "replace"), err=said, seconds=time.monotonic() - begun)
