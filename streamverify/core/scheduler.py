"""Which proof runs in which slot. Pure: no I/O and no clock; `now` is passed in, in monotonic seconds.

A slot has room for one REPL process. There may be more slots than run at once: *spares*, whose processes wait warm.
All jobs wait in one place, by header. Where fewer slots run than may, and one is idle, the first rule that applies:

1. The header longest unserved, if none of its jobs was started for `patience` seconds: in an idle slot that holds it,
   else in one whose process has done useful work of `quantum` times the two imports that leaving it costs, there and
   back, since its last import.
2. The oldest job of a header that an idle slot holds.
3. The oldest job whose header no slot holds or imports.
4. The oldest job whose header only busy slots hold, if more than half as many jobs of it wait as slots hold it, and
   either that work would keep those slots longer than an import takes, or the job has waited that long already; or
   if none of that header's jobs was started for `patience` seconds.
5. None.

A cold job takes the idle slot that loses least: one whose process has room for another header loses nothing, any other
(proofs in the last ten minutes x import seconds / slots that hold it), summed over the headers that it holds. At most
`imports` imports run at once. An idle slot without a process is warmed with the header for which that is worth most.

A job that is to run *alone* waits until no other runs, and nothing is started meanwhile.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from streamverify.core.heat import Heat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamverify.core.header import Header

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


class Holding(NamedTuple):
    """What a free slot's process has: fingerprints of headers, seconds of the last import and of work since then."""

    headers: tuple[str, ...] = ()
    import_seconds: float = 0.0
    useful_seconds: float = 0.0
    room: bool = True
    """Whether it may import another header and keep those that it has."""


NOTHING = Holding()


class _Waiting(Generic[J]):
    """The jobs of one header, each with its number and when it came; and since when none of them was started."""

    __slots__ = ("jobs", "unserved_since")

    def __init__(self, now: float) -> None:
        self.jobs: deque[tuple[int, float, J]] = deque()
        self.unserved_since = now


class _Busy(NamedTuple):
    """What a slot is at: a header, and since when; `importing` until that is done; `warming` where there is no job."""

    header: str
    since: float
    importing: bool
    warming: bool = False


