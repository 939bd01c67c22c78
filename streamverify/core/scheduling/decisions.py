"""The rules by which the idle slots of a pool are filled. Pure: no clock; `now` is passed in, in monotonic seconds.

docs/scheduling.md has the rules and the reasons for them; `Decisions._choose` carries them out in their order.
"""

from __future__ import annotations

import math
from collections import Counter
from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple

from streamverify.core.metrics.labels import EnvironmentState
from streamverify.core.scheduling.durations import LONG_TIMEOUT
from streamverify.core.scheduling.job_queue import J
from streamverify.core.scheduling.slots import Busy
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from streamverify.core.scheduling.header_stats import HeaderStats
    from streamverify.core.scheduling.job_queue import JobLine, JobQueue
    from streamverify.core.scheduling.slots import Slots
    from streamverify.core.syntax.header import Header

PATIENCE = 30.0
"""Default of the setting, in seconds."""
QUANTUM = 10.0
"""Default of the setting, as a multiple of two imports."""

MIN_ASKED = 2.0
"""Proofs of the last ten minutes from which on a header is imported ahead of demand."""

WARM_UP_INTERVAL = 1.0
"""Seconds between two searches for a header to import ahead of demand: each looks at all known headers."""


class SchedulerPhase(Enum):
    """The phases of a scheduler by what it may start; `Decisions` has the diagram."""

    SERVING = auto()
    """Whatever a rule starts."""
    PAUSED = auto()
    """The job that is to run alone, and nothing else."""
    DRAINING = auto()
    """Nothing any more."""


class Rules(NamedTuple):
    """The numbers in the rules, from the settings and the plan of slots."""

    slots: int = 1
    """The number of jobs that may run at once."""
    spares: int = 0
    """The number of slots beyond those."""
    imports: int | None = None
    """The number of imports that may run at once; None: no limit."""
    patience: float = PATIENCE
    """Seconds after which a waiting line goes before headers that are loaded (rule 1)."""
    quantum: float = QUANTUM
    """The useful work, as a multiple of two imports, after which a process may leave its header (rule 1)."""
    long_timeout: float = LONG_TIMEOUT
    """Seconds above which work is long: one of several slots never takes it."""
    worker: str = ""
    """The worker's name, for an order of groups of its own."""


class Start(NamedTuple, Generic[J]):
    """Run `job` in the slot of this number now."""

    slot: int
    job: J


class Warm(NamedTuple):
    """Import `header` ahead of demand in the slot of this number, which has no process."""

    slot: int
    header: Header


