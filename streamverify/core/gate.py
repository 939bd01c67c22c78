"""Careful mode: which of the records that may have killed a worker runs next. Pure: no clock, no I/O.

A record of a careful partition is run in three steps: it is *marked*, a commit that has its attempt is acknowledged,
and then it is dispatched. So a worker that dies of it leaves a trace.

- A record without an attempt runs beside others; as many are marked at a time as there are slots, so that a death
  makes no more suspects than that.
- A record with an attempt runs alone: nothing else of any partition is started until it has ended, and it is marked
  only when nothing runs. So each attempt beyond the first was made alone.
- A record has ended when the broker has its result, so that the next commit no longer lists it; not before.
- A record that died alone `max_deliveries` times is not run again.
- Between revoke and assignment nothing is marked or dispatched.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.core.jobs import Job
    from streamverify.core.ledger import Place


class Decision(NamedTuple):
    """What to do now."""

    hold: bool
    """Start nothing but what the gate dispatches."""
    mark: tuple[Place, ...] = ()
    """Commit these with their attempt, at once; then call `written`."""


class Dispatch(NamedTuple):
    """Run this now; `alone`: although everything else is held."""

    job: Job
    alone: bool


def is_poison(attempts: int, max_deliveries: int) -> bool:
    """Whether a record with so many attempts is not to be run again: all of them but the first were made alone."""
    return attempts > max_deliveries


class Gate:
    """The careful records of one worker that are not finished."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._together: OrderedDict[Place, Job] = OrderedDict()
        self._alone: OrderedDict[Place, Job] = OrderedDict()
        self._marked: OrderedDict[Place, Job] = OrderedDict()
        self._running: set[Place] = set()
        self._suspects: set[Place] = set()
        """Those of the marked and running that run alone: one at most."""
        self._suspended = False

    def add(self, job: Job, *, attempts: int) -> None:
        """A record of a careful partition waits to be run."""
        (self._alone if attempts else self._together)[job.place] = job

    def decide(self, running: int) -> Decision:
        """What to do now, while `running` jobs run in the pool."""
        if self._suspended:
            return Decision(hold=bool(self._suspects))
        if not (self._alone or self._suspects):
            return Decision(hold=False, mark=self._mark_together())
        if not self._suspects and (self._marked or self._running):
            # They may wait in the pool: a hold that waits for their end would wait for ever.
            return Decision(hold=False)
        if self._suspects or running:
            return Decision(hold=True)
        place, job = self._alone.popitem(last=False)
        self._suspects.add(place)
        self._marked[place] = job
        return Decision(hold=True, mark=(place,))

    def _mark_together(self) -> tuple[Place, ...]:
        marked = []
        while self._together and len(self._marked) + len(self._running) < self._slots:
            place, job = self._together.popitem(last=False)
            self._marked[place] = job
            marked.append(place)
        return tuple(marked)

    def written(self, places: Iterable[Place]) -> list[Dispatch]:
        """The broker has the attempts of these records: run those that are ready."""
        ready = []
        for place in () if self._suspended else places:
            job = self._marked.pop(place, None)
            if job is not None:
                self._running.add(place)
                ready.append(Dispatch(job, place in self._suspects))
        return ready

    def ended(self, place: Place) -> None:
        """A record has ended, one of the gate's or any other."""
        self._running.discard(place)
        self._suspects.discard(place)

    def suspend(self) -> tuple[Place, ...]:
        """Dispatch nothing until `resume`. Returns what was marked and is not run."""
        self._suspended = True
        unmarked = tuple(self._marked)
        while self._marked:
            place, job = self._marked.popitem()
            queue = self._alone if place in self._suspects else self._together
            self._suspects.discard(place)
            queue[place] = job
            queue.move_to_end(place, last=False)
        return unmarked

    def resume(self) -> None:
        """Dispatch again."""
        self._suspended = False

    def discard(self, doomed: Callable[[Job], bool]) -> list[Job]:
        """Drop the records that wait and that `doomed` names, and return them."""
        dropped = []
        for queue in (self._together, self._alone, self._marked):
            for place, job in list(queue.items()):
                if doomed(job):
                    del queue[place]
                    self._suspects.discard(place)
                    dropped.append(job)
        return dropped

    @property
    def waiting(self) -> int:
        """Records that wait to be run."""
        return len(self._together) + len(self._alone) + len(self._marked)
