"""The slots of a pool: which are idle, what the busy ones do, and which headers they hold. Pure: no clock."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.scheduling.header_stats import HeaderStats

J = TypeVar("J")


class SlotState(NamedTuple):
    """The process of a free slot: fingerprints of its headers, seconds of its last import and of the work since."""

    headers: tuple[str, ...] = ()
    import_seconds: float = 0.0
    useful_seconds: float = 0.0
    room: bool = True
    """True if the process may import another header and keep those that it has."""


NO_PROCESS = SlotState()


class Busy(NamedTuple, Generic[J]):
    """The work of a slot: its header, and since when. `importing` until that is done; without a job it warms up."""

    header: str
    since: float
    importing: bool
    job: J | None = None
    work: Work = Work()
    is_long: bool = False


class Slots(Generic[J]):
    """The slots by their numbers. The caller numbers them, and frees each for the first time.

    idle ── occupy, header held ──> busy ── free ──> idle
    idle ── occupy, header not held ──> importing ── imported ──> busy
                                        importing ── free: failed, or warmed ──> idle
    """

    def __init__(self, stats: HeaderStats) -> None:
        self._stats = stats
        # The idle slot that was used longest ago first.
        self.idle: OrderedDict[int, SlotState] = OrderedDict()
        self.busy: dict[int, Busy[J]] = {}
        self.running = 0
        """The slots that have a job."""
        self.running_long = 0
        """The slots that have a long job."""
        self.importing = 0
        """The slots that import, for a job or ahead of demand."""
        # The slots that hold or import each header, and the headers of each slot.
        self._holders: dict[str, set[int]] = {}
        self._held: dict[int, tuple[str, ...]] = {}

    # --- what happens to a slot ---------------------------------------------------------------------------------

    def free(self, slot: int, state: SlotState) -> Busy[J] | None:
        """A slot is idle. Returns what it did, None where it is idle for the first time."""
        self._note_headers(slot, state.headers)
        self.idle[slot] = state
        ended = self.busy.pop(slot, None)
        if ended is not None:
            self._count(ended, -1)
        return ended

    def occupy(self, slot: int, busy: Busy[J]) -> None:
        """An idle slot begins to work; if its process does not hold the header it imports that first."""
        state = self.idle.pop(slot)
        if busy.importing:
            self._note_headers(slot, (*state.headers, busy.header) if state.room else (busy.header,))
        self.busy[slot] = busy
        self._count(busy, 1)

    def imported(self, slot: int, now: float) -> bool:
        """A busy slot has imported its header. Returns whether that was waited for."""
        busy = self.busy.get(slot)
        if busy is None or not busy.importing:
            return False
        self.importing -= 1
        self.busy[slot] = busy._replace(importing=False, since=now)
        return True

    def _count(self, busy: Busy[J], number: int) -> None:
        self.running += number * (busy.job is not None)
        self.running_long += number * busy.is_long
        self.importing += number * busy.importing

    def _note_headers(self, slot: int, headers: tuple[str, ...]) -> None:
        """Update the index of the slots that hold each header."""
        before = self._held.get(slot, ())
        if before == headers:
            return
        for header in before:
            holders = self._holders[header]
            holders.discard(slot)
            if not holders:
                del self._holders[header]
        for header in headers:
            self._holders.setdefault(header, set()).add(slot)
        self._held[slot] = headers

    # --- what the rules ask -------------------------------------------------------------------------------------

    def holders(self, header: str) -> int:
        """Count the slots that hold or import a header."""
        return len(self._holders.get(header, ()))

    def is_imported_now(self, header: str) -> bool:
        """Tell whether a slot imports this header."""
        return any(
            slot in self.busy and self.busy[slot].importing and self.busy[slot].header == header
            for slot in self._holders.get(header, ())
        )

    def last_used(self, header: str) -> int | None:
        """Find the idle slot with this header that was used last."""
        return next((slot for slot, state in reversed(self.idle.items()) if header in state.headers), None)

    def paid(self, header: str, quantum: float) -> list[int]:
        """List the idle slots whose work since their import is `quantum` times the imports there and back."""
        # A slot without a process has nothing to pay for.
        there = self._stats.import_seconds(header)
        return [
            slot
            for slot, state in self.idle.items()
            if not state.headers or state.useful_seconds >= quantum * (there + state.import_seconds)
        ]

    def cheapest(self, slots: Iterable[int], now: float) -> int | None:
        """Find the slot that loses least by one more import; of equal slots the one that was used longest ago."""
        best: tuple[float, int] | None = None
        cheapest = None
        for slot in slots:
            state = self.idle[slot]
            # The loss of a header is its worth, shared between the slots that hold it.
            loss = (
                0.0
                if state.room
                else sum(self._stats.worth(header, now) / self.holders(header) for header in state.headers)
            )
            if best is None or (loss, len(state.headers)) < best:
                best, cheapest = (loss, len(state.headers)), slot
        return cheapest

    def of_job(self, job: J) -> int | None:
        """Find the slot that runs a job, or imports for it."""
        return next((slot for slot, busy in self.busy.items() if busy.job is job), None)

    def reimport_seconds(self, slot: int) -> float:
        """Estimate the imports that it takes to have the headers of a slot's process in another one."""
        return sum(self._stats.import_seconds(header) for header in self._held.get(slot, ()))
