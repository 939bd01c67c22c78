"""Which proof runs in which slot. Pure: no I/O and no clock; `now` is passed in, in monotonic seconds.

The rules stand in docs/scheduling.md; `Scheduler._next` carries them out in their order. A slot has room for one REPL
process. There may be more slots than run at once: *spares*, whose processes wait warm.
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
QUANTUM = 10.0

WORTH_WARMING = 2.0
"""Proofs in about ten minutes that make a header worth an import before it is asked for again."""

LOOK_AGAIN = 1.0
"""Seconds until headers are looked through again for one that is worth warming."""


class Rules(NamedTuple):
    """The figures of the rules."""

    slots: int = 1
    """How many may run at once."""
    spares: int = 0
    """Slots beyond those."""
    imports: int | None = None
    """How many imports may run at once; None: all."""
    patience: float = PATIENCE
    """Seconds."""
    quantum: float = QUANTUM
    """Times two imports."""


class HasHeader(Protocol):
    """All that is known of a job here."""

    @property
    def header(self) -> Header:
        """Its imports."""
        ...


J = TypeVar("J", bound=HasHeader)


class Start(NamedTuple, Generic[J]):
    """Run `job` in the slot of this number now."""

    slot: int
    job: J


class Warm(NamedTuple):
    """Import `header` in the slot of this number, which has no process; no job waits for it."""

    slot: int
    header: Header


class SlotState(NamedTuple):
    """What a free slot's process has: fingerprints of headers, seconds of the last import and of work since then."""

    headers: tuple[str, ...] = ()
    import_seconds: float = 0.0
    useful_seconds: float = 0.0
    room: bool = True
    """Whether it may import another header and keep those that it has."""


NO_PROCESS = SlotState()


class _Entry(NamedTuple, Generic[J]):
    """A job that waits: its place in the order of arrival, and when it came."""

    number: int
    came: float
    job: J


class _Waiting(Generic[J]):
    """The jobs of one header, the oldest first; and since when none of them was started."""

    __slots__ = ("jobs", "unserved_since")

    def __init__(self, now: float) -> None:
        self.jobs: deque[_Entry[J]] = deque()
        self.unserved_since = now


class _Busy(NamedTuple):
    """A slot's work: a header, and since when; `importing` until that is done; `warming` where there is no job."""

    header: str
    since: float
    importing: bool
    warming: bool = False


