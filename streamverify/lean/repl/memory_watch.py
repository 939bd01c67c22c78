"""The memory watch: it looks at the private memory of every REPL of this process, all the time, and tells of excess.

There is one for each event loop, so that a pool with many slots has one timer, not one for each. A kernel limit is no
substitute: Lean reserves far more than it uses (`docs/decisions/0009-memory-watch.md`). Knows nothing of proofs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from streamverify.lean.repl.errors import Cause, Death, MemoryExceeded
from streamverify.lean.repl.usage import deepest_stack, newest_pid, private, proportional, resident, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    OnExcess = Callable[[int], None]

LOOK_EVERY = 0.05
"""Seconds from the start of one look to the start of the next."""

_REST = 9
"""Times as long as dividing the shared pages of a REPL took, for which they are not divided again without a reason."""

_MIB = 1024**2
_MUCH_OF_IT = 4
"""One part in so many of the memory that a REPL may use is too much for a stack: 128 MiB of 512, 1 GiB of 4."""

_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, MemoryWatch] = WeakKeyDictionary()


@dataclass(slots=True)
class _Watched:
    """One REPL: the bytes that its processes may use together, and whom to tell of more."""

    pid: int
    budget: int
    on_excess: OnExcess
    pids: list[int] = field(default_factory=list)
    """Its processes at the last look; none: not looked at yet."""
    divide_again: float = 0.0
    """The time from which on its shared pages may be divided again without a reason."""
    counted_twice: int = 0
    """Bytes by which counting shared pages for each process was too much, when they were last divided."""


def memory_watch() -> MemoryWatch:
    """Return the watch of the running event loop, made when it is first asked for."""
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = MemoryWatch()
    return watch


class MemoryWatch:
    """Looks every `LOOK_EVERY` seconds while there is anything to look at. To be used in one event loop.

    ASLEEP --add--> LOOKING --remove, of the last--> ASLEEP
    """

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._newest: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, pid: int, budget: int, on_excess: OnExcess) -> None:
        """Watch the process and all below it.

        Args:
            pid: The process.
            budget: Bytes of private memory that they may use together.
            on_excess: Called with the bytes that they use, in each look that finds more than `budget`.
        """
        self._watched[pid] = _Watched(pid, budget, on_excess)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._on_timer)

    def remove(self, pid: int) -> None:
        """Watch the process no longer; nothing happens where it is not watched."""
        self._watched.pop(pid, None)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Look at every REPL once."""
        # Read before the trees: what starts after this is seen as new at the next look.
        newest = newest_pid()
        something_started = newest is None or newest != self._newest
        self._newest = newest
        for watched in list(self._watched.values()):
            if something_started or not watched.pids:
                watched.pids = tree(watched.pid)
            used = _excess(watched)
            if used is not None:
                watched.on_excess(used)

    def _on_timer(self) -> None:
        begun = time.monotonic()
        self.look()
        if self._watched:
            # From start to start; a look that takes longer than that leaves the loop some time for others all the same.
            pause = max(LOOK_EVERY / 10, begun + LOOK_EVERY - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(pause, self._on_timer)


def _excess(watched: _Watched) -> int | None:
    """Return the bytes that a REPL uses if they exceed its budget, else None. The cheapest question comes first."""
    pids, budget = watched.pids, watched.budget
    # Mapped files included, so an upper bound.
    if sum(map(resident, pids)) <= budget:
        return None
    sizes = [size for size in map(private, pids) if size]
    if sum(sizes) <= budget:
        return None
    if max(sizes) > budget:
        return max(sizes)
    # Several processes exceed it only together, and a page that a `fork` shares was counted for each of them. To divide
    # them the kernel walks every page, 10 ms a GiB and more, while the event loop stands still: so that is done at once
    # where memory has come since, and else seldom, for what a process takes by writing to its shared pages.
    now = time.monotonic()
    if sum(sizes) - watched.counted_twice <= budget and now < watched.divide_again:
        return None
    used = sum(map(proportional, pids))
    done = time.monotonic()
    watched.divide_again = done + _REST * (done - now)
    watched.counted_twice = sum(sizes) - used
    return used if used > budget else None


def exceeded(pid: int, used: int, allowed: int) -> MemoryExceeded:
    """Return why a REPL is ended that uses more memory than it may: it crashes, or it needs more. Stops its heaviest.

    Args:
        pid: The REPL.
        used: The bytes that it uses, as the watch has found them.
        allowed: The bytes that it may use.
    """
    sentence = f"The REPL used {used // _MIB} MiB of memory, more than the {allowed // _MIB} MiB of MEMORY_PER_REPL"
    # A thread of Lean may use 1 GiB of stack, so a runaway recursion may meet this limit before its own.
    heaviest = max(tree(pid), key=private)
    with suppress(ProcessLookupError, PermissionError):
        # Its mappings take a while to read, and it may take memory meanwhile.
        os.kill(heaviest, signal.SIGSTOP)
    # What a recursion has filled is one stack; what a proof needs lies in the heap.
    stack = deepest_stack(heaviest)
    if stack < allowed / _MUCH_OF_IT:
        return MemoryExceeded(Death(Cause.MEMORY, f"{sentence}."))
    stacked = f"{stack // _MIB} MiB of that are the stack of one thread, as of a runaway recursion"
    return MemoryExceeded(Death(Cause.CRASH, f"{sentence}; {stacked}."))