class RunningGroups:
    """The groups of which a job runs, or has a success that is still on its way to the broker."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """The number of reasons not to start another job of each group."""

    def started(self, group: str | None) -> None:
        """Count one more reason not to start another job of this group; None is no group."""
        if group is not None:
            self.counts[group] += 1

    def ended(self, group: str | None) -> None:
        """Take back one reason that `started` has counted."""
        if group is not None:
            self.counts[group] -= 1
            if not self.counts[group]:
                del self.counts[group]


class Decisions(Generic[J]):
    """Fills the idle slots from the queue.

    SERVING ── pause ──> PAUSED: `alone` is started, once no slot is busy
            <── resume ──
    SERVING or PAUSED ── drain ──> DRAINING, for good
    """

    def __init__(self, rules: Rules, queue: JobQueue[J], slots: Slots[J], stats: HeaderStats) -> None:
        self.groups = RunningGroups()
        self.alone: J | None = None
        """The job that is to run although all else is paused."""
        self.phase = SchedulerPhase.SERVING
        self.environments: Counter[EnvironmentState] = Counter()
        """Counts how the jobs that were started found the environment of their header."""
        self._rules = rules
        self._imports = rules.slots + rules.spares if rules.imports is None else rules.imports
        self._queue = queue
        self._slots = slots
        self._stats = stats
        self._look_again = -math.inf
        """The time from which on all known headers are searched again for one to import ahead of demand."""

    def decide(self, now: float, *, process_gone: bool = False) -> list[Start[J] | Warm]:
        """Fill the idle slots: with jobs as long as a rule starts one, then with imports ahead of demand.

        Args:
            now: Monotonic seconds.
            process_gone: A slot has just lost its process: look at once whether to import something there.
        """
        actions: list[Start[J] | Warm] = []
        while start := self._next(now):
            actions.append(start)
        if self.timed:
            # As many lines as there are free slots: their next jobs wait although each could have one.
            for line in islice(self._queue.lines(long_too=True), len(self._slots.idle)):
                line.delayed = line.oldest.number
        if self._slots.idle and (process_gone or now >= self._look_again):
            self._look_again = now + WARM_UP_INTERVAL
            actions += self._warm_up(now)
        return actions

    def next_time(self, now: float) -> float | None:
        """Return the next time from which on a rule may start a job that none starts now; None: only an event can."""
        if not self.timed or self._slots.importing >= self._imports:
            return None
        lines = self._queue.lines(long_too=self._may_take_long)
        return min((time for line in lines for time in self._crowded_at(line) if time > now), default=None)

    @property
    def timed(self) -> bool:
        """True if passing time alone may start something: a job waits, and a slot could take it."""
        return bool(len(self._queue)) and self._has_turn and self.phase is SchedulerPhase.SERVING

    def keeps_slot_idle(self, now: float) -> bool:
        """Tell whether long work has waited for `patience` although a slot is idle: it is kept for short work."""
        if not self._has_turn or self._may_take_long:
            return False
        lines = self._queue.lines(long_too=True)
        return any(line.is_long and now >= line.unserved_since + self._rules.patience for line in lines)

    def _next(self, now: float) -> Start[J] | None:
        """Start the next job; None if no rule starts one."""
        if not self._has_turn:
            return None
        # A job that runs alone: all else is paused. Only an import ahead of demand may be under way: wait for it.
        if self.alone is not None:
            if self._slots.busy:
                return None
            job, self.alone = self.alone, None
            slot = self._slots.last_used(job.header.fingerprint)
            return self._start(self._slots.cheapest(self._slots.idle, now) if slot is None else slot, job, Work(), now)
        while self.phase is SchedulerPhase.SERVING and len(self._queue) and (chosen := self._choose(now)):
            line, slot = chosen
            if entry := self._queue.take(line, self.groups.counts, now):
                delayed = entry.number <= line.delayed
                is_long = self._queue.is_long(entry)
                return self._start(slot, entry.job, entry.work, now, is_long=is_long, delayed=delayed)
            # The job has turned out to be long work: the rules are asked again.
        return None

    def _choose(self, now: float) -> tuple[JobLine[J], int | None] | None:
        """Choose a line and a slot for its next job, by the first rule of docs/scheduling.md that applies."""
        slots, queue = self._slots, self._queue
        long_too = self._may_take_long
        may_import = slots.importing < self._imports

        # Rule 1: the line longest unserved, after `patience`. A process leaves another header for it only when its work
        # has paid for the imports there and back.
        for line in queue.lines(long_too=long_too):
            if now < line.unserved_since + self._rules.patience:
                break
            if slots.is_imported_now(line.header):
                continue
            slot = slots.last_used(line.header)
            if slot is None and may_import:
                slot = slots.cheapest(slots.paid(line.header, self._rules.quantum), now)
            if slot is not None:
                return line, slot
            # This line is the first that waits: those behind it do not overtake it by this rule.
            break

        # Rule 2: the oldest job of a header that an idle slot holds. Of several such slots the one used last, whose
        # process is still in the CPU's caches: so spares stay spare.
        warm = [
            (line.oldest.number, line, slot)
            for slot in reversed(slots.idle)
            for header in slots.idle[slot].headers
            for line in queue.of_header(header, long_too=long_too)
        ]
        if warm:
            # `min` takes the first of equals: that is the slot used last.
            _number, line, slot = min(warm, key=lambda each: each[0])
            return line, slot

        # The other rules import. Rule 3: the oldest job whose header no slot holds or imports. Rule 4: the oldest job
        # whose header only busy slots hold, where these are too few for it.
        if may_import:
            lines = [line for line in queue.lines(long_too=long_too) if not slots.holders(line.header)] or [
                line for line in queue.lines(long_too=long_too) if self._is_crowded(line, now)
            ]
            if lines:
                return min(lines, key=lambda each: each.oldest.number), slots.cheapest(slots.idle, now)

        # Rule 5: no job; the slot idles.
        return None

    @property
    def _has_turn(self) -> bool:
        """True if one more job may run, and a slot is free for it."""
        is_allowed = self.phase is not SchedulerPhase.DRAINING and self._slots.running < self._rules.slots
        return is_allowed and bool(self._slots.idle)

    @property
    def _may_take_long(self) -> bool:
        """True if one more long job may run: of several slots one never takes any, so that short work has its turn."""
        return self._rules.slots == 1 or self._slots.running_long < self._rules.slots - 1

    def _start(  # noqa: PLR0913 - what is known of the job
        self, slot: int | None, job: J, work: Work, now: float, *, is_long: bool = False, delayed: bool = False
    ) -> Start[J]:
        assert slot is not None  # noqa: S101 - there are idle slots
        header = job.header.fingerprint
        cold = header not in self._slots.idle[slot].headers
        if work.fresh:
            self.environments[EnvironmentState.FRESH] += 1
        elif cold:
            self.environments[EnvironmentState.COLD] += 1
        else:
            self.environments[EnvironmentState.DELAYED if delayed else EnvironmentState.WARM] += 1
        self._slots.occupy(slot, Busy(header, now, cold, job, work, is_long))
        self.groups.started(work.group)
        return Start(slot, job)

    def _warm_up(self, now: float) -> list[Start[J] | Warm]:
        """Import headers ahead of demand in idle slots without a process.

        At most as many imports as slots may run, or one beside slots that run already: see `_worth_warming`.
        """
        actions: list[Start[J] | Warm] = []
        # While paused, an import would only delay the job that waits to run alone.
        if self.phase is not SchedulerPhase.SERVING:
            return actions
        for slot in [slot for slot, state in self._slots.idle.items() if not state.headers]:
            header = self._worth_warming(now)
            if header is None:
                break
            self._slots.occupy(slot, Busy(header.fingerprint, now, importing=True))
            actions.append(Warm(slot, header))
        return actions

    def _worth_warming(self, now: float) -> Header | None:
        """Choose the header for which one more process is worth most; None if none is, or no import may start."""
        slots, rules = self._slots, self._rules
        is_warming = len(slots.busy) > slots.running
        if slots.importing >= self._imports or (is_warming and len(slots.busy) >= rules.slots):
            return None
        best, most = None, 0.0
        for header, asked, seconds in self._stats.importable(now):
            holders = slots.holders(header.fingerprint)
            gain = asked * seconds / (holders + 1)
            if asked >= MIN_ASKED and holders < rules.slots + min(rules.spares, 1) and gain > most:
                best, most = header, gain
        return best

    def _is_crowded(self, line: JobLine[J], now: float) -> bool:
        """Tell whether a header that only busy slots hold is worth one more slot for this line (rule 4)."""
        if any(now >= time for time in self._crowded_at(line)):
            return True
        # The waiting work must be more than an import for the slots that hold the header.
        holders, jobs = self._slots.holders(line.header), len(line)
        work = jobs * self._stats.run_seconds(line.header)
        return 2 * jobs > holders and work > holders * self._stats.import_seconds(line.header)

    def _crowded_at(self, line: JobLine[J]) -> list[float]:
        """List the times from which on rule 4 gives a line one more slot, however little work waits."""
        times = []
        if 2 * len(line) > self._slots.holders(line.header):
            times.append(line.oldest.came + self._stats.import_seconds(line.header))
        if not self._slots.is_imported_now(line.header):
            times.append(line.unserved_since + self._rules.patience)
        return times
