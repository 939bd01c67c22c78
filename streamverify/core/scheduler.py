"""Which proof runs in which slot. Pure: no I/O and no clock; `now` is passed in, in monotonic seconds.

All jobs wait in one place, by header, and a slot that is free takes the one that suits it:

1. A slot stays with the header that its process holds, oldest job first. It leaves it only where another header has
   waited `PATIENCE` seconds since a job of it was last started, and the process has done useful work of `QUANTUM`
   times its import since then. So no header starves, and switching costs at most 1/QUANTUM of the useful time.
2. Where nothing of that header waits, it takes the oldest job of the header that is longest unserved.

While the scheduler is *held* it starts only what is submitted `despite_hold`; that comes first at any time (core.gate
has each of these jobs counted as running, and lets everything else wait for its end).

A job that comes when several slots are free goes to the one that holds its header, else to one that holds none, else
to the one that has been idle longest.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.jobs import Job

PATIENCE = 30.0
QUANTUM = 10.0


class Start(NamedTuple):
    """Run `job` in the slot of this number now."""

    slot: int
    job: Job


class Holding(NamedTuple):
    """What a free slot's process has: the header's fingerprint, and seconds of import and of work since then."""

    header: str | None = None
    import_seconds: float = 0.0
    useful_seconds: float = 0.0


NOTHING = Holding()


class _Waiting:
    """The jobs of one header, and since when none of them was started."""

    __slots__ = ("jobs", "unserved_since")

    def __init__(self, now: float) -> None:
        self.jobs: deque[Job] = deque()
        self.unserved_since = now


class Scheduler:
    """The queue of a pool and its free slots. A slot is free from `slot_freed` until it is in a `Start`."""

    def __init__(self) -> None:
        # The header longest unserved comes first, the slot longest idle too.
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._free: OrderedDict[int, Holding] = OrderedDict()
        self._queued = 0
        self._first: deque[Job] = deque()
        self._stopped = False
        self._held = False

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return self._queued

    def submit(self, job: Job, now: float, *, despite_hold: bool = False) -> Start | None:
        """A job came: the free slot that takes it at once, if there is one."""
        header = job.header.fingerprint
        if self._free and not self._stopped and (despite_hold or not self._held):
            slot = self._slot_for(header)
            del self._free[slot]
            return Start(slot, job)
        if despite_hold:
            self._first.append(job)
            self._queued += 1
            return None
        waiting = self._waiting.get(header)
        if waiting is None:
            waiting = self._waiting[header] = _Waiting(now)
        waiting.jobs.append(job)
        self._queued += 1
        return None

    def slot_freed(self, slot: int, holding: Holding, now: float) -> Start | None:
        """A slot is free: the job that it takes, if one waits."""
        if self._first and not self._stopped:
            self._queued -= 1
            return Start(slot, self._first.popleft())
        if not self._waiting or self._stopped or self._held:
            self._free[slot] = holding
            return None
        return Start(slot, self._take(self._choose(holding, now), now))

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the waiting jobs that `doomed` names, and return them."""
        dropped: list[Job] = []
        for header, waiting in list(self._waiting.items()):
            kept: deque[Job] = deque()
            for job in waiting.jobs:
                (dropped if doomed(job) else kept).append(job)
            waiting.jobs = kept
            if not kept:
                del self._waiting[header]
        self._queued -= len(dropped)
        return dropped

    def hold(self) -> None:
        """Start nothing but what is submitted `despite_hold`; what waits stays."""
        self._held = True

    def release(self, now: float) -> list[Start]:
        """Start again what waits: the jobs that the free slots take at once."""
        self._held = False
        starts = []
        for slot, holding in list(self._free.items()):
            del self._free[slot]
            if start := self.slot_freed(slot, holding, now):
                starts.append(start)
        return starts

    def stop(self) -> None:
        """Start nothing more; what waits stays."""
        self._stopped = True

    def _choose(self, holding: Holding, now: float) -> str:
        longest_unserved = next(iter(self._waiting))
        own = holding.header
        if own is None or own not in self._waiting or own == longest_unserved:
            return longest_unserved
        patient = now - self._waiting[longest_unserved].unserved_since < PATIENCE
        unpaid = holding.useful_seconds < QUANTUM * holding.import_seconds
        return own if patient or unpaid else longest_unserved

    def _take(self, header: str, now: float) -> Job:
        waiting = self._waiting[header]
        job = waiting.jobs.popleft()
        self._queued -= 1
        if waiting.jobs:
            waiting.unserved_since = now
            self._waiting.move_to_end(header)
        else:
            del self._waiting[header]
        return job

    def _slot_for(self, header: str) -> int:
        empty = None
        for slot, holding in self._free.items():
            if holding.header == header:
                return slot
            if empty is None and holding.header is None:
                empty = slot
        return next(iter(self._free)) if empty is None else empty
