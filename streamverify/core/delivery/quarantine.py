"""The quarantine decides which of the records that may have killed a worker runs next. Pure: no clock, no I/O.

A worker that dies with a record running must leave a trace of it. So a record of a quarantined partition is started
only when the broker has a commit that counts the attempt.

- A record without an attempt is *shared*: it runs beside others. At most as many are on their way as there are slots,
  so that a death makes no more suspects than that.
- A record with an attempt is *isolated*: nothing else of any partition is started until it has ended, and its attempt
  is committed only when nothing runs. So each attempt beyond the first was made alone.
- A record has ended when the broker has its result, so that the next commit no longer lists it; not before.
- A record that died alone `max_deliveries` times is not run again.
- Between revoke and assignment the quarantine is paused: no attempt is committed and no record is started.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.core.job import RecordId


class Decision(NamedTuple):
    """The actions that the quarantine wants carried out now."""

    pause_pool: bool
    """Start nothing but what the quarantine dispatches."""
    commit: tuple[RecordId, ...] = ()
    """Commit the attempts of these records at once; then call `attempts_committed`."""


class Dispatch(NamedTuple):
    """Run this record now; if it is `alone`, although the pool is paused."""

    record_id: RecordId
    alone: bool


def is_poison(worker_deaths: int, max_deliveries: int) -> bool:
    """Tell whether a record that so many workers died of is not to be run again: in all but the first it ran alone."""
    return worker_deaths > max_deliveries


class Quarantine:
    """The records of quarantined partitions that have not ended. Each of them goes this way:

    add ──> WAITING ── decide: record the attempt ──> COMMITTING ── attempts_committed ──> RUNNING ── ended
            WAITING <──────────────── pause ─────────────────┘
    WAITING is two queues: shared records are taken up to the number of slots,
    an isolated one when nothing is COMMITTING or RUNNING; while it is on its way nothing else is started.
    """  # noqa: D415 - ends with the diagram

    def __init__(self, slots: int) -> None:
        self._slots = slots
        # Ordered sets: the values say nothing. A record leaves from the front, and a paused one goes back there.
        self._shared: OrderedDict[RecordId, None] = OrderedDict()
        self._isolated: OrderedDict[RecordId, None] = OrderedDict()
        self._committing: OrderedDict[RecordId, None] = OrderedDict()
        self._running: set[RecordId] = set()
        self._alone: RecordId | None = None
        """The isolated record that is committing or running."""
        self._paused = False
        """True between revoke and assignment. That the pool is paused is another thing: see `Decision.pause_pool`."""

    def add(self, record_id: RecordId, *, worker_deaths: int) -> None:
        """Let a record wait for its turn."""
        (self._isolated if worker_deaths else self._shared)[record_id] = None

    def decide(self, running: int) -> Decision:
        """Decide what to do now, while `running` jobs run in the pool."""
        if self._paused or self._alone:
            return Decision(pause_pool=self._alone is not None)
        if not self._isolated:
            starting = []
            while self._shared and len(self._committing) + len(self._running) < self._slots:
                record_id, _ = self._shared.popitem(last=False)
                self._committing[record_id] = None
                starting.append(record_id)
            return Decision(pause_pool=False, commit=tuple(starting))
        if self._committing or self._running:
            # They may be queued in the pool: a pause that waits for their end would last for ever.
            return Decision(pause_pool=False)
        if running:
            return Decision(pause_pool=True)
        self._alone, _ = self._isolated.popitem(last=False)
        self._committing[self._alone] = None
        return Decision(pause_pool=True, commit=(self._alone,))

    def attempts_committed(self, records: Iterable[RecordId]) -> list[Dispatch]:
        """The broker has the attempts of these records.

        Returns:
            Those of them that are to be run now.
        """
        ready = []
        for record_id in records:
            if not self._paused and record_id in self._committing:
                del self._committing[record_id]
                self._running.add(record_id)
                ready.append(Dispatch(record_id, alone=record_id == self._alone))
        return ready

    def ended(self, record_id: RecordId) -> None:
        """A record has ended, one of the quarantine's or any other."""
        self._running.discard(record_id)
        if record_id == self._alone:
            self._alone = None

    def pause(self) -> tuple[RecordId, ...]:
        """Start nothing until `resume`.

        Returns:
            The records whose attempt was to be committed and is to be withdrawn: they wait again.
        """
        self._paused = True
        withdrawn = tuple(self._committing)
        # Back in front of those that came after them, in their own order.
        for record_id in reversed(withdrawn):
            queue = self._isolated if record_id == self._alone else self._shared
            queue[record_id] = None
            queue.move_to_end(record_id, last=False)
        if self._alone in self._committing:
            self._alone = None
        self._committing.clear()
        return withdrawn

    def resume(self) -> None:
        """Start records again."""
        self._paused = False

    def discard(self, doomed: Callable[[RecordId], bool]) -> list[RecordId]:
        """Drop the records that `doomed` names and that are not running, and return them."""
        dropped = []
        for queue in (self._shared, self._isolated, self._committing):
            for record_id in [each for each in queue if doomed(each)]:
                del queue[record_id]
                dropped.append(record_id)
        if self._alone in dropped:
            self._alone = None
        return dropped

    @property
    def waiting(self) -> int:
        """The number of records that are not started yet."""
        return len(self._shared) + len(self._isolated) + len(self._committing)
