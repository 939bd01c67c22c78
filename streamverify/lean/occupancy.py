"""Shows what the slots of a pool do at one moment, to whoever looks at a worker. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from streamverify.lean.repl.usage import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.job import Job
    from streamverify.core.scheduling.scheduler import Scheduler
    from streamverify.core.syntax.header import Header
    from streamverify.lean.slot import Slot

SlotDoing = Literal["running", "importing", "idle", "empty"]


class SlotLook(NamedTuple):
    """One slot at one moment."""

    slot: int
    state: SlotDoing
    header: Header | None
    """The header that it runs, imports or used last; None without a process."""
    seconds: float | None
    """Seconds since it began with that; None where it is idle."""
    job: Job | None
    memory: int | None
    """Bytes of private memory of its process; None without one."""
    uses: int
    """Proofs that its process has run."""


class Occupancy:
    """Tells what each slot of a pool does, spares included."""

    def __init__(self, slots: Sequence[Slot], scheduler: Scheduler[Job]) -> None:
        """Look at these slots, which `scheduler` fills and numbers in this order."""
        self._slots = slots
        self._scheduler = scheduler

    @property
    def processes(self) -> int:
        """REPL processes that live."""
        return sum(slot.process.pid is not None for slot in self._slots)

    def look(self, now: float) -> list[SlotLook]:
        """Tell what each slot does; `now` in monotonic seconds. Memory is read as this is asked."""
        looks = []
        for number, slot in enumerate(self._slots):
            process, busy = slot.process, self._scheduler.slots.busy.get(number)
            # Read first: a process that is gone by now has no memory, and is not idle.
            memory = None if process.pid is None else usage(process.pid).memory
            if busy is None:
                state: SlotDoing = "empty" if process.pid is None else "idle"
                looks.append(SlotLook(number, state, process.header, None, None, memory, process.uses))
            else:
                state = "importing" if busy.importing else "running"
                # An import ahead of demand has no job; its header is the one that the process imports.
                header = process.header if busy.job is None else busy.job.header
                seconds = max(0.0, now - busy.since)
                looks.append(SlotLook(number, state, header, seconds, busy.job, memory, process.uses))
        return looks