class Scheduler(Generic[J]):
    """The queue of a pool, and its slots. A slot is idle from `slot_freed` until an action names it."""

    def __init__(self, rules: Rules, stats: HeaderStats | None = None) -> None:
        """Start without slots.

        Args:
            rules: The figures of the rules; the slots' numbers are the caller's.
            stats: The headers' demand and costs as far as they are known already.
        """
        self.stats = HeaderStats() if stats is None else stats
        self._slots = rules.slots
        self._max_holders = rules.slots + min(rules.spares, 1)
        self._imports = rules.slots + rules.spares if rules.imports is None else rules.imports
        self._patience = rules.patience
        self._quantum = rules.quantum
        # The header longest unserved comes first, and of the idle slots the one that was used longest ago.
        self._waiting: OrderedDict[str, _Waiting[J]] = OrderedDict()
        self._idle: OrderedDict[int, SlotState] = OrderedDict()
        self._busy: dict[int, _Busy] = {}
        self._alone: J | None = None
        # Slots by header, those that import it included; and the reverse.
        self._holders: dict[str, set[int]] = {}
        self._held: dict[int, tuple[str, ...]] = {}
        self._submitted = 0
        self._queued = 0
        self._importing = 0
        self._warming = 0
        self._look_again = -math.inf
        self._paused = False
        self._draining = False

    # --- events: each returns what is to be done ----------------------------------------------------------------

    def submit(self, job: J, now: float, *, alone: bool = False) -> list[Start[J] | Warm]:
        """A job came.

        Args:
            job: What is to be run.
            now: Monotonic seconds.
            alone: It starts although the scheduler is paused, once no slot is busy. Who asks for that has paused the
                scheduler, has waited until nothing runs, and resumes when the job has ended: so it is the only one.
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
        """A slot is idle: for the first time, or because its job has ended or it is warm."""
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
        """A busy slot has imported its header, and goes on with its job."""
        self.stats.imported(header, seconds, now)
        busy = self._busy.get(slot)
        if busy is None or not busy.importing:
            return []
        self._importing -= 1
        self._busy[slot] = busy._replace(importing=False, since=now)
        return self._decide(now)

    def due(self, now: float) -> tuple[list[Start[J] | Warm], float | None]:
        """What time alone made eligible, and when to ask again unless something else happens before."""
        actions = self._decide(now)
        if not self.timed or self._importing >= self._imports:
            return actions, None
        times = [time for header, waiting in self._waiting.items() for time in self._crowded_at(header, waiting)]
        return actions, min((time for time in times if time > now), default=None)

    def discard(self, doomed: Callable[[J], bool]) -> list[J]:
        """Drop the waiting jobs that `doomed` names, and return them."""
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
        """Start nothing but a job that runs alone; the queue stays as it is."""
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
        """Jobs that wait."""
        return self._queued

    @property
    def running(self) -> int:
        """Jobs that were started and have not ended."""
        return len(self._busy) - self._warming

    @property
    def timed(self) -> bool:
        """Whether time alone may make something eligible: something waits, and a slot could take it."""
        return bool(self._waiting) and self._has_turn() and not self._paused

    # --- the decision -------------------------------------------------------------------------------------------

    def _decide(self, now: float) -> list[Start[J] | Warm]:
        """Fill the idle slots: with jobs as long as a rule gives one, then with headers that are worth warming."""
        actions: list[Start[J] | Warm] = []
        while start := self._next(now):
            actions.append(start)
        if self._idle and now >= self._look_again:
            actions += self._warm_up(now)
        return actions

    def _next(self, now: float) -> Start[J] | None:  # noqa: C901, PLR0911, PLR0912 - all rules in one place, in order
        """Take the next job that starts, and its slot: the first rule of docs/scheduling.md that applies."""
        if not self._has_turn():
            return None

        # A job that runs alone: all else is paused. Only a warm-up may be under way, and it is waited for.
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

        # Rule 5: none; the slot idles.
        return None

    def _has_turn(self) -> bool:
        """Whether one more job may run, and a slot is there for it."""
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
        """Imports in idle slots without a process: as many as slots may run, or one beside those."""
        actions: list[Start[J] | Warm] = []
        self._look_again = now + LOOK_AGAIN
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
        """Keep the index of slots by header true."""
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

    # --- measures: what the rules compare -----------------------------------------------------------------------

    def _is_crowded(self, header: str, waiting: _Waiting[J], now: float) -> bool:
        """Whether a header that only busy slots hold is worth one slot more."""
        if any(now >= time for time in self._crowded_at(header, waiting)):
            return True
        holders, jobs = len(self._holders[header]), len(waiting.jobs)
        work = jobs * self.stats.run_seconds(header)
        return 2 * jobs > holders and work > holders * self.stats.import_seconds(header)

    def _crowded_at(self, header: str, waiting: _Waiting[J]) -> list[float]:
        """When rule 4 gives a header a slot however little work waits; none where that depends on other events."""
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
        """The idle slots whose work has paid for leaving their headers for this one, and for coming back."""
        there = self.stats.import_seconds(header)
        return [
            slot
            for slot, state in self._idle.items()
            if not state.headers or state.useful_seconds >= self._quantum * (there + state.import_seconds)
        ]

    def _last_used(self, header: str) -> int | None:
        """Of the idle slots that hold a header, the one used last."""
        return next((slot for slot, state in reversed(self._idle.items()) if header in state.headers), None)

    def _cheapest(self, slots: Iterable[int], now: float) -> int | None:
        """The slot in which importing one more header loses least; of equal ones that used longest ago."""
        best: tuple[float, int] | None = None
        cheapest = None
        for slot in slots:
            state = self._idle[slot]
            loss = 0.0 if state.room else sum(self._loss(header, now) for header in state.headers)
            if best is None or (loss, len(state.headers)) < best:
                best, cheapest = (loss, len(state.headers)), slot
        return cheapest

    def _loss(self, header: str, now: float) -> float:
        """What it costs that one process less holds a header."""
        return self.stats.worth(header, now) / len(self._holders[header])

    def _worth_warming(self, now: float) -> Header | None:
        """The header for which one more process is worth most, if it is worth one at all and an import may start."""
        if self._importing >= self._imports or (self._warming and len(self._busy) >= self._slots):
            return None
        best, most = None, 0.0
        for header, asked, seconds in self.stats.importable(now):
            holders = len(self._holders.get(header.fingerprint, ()))
            gain = asked * seconds / (holders + 1)
            if asked >= WORTH_WARMING and holders < self._max_holders and gain > most:
                best, most = header, gain
        return best
