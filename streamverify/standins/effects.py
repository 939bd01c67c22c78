"""The faults of the synthetic REPL: it spends time, takes memory, floods, forges, dies.

Each function is one fault as a driver sees it; none knows of commands or answers.
"""

from __future__ import annotations

import os
import time
from signal import SIGKILL, SIGSEGV
from typing import Never

from streamverify.standins.loop import STDERR, STDOUT, write

FORGED = b'{"env": 1}\n\n'
"""A whole answer, complete with its blank line."""

_STARTED_BY = os.getppid()
_MIB = 1 << 20
_CHUNK = 1 << 16
_STDERR_LINE = b"synthetic: one of many lines that nobody needs to read on stderr\n"


def sleep(seconds: float) -> None:
    """Do nothing for that long."""
    if seconds > 0:
        time.sleep(seconds)


def burn(seconds: float) -> None:
    """Use that much CPU time, however long it takes."""
    # The thread's own time: on a busy machine it takes longer, and is the same load.
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def hang() -> Never:
    """Wait for ever, like an elaborator in a loop: neither stdin nor a dead parent ends it."""
    while True:
        time.sleep(3600)


def crash() -> Never:
    """Die by SIGSEGV, as Lean does of a runaway recursion; no core file is left behind."""
    import resource  # noqa: PLC0415 - seldom needed, and start-up time counts

    # The worker sets the same limit; a test may start this without it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), SIGSEGV)
    hang()


def leave(status: int) -> Never:
    """End the process with that status, at once."""
    # Not `sys.exit`, which an `except` could catch: a REPL that dies says no last word.
    os._exit(status)


def run_out_of_memory() -> Never:
    """End as Lean does when an allocation fails."""
    write(STDERR, b"INTERNAL PANIC: out of memory\n")
    leave(1)


def allocate(mib: int) -> bytearray:
    """Take that many MiB of memory, every page touched, for as long as the caller keeps the result."""
    try:
        return bytearray(mib * _MIB)
    except (MemoryError, OverflowError):
        run_out_of_memory()


def flood_stderr(size: int) -> None:
    """Write that many bytes to stderr; blocks for as long as nobody reads them."""
    chunk = _STDERR_LINE * (_CHUNK // len(_STDERR_LINE))
    while size > 0:
        write(STDERR, chunk[:size])
        size -= len(chunk)


def forge(delay: float) -> None:
    """Write an answer that nobody asked for: now, or `delay` seconds later, whatever runs then."""
    if not delay:
        write(STDOUT, FORGED)
        return
    import threading  # noqa: PLC0415 - seldom needed, and start-up time counts

    # A daemon: it must not keep the process when its input has ended.
    timer = threading.Timer(delay, write, (STDOUT, FORGED))
    timer.daemon = True
    timer.start()


def kill_parent() -> None:
    """Kill the process that started this one with SIGKILL; not the one that adopted it after that one's death."""
    # 0 is a parent outside of the sandbox's PID namespace: as a target of `kill` it would be our own group.
    if os.getppid() == _STARTED_BY > 0:
        os.kill(_STARTED_BY, SIGKILL)