class Scheduler(Generic[J]):
    """The queue of a pool, and its slots. A slot is idle from `slot_freed` until an action names it."""

    def __init__(self, rules: Rules, heat: Heat | None = None) -> None:
        """See the module. The slots' numbers are the caller's; `heat` is what is known of headers already."""
        self.heat = Heat() if heat is None else heat
        self._slots = rules.slots
        self._most_holders = rules.slots + min(rules.spares, 1)
        self._imports = rules.slots + rules.spares if rules.imports is None else rules.imports
        self._patience = rules.patience
        self._quantum = rules.quantum
        # The header longest unserved comes first, the slot longest idle too.
        self._waiting: OrderedDict[str, _Waiting[J]] = OrderedDict()
        self._idle: OrderedDict[int, Holding] = OrderedDict()
        self._busy: dict[int, _Busy] = {}
        self._alone: deque[J] = deque()
        # Slots by header, those that import it included; and the reverse.
        self._holders: dict[str, set[int]] = {}
        self._holds: dict[int, tuple[str, ...]] = {}
        self._submitted = 0
        self._queued = 0
        self._importing = 0
        self._warming = 0
        self._look_again = -math.inf
        self._alone_slot: int | None = None
        self._stopped = False
        self._held = False

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return self._queued

    @property
    def running(self) -> int:
        """Jobs that were started and have not ended."""
        return len(self._busy) - self._warming

    def submit(self, job: J, now: float, *, alone: bool = False) -> list[Start[J] | Warm]:
        """A job came. `alone`: it runs when no other does, also while the scheduler is held."""
        header = job.header
        self.heat.asked(header, now)
        self._queued += 1
        if alone:
            self._alone.append(job)
        else:
            waiting = self._waiting.get(header.fingerprint)
            if waiting is None:
                waiting = self._waiting[header.fingerprint] = _Waiting(now)
            self._submitted += 1
            waiting.jobs.append((self._submitted, now, job))
        return self._decide(now) if self._idle else []

    def slot_freed(self, slot: int, holding: Holding, now: float) -> list[Start[J] | Warm]:
        """A slot is idle: for the first time, or because its job has ended or it is warm."""
        busy = self._busy.pop(slot, None)
        if busy is not None:
            self._ended(busy, holding, now)
            if slot == self._alone_slot:
                self._alone_slot = None
        if not holding.headers:
            self._look_again = now
        self._hold(slot, holding.headers)
        self._idle[slot] = holding
        return self._decide(now)

    def imported(self, slot: int, header: Header, seconds: float, now: float) -> list[Start[J] | Warm]:
        """A busy slot has imported its header, and goes on with its job."""
        self.heat.imported(header, seconds, now)
        busy = self._busy.get(slot)
        if busy is None or not busy.importing:
            return []
        self._importing -= 1
        self._busy[slot] = busy._replace(importing=False, since=now)
        return self._decide(now)

    def due(self, now: float) -> tuple[list[Start[J] | Warm], float | None]:
        """What time alone made eligible, and when to ask again unless something else happens before."""
        actions = self._decide(now)
        if not self._waiting or not self._may_start() or self._importing >= self._imports:
            return actions, None
        times = [time for header, waiting in self._waiting.items() for time in self._times(header, waiting)]
        return actions, min((time for time in times if time > now), default=None)

    @property
    def timed(self) -> bool:
        """Whether time alone may make something eligible: something waits, and a slot could take it."""
        return bool(self._waiting) and self._may_start()

    def discard(self, doomed: Callable[[J], bool]) -> list[J]:
        """Drop the waiting jobs that `doomed` names, and return them."""
        dropped = [job for job in self._alone if doomed(job)]
        self._alone = deque(job for job in self._alone if not doomed(job))
        for header, waiting in list(self._waiting.items()):
            kept: deque[tuple[int, float, J]] = deque()
            for entry in waiting.jobs:
                if doomed(entry[2]):
                    dropped.append(entry[2])
                else:
                    kept.append(entry)
            waiting.jobs = kept
            if not kept:
                del self._waiting[header]
        self._queued -= len(dropped)
        return dropped

    def hold(self) -> None:
        """Start nothing but jobs that run alone; what waits stays."""
        self._held = True

    def release(self, now: float) -> list[Start[J] | Warm]:
        """Start again what waits."""
        self._held = False
        return self._decide(now)

    def stop(self) -> None:
        """Start nothing more; what waits stays."""
        self._stopped = True

    def _ended(self, busy: _Busy, holding: Holding, now: float) -> None:
        if busy.importing:
            self._importing -= 1
            if busy.header not in holding.headers:
                self.heat.failed(busy.header)
        elif not busy.warming:
            self.heat.ran(busy.header, now - busy.since)
        self._warming -= busy.warming

    def _decide(self, now: float) -> list[Start[J] | Warm]:
        actions: list[Start[J] | Warm] = []
        while self._may_start() and (start := self._next_alone(now) if self._alone else self._next(now)):
            actions.append(start)
        if self._idle and now >= self._look_again:
            actions += self._warm_up(now)
        return actions

    def _may_start(self) -> bool:
        """Whether a slot may be filled at all."""
        if self._stopped or not self._idle or len(self._busy) - self._warming >= self._slots:
            return False
        if self._alone:
            return not self._busy
        return bool(self._waiting) and not self._held and self._alone_slot is None

    def _next_alone(self, now: float) -> Start[J] | None:
        job = self._alone.popleft()
        header = job.header.fingerprint
        slot = self._warm_slot(header)
        if slot is None:
            slot = self._least_loss(now, self._idle)
        if slot is None:
            raise AssertionError
        self._alone_slot = slot
        return self._start(slot, header, job, now)

    def _next(self, now: float) -> Start[J] | None:
        found = self._unserved(now) or self._warm() or self._cold(now)
        if found is None:
            return None
        header, slot = found
        waiting = self._waiting[header]
        job = waiting.jobs.popleft()[2]
        if waiting.jobs:
            waiting.unserved_since = now
            self._waiting.move_to_end(header)
        else:
            del self._waiting[header]
        return self._start(slot, header, job, now)

    def _start(self, slot: int, header: str, job: J, now: float) -> Start[J]:
        self._queued -= 1
        holding = self._idle.pop(slot)
        cold = header not in holding.headers
        if cold:
            self._importing += 1
            self._hold(slot, (*holding.headers, header) if holding.room else (header,))
        self._busy[slot] = _Busy(header, now, importing=cold)
        return Start(slot, job)

    def _unserved(self, now: float) -> tuple[str, int] | None:
        """Rule 1."""
        for header, waiting in self._waiting.items():
            if now < waiting.unserved_since + self._patience:
                return None
            if self._is_imported_now(header):
                continue
            slot = self._warm_slot(header)
            if slot is None and self._importing < self._imports:
                there = self.heat.import_seconds(header)
                paid = (number for number, holding in self._idle.items() if self._has_paid(holding, there))
                slot = self._least_loss(now, paid)
            return None if slot is None else (header, slot)
        return None

    def _warm(self) -> tuple[str, int] | None:
        """Rule 2."""
        best: tuple[int, str, int] | None = None
        for slot, holding in self._idle.items():
            for header in holding.headers:
                waiting = self._waiting.get(header)
                if waiting is not None and (best is None or waiting.jobs[0][0] < best[0]):
                    best = (waiting.jobs[0][0], header, slot)
        return None if best is None else best[1:]

    def _cold(self, now: float) -> tuple[str, int] | None:
        """Rules 3 and 4, where no idle slot holds anything that waits."""
        if self._importing >= self._imports:
            return None
        best: tuple[bool, int, str] | None = None
        for header, waiting in self._waiting.items():
            held = header in self._holders
            rank = (held, waiting.jobs[0][0], header)
            if (best is None or rank < best) and (not held or self._is_crowded(header, waiting, now)):
                best = rank
        slot = None if best is None else self._least_loss(now, self._idle)
        return None if best is None or slot is None else (best[2], slot)

    def _is_crowded(self, header: str, waiting: _Waiting[J], now: float) -> bool:
        """Whether a header that only busy slots hold is worth one slot more."""
        if any(now >= time for time in self._times(header, waiting)):
            return True
        holders, jobs = len(self._holders[header]), len(waiting.jobs)
        work = jobs * self.heat.run_seconds(header)
        return 2 * jobs > holders and work > holders * self.heat.import_seconds(header)

    def _times(self, header: str, waiting: _Waiting[J]) -> list[float]:
        """When rule 4 gives a header a slot whatever work waits; none where that depends on other events."""
        holders = len(self._holders.get(header, ()))
        times = []
        if 2 * len(waiting.jobs) > holders:
            times.append(waiting.jobs[0][1] + self.heat.import_seconds(header))
        if not self._is_imported_now(header):
            times.append(waiting.unserved_since + self._patience)
        return times

    def _is_imported_now(self, header: str) -> bool:
        return any(
            slot in self._busy and self._busy[slot].importing and self._busy[slot].header == header
            for slot in self._holders.get(header, ())
        )

    def _has_paid(self, holding: Holding, there: float) -> bool:
        back = holding.import_seconds
        return not holding.headers or holding.useful_seconds >= self._quantum * (there + back)

    def _warm_slot(self, header: str) -> int | None:
        """An idle slot that holds it."""
        return next((slot for slot in self._holders.get(header, ()) if slot in self._idle), None)

    def _least_loss(self, now: float, slots: Iterable[int]) -> int | None:
        """The slot that a cold job takes."""
        best: tuple[float, int] | None = None
        chosen = None
        for slot in slots:
            holding = self._idle[slot]
            loss = 0.0 if holding.room else sum(self._loss(header, now) for header in holding.headers)
            if best is None or (loss, len(holding.headers)) < best:
                best, chosen = (loss, len(holding.headers)), slot
        return chosen

    def _loss(self, header: str, now: float) -> float:
        return self.heat.worth(header, now) / len(self._holders[header])

    def _hold(self, slot: int, headers: tuple[str, ...]) -> None:
        before = self._holds.get(slot, ())
        if before == headers:
            return
        for header in before:
            holders = self._holders[header]
            holders.discard(slot)
            if not holders:
                del self._holders[header]
        for header in headers:
            self._holders.setdefault(header, set()).add(slot)
        self._holds[slot] = headers

    def _warm_up(self, now: float) -> list[Start[J] | Warm]:
        """Imports in idle slots without a process: as many as slots may run, or one beside those."""
        actions: list[Start[J] | Warm] = []
        self._look_again = now + LOOK_AGAIN
        if self._stopped or self._held or self._alone or self._alone_slot is not None:
            return actions
        for slot in [slot for slot, holding in self._idle.items() if not holding.headers]:
            header = self._worth_warming(now)
            if header is None:
                break
            del self._idle[slot]
            self._hold(slot, (header.fingerprint,))
            self._busy[slot] = _Busy(header.fingerprint, now, importing=True, warming=True)
            self._importing += 1
            self._warming += 1
            actions.append(Warm(slot, header))
        return actions

    def _worth_warming(self, now: float) -> Header | None:
        if self._importing >= self._imports or (self._warming and len(self._busy) >= self._slots):
            return None
        best, most = None, 0.0
        for header, asked, seconds in self.heat.importable(now):
            holders = len(self._holders.get(header.fingerprint, ()))
            gain = asked * seconds / (holders + 1)
            if asked >= WORTH_WARMING and holders < self._most_holders and gain > most:
                best, most = header, gain
        return best
