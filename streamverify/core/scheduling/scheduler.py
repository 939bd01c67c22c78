"""Decides which proof runs in which slot. Pure: no I/O and no clock; `now` is passed in, in monotonic seconds.

docs/scheduling.md has the rules and the reasons for them; `Scheduler._next` carries them out in their order. A slot has
room for one REPL process. There may be more slots than may run at once: the *spares*, whose processes wait with their
headers imported.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from streamverify.core.scheduling.header_stats import HeaderStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.core.syntax.header import Header

PATIENCE = 30.0
"""Default of the setting, in seconds."""
QUANTUM = 10.0
"""Default of the setting, as a multiple of two imports."""

MIN_ASKED = 2.0
"""Proofs of the last ten minutes from which on a header is imported ahead of demand."""

WARM_UP_INTERVAL = 1.0
"""Seconds between two searches for a header to import ahead of demand: each looks at all known headers."""


class Rules(NamedTuple):
    """The numbers in the rules, from the settings and the plan of slots."""

    slots: int = 1
    """The number of jobs that may run at once."""
    spares: int = 0
    """The number of slots beyond those."""
    imports: int | None = None
    """The number of imports that may run at once; None: no limit."""
    patience: float = PATIENCE
    """Seconds after which a waiting header goes before headers that are loaded (rule 1)."""
    quantum: float = QUANTUM
    """The useful work, as a multiple of two imports, after which a process may leave its header (rule 1)."""


class HasHeader(Protocol):
    """The only part of a job that the scheduler knows."""

    @property
    def header(self) -> Header:
        """The imports of the proof."""
        ...


J = TypeVar("J", bound=HasHeader)


class Start(NamedTuple, Generic[J]):
    """Run `job` in the slot of this number now."""

    slot: int
    job: J


class Warm(NamedTuple):
    """Import `header` ahead of demand in the slot of this number, which has no process."""

    slot: int
    header: Header


class SlotState(NamedTuple):
    """The process of a free slot: fingerprints of its headers, seconds of its last import and of the work since."""

    headers: tuple[str, ...] = ()
    import_seconds: float = 0.0
    useful_seconds: float = 0.0
    room: bool = True
    """True if the process may import another header and keep those that it has."""


NO_PROCESS = SlotState()


class _Entry(NamedTuple, Generic[J]):
    """A waiting job: its number in the order of arrival, and the time when it came."""

    number: int
    came: float
    job: J


class _Waiting(Generic[J]):
    """The waiting jobs of one header, the oldest first, and the time since which none of them was started."""

    __slots__ = ("jobs", "unserved_since")

    def __init__(self, now: float) -> None:
        self.jobs: deque[_Entry[J]] = deque()
        self.unserved_since = now


class _Busy(NamedTuple):
    """The work of a slot: its header, and since when. `importing` until that is done; `warming` if there is no job."""

    header: str
    since: float
    importing: bool
    warming: bool = False


class Scheduler(Generic[J]):
    """The queue of a pool and its slots.

    idle ── Start, header loaded ──> busy ── slot_freed ──> idle
    idle ── Start or Warm, header not loaded ──> importing ── imported ──> busy
                                                 importing ── slot_freed: failed, or warmed ──> idle
    """

    def __init__(self, rules: Rules, stats: HeaderStats | None = None) -> None:
        """Start without slots.

        Args:
            rules: The numbers in the rules. The caller numbers the slots.
            stats: Demand and cost of the headers, as far as they are known already.
        """
        self.stats = HeaderStats() if stats is None else stats
        self._slots = rules.slots
        self._max_holders = rules.slots + min(rules.spares, 1)
        self._imports = rules.slots + rules.spares if rules.imports is None else rules.imports
        self._patience = rules.patience
        self._quantum = rules.quantum
        # In order: the header that was served longest ago first, and the idle slot that was used longest ago first.
        self._waiting: OrderedDict[str, _Waiting[J]] = OrderedDict()
        self._idle: OrderedDict[int, SlotState] = OrderedDict()
        self._busy: dict[int, _Busy] = {}
        self._alone: J | None = None
        # The slots that hold or import each header, and the headers of each slot.
        self._holders: dict[str, set[int]] = {}
        self._held: dict[int, tuple[str, ...]] = {}
        self._submitted = 0
        self._queued = 0
        self._importing = 0
        self._warming = 0
        self._look_again = -math.inf
        self._paused = False
        self._draining = False

    # --- events: each returns the actions to carry out --------------------------------------------------------------

    def submit(self, job: J, now: float, *, alone: bool = False) -> list[Start[J] | Warm]:
        """Queue a job.

        Args:
            job: The job to run.
            now: Monotonic seconds.
            alone: Start the job although the scheduler is paused, once no slot is busy. The caller has paused the
                scheduler, has waited until nothing runs, and resumes when the job has ended: so there is only one.
        """
        header = job.header
        self.stats.asked(header, now)
        self._queued += 1
        if alone:
            self._alone = job
        else:
            waiting = self._waiting.get(header.fingerprint)
            if waiting is None:
                waiting = self._waiting[header.fingerprint] = _Waiting(now)
            self._submitted += 1
            waiting.jobs.append(_Entry(self._submitted, now, job))
        return self._decide(now) if self._idle else []

    def slot_freed(self, slot: int, state: SlotState, now: float) -> list[Start[J] | Warm]:
        """Note that a slot is idle: for the first time, or because its job or its import ahead of demand has ended."""
        busy = self._busy.pop(slot, None)
        if busy is not None:
            self._warming -= busy.warming
            if busy.importing:
                self._importing -= 1
                if busy.header not in state.headers:
                    self.stats.failed(busy.header)
            elif not busy.warming:
                self.stats.ran(busy.header, now - busy.since)
        if not state.headers:
            self._look_again = now
        self._note_headers(slot, state.headers)
        self._idle[slot] = state
        return self._decide(now)

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Start[J] | Warm]:
        """Note that a busy slot has imported its header and goes on with its job."""
        self.stats.imported(header, seconds, now)
        busy = self._busy.get(slot)
        if busy is None or not busy.importing:
            return []
        self._importing -= 1
        self._busy[slot] = busy._replace(importing=False, since=now)
        return self._decide(now)

    def due(self, now: float) -> tuple[list[Start[J] | Warm], float | None]:
        """Start what may start only because time has passed.

        Returns:
            The actions, and the time at which to ask again if no event comes before; None if there is no such time.
        """
        actions = self._decide(now)
        if not self.timed or self._importing >= self._imports:
            return actions, None
        times = [time for header, waiting in self._waiting.items() for time in self._crowded_at(header, waiting)]
        return actions, min((time for time in times if time > now), default=None)

    def discard(self, doomed: Callable[[J], bool]) -> list[J]:
        """Drop the waiting jobs for which `doomed` is true.

        Returns:
            The dropped jobs.
        """
        dropped: list[J] = []
        if self._alone is not None and doomed(self._alone):
            dropped.append(self._alone)
            self._alone = None
        for header, waiting in list(self._waiting.items()):
            kept: deque[_Entry[J]] = deque()
            for entry in waiting.jobs:
                if doomed(entry.job):
                    dropped.append(entry.job)
                else:
                    kept.append(entry)
            waiting.jobs = kept
            if not kept:
                del self._waiting[header]
        self._queued -= len(dropped)
        return dropped

    def pause(self) -> None:
        """Start nothing but a job that was submitted as `alone`; the queue stays as it is."""
        self._paused = True

    def resume(self, now: float) -> list[Start[J] | Warm]:
        """Start the waiting jobs again."""
        self._paused = False
        return self._decide(now)

    def drain(self) -> None:
        """Start nothing any more; the queue stays as it is."""
        self._draining = True

    # --- what others see ----------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """The number of waiting jobs."""
        return self._queued

    @property
    def running(self) -> int:
        """The number of jobs that were started and have not ended."""
        return len(self._busy) - self._warming

    @property
    def timed(self) -> bool:
        """True if passing time alone may start something: a job waits, and a slot could take it."""
        return bool(self._waiting) and self._has_turn() and not self._paused

    # --- the decision -------------------------------------------------------------------------------------------

    def _decide(self, now: float) -> list[Start[J] | Warm]:
        """Fill the idle slots: with jobs as long as a rule starts one, then with imports ahead of demand."""
        actions: list[Start[J] | Warm] = []
        while start := self._next(now):
            actions.append(start)
        if self._idle and now >= self._look_again:
            actions += self._warm_up(now)
        return actions

    def _next(self, now: float) -> Start[J] | None:  # noqa: C901, PLR0911, PLR0912 - all rules in one place, in order
        """Start the next job, by the first rule of docs/scheduling.md that applies; None if none does."""
        if not self._has_turn():
            return None

        # A job that runs alone: all else is paused. Only an import ahead of demand may be under way: wait for it.
        if self._alone is not None:
            if self._busy:
                return None
            job, self._alone = self._alone, None
            slot = self._last_used(job.header.fingerprint)
            return self._start(self._cheapest(self._idle, now) if slot is None else slot, job, now)
        if self._paused or not self._waiting:
            return None
        may_import = self._importing < self._imports

        # Rule 1: the header longest unserved, after `patience`. A process leaves another header for it only when its
        # work has paid for the imports there and back.
        for header, waiting in self._waiting.items():
            if now < waiting.unserved_since + self._patience:
                break
            if self._is_imported_now(header):
                continue
            slot = self._last_used(header)
            if slot is None and may_import:
                slot = self._cheapest(self._paid(header), now)
            if slot is not None:
                return self._take(header, slot, now)
            # This header is the first in line: those behind it do not overtake it by this rule.
            break

        # Rule 2: the oldest job of a header that an idle slot holds. Of several such slots the one used last, whose
        # process is still in the CPU's caches: so spares stay spare.
        oldest: tuple[int, str, int] | None = None
        for slot in reversed(self._idle):
            for header in self._idle[slot].headers:
                warm = self._waiting.get(header)
                if warm is not None and (oldest is None or warm.jobs[0].number < oldest[0]):
                    oldest = warm.jobs[0].number, header, slot
        if oldest is not None:
            return self._take(oldest[1], oldest[2], now)

        # The other rules import. Rule 3: the oldest job whose header no slot holds or imports. Rule 4: the oldest job
        # whose header only busy slots hold, where these are too few for it.
        if may_import:
            headers = [header for header in self._waiting if header not in self._holders] or [
                header for header, waiting in self._waiting.items() if self._is_crowded(header, waiting, now)
            ]
            if headers:
                header = min(headers, key=lambda each: self._waiting[each].jobs[0].number)
                return self._take(header, self._cheapest(self._idle, now), now)

        # Rule 5: no job; the slot idles.
        return None

    def _has_turn(self) -> bool:
        """Tell whether one more job may run, and a slot is free for it."""
        return bool(self._idle) and not self._draining and self.running < self._slots

    def _take(self, header: str, slot: int | None, now: float) -> Start[J]:
        """Start the oldest job of a header; the header goes to the end of those that wait to be served."""
        waiting = self._waiting[header]
        job = waiting.jobs.popleft().job
        if waiting.jobs:
            waiting.unserved_since = now
            self._waiting.move_to_end(header)
        else:
            del self._waiting[header]
        return self._start(slot, job, now)

    def _start(self, slot: int | None, job: J, now: float) -> Start[J]:
        assert slot is not None  # noqa: S101 - there are idle slots
        self._queued -= 1
        header, state = job.header.fingerprint, self._idle.pop(slot)
        cold = header not in state.headers
        if cold:
            self._importing += 1
            self._note_headers(slot, (*state.headers, header) if state.room else (header,))
        self._busy[slot] = _Busy(header, now, importing=cold)
        return Start(slot, job)

    def _warm_up(self, now: float) -> list[Start[J] | Warm]:
        """Import headers ahead of demand in idle slots without a process.

        At most as many imports as slots may run, or one beside slots that run already: see `_worth_warming`.
        """
        actions: list[Start[J] | Warm] = []
        self._look_again = now + WARM_UP_INTERVAL
        if self._draining or self._paused:
            return actions
        for slot in [slot for slot, state in self._idle.items() if not state.headers]:
            header = self._worth_warming(now)
            if header is None:
                break
            del self._idle[slot]
            self._note_headers(slot, (header.fingerprint,))
            self._busy[slot] = _Busy(header.fingerprint, now, importing=True, warming=True)
            self._importing += 1
            self._warming += 1
            actions.append(Warm(slot, header))
        return actions

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

    # --- measures that the rules compare ------------------------------------------------------------------------

    def _is_crowded(self, header: str, waiting: _Waiting[J], now: float) -> bool:
        """Tell whether a header that only busy slots hold is worth one more slot (rule 4)."""
        if any(now >= time for time in self._crowded_at(header, waiting)):
            return True
        # The waiting work must be more than an import for the slots that hold the header.
        holders, jobs = len(self._holders[header]), len(waiting.jobs)
        work = jobs * self.stats.run_seconds(header)
        return 2 * jobs > holders and work > holders * self.stats.import_seconds(header)

    def _crowded_at(self, header: str, waiting: _Waiting[J]) -> list[float]:
        """List the times from which on rule 4 gives a header a slot, however little work waits."""
        holders = len(self._holders.get(header, ()))
        times = []
        if 2 * len(waiting.jobs) > holders:
            times.append(waiting.jobs[0].came + self.stats.import_seconds(header))
        if not self._is_imported_now(header):
            times.append(waiting.unserved_since + self._patience)
        return times

    def _is_imported_now(self, header: str) -> bool:
        return any(
            slot in self._busy and self._busy[slot].importing and self._busy[slot].header == header
            for slot in self._holders.get(header, ())
        )

    def _paid(self, header: str) -> list[int]:
        """List the idle slots whose work since their import outweighs the imports there and back."""
        there = self.stats.import_seconds(header)
        return [
            slot
            for slot, state in self._idle.items()
            if not state.headers or state.useful_seconds >= self._quantum * (there + state.import_seconds)
        ]

    def _last_used(self, header: str) -> int | None:
        """Find the idle slot with this header that was used last."""
        return next((slot for slot, state in reversed(self._idle.items()) if header in state.headers), None)

    def _cheapest(self, slots: Iterable[int], now: float) -> int | None:
        """Find the slot that loses least by one more import; of equal slots the one that was used longest ago."""
        best: tuple[float, int] | None = None
        cheapest = None
        for slot in slots:
            state = self._idle[slot]
            loss = 0.0 if state.room else sum(self._loss(header, now) for header in state.headers)
            if best is None or (loss, len(state.headers)) < best:
                best, cheapest = (loss, len(state.headers)), slot
        return cheapest

    def _loss(self, header: str, now: float) -> float:
        """Estimate the cost of one process less that holds a header."""
        return self.stats.worth(header, now) / len(self._holders[header])

    def _worth_warming(self, now: float) -> Header | None:
        """Choose the header for which one more process is worth most; None if none is, or no import may start."""
        if self._importing >= self._imports or (self._warming and len(self._busy) >= self._slots):
            return None
        best, most = None, 0.0
        for header, asked, seconds in self.stats.importable(now):
            holders = len(self._holders.get(header.fingerprint, ()))
            gain = asked * seconds / (holders + 1)
            if asked >= MIN_ASKED and holders < self._max_holders and gain > most:
                best, most = header, gain
        return best
