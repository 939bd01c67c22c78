"""Whatever comes and goes: nothing is lost, nothing runs twice, no slot idles in front of work, no header starves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from repl_fakes import job

from streamverify.core.scheduling.durations import LONG_TIMEOUT
from streamverify.core.scheduling.scheduler import (
    NO_PROCESS,
    PATIENCE,
    QUANTUM,
    Rules,
    Scheduler,
    SlotState,
    Start,
    Warm,
)
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from streamverify.core.job import Job

HEADERS = [job(f"import H{number}\nt").header for number in range(5)]

NUMBERS = st.sampled_from([0] * len(HEADERS) + list(range(1, len(HEADERS))))
"""One header comes as often as all others, so that several slots hold it."""


WORKS = st.builds(
    Work,
    timeout=st.sampled_from([1.0, LONG_TIMEOUT, LONG_TIMEOUT + 1]),
    names=st.none(),
    group=st.sampled_from([None, None, "g", "h"]),
)
"""The time-out is the sender's, so it alone says which jobs are long."""


def job_of(number: int) -> Job:
    return job(f"import H{number}\nt")


class SchedulerMachine(RuleBasedStateMachine):
    """A pool in miniature. What its slots hold is known here; the scheduler is told as the pool tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waiting: list[Job] = []
        self.works: dict[Job, Work] = {}
        self.counted: list[str] = []
        self.alone: list[Job] = []
        self.running: dict[int, Job] = {}
        self.warming: set[int] = set()
        self.importing: dict[int, str] = {}
        self.idle: dict[int, SlotState] = {}
        # What the processes of busy slots hold, without what they import now.
        self.kept: dict[int, SlotState] = {}
        self.solitary: int | None = None
        self.paused = False

    @initialize(slots=st.integers(1, 3), spares=st.integers(0, 2), imports=st.integers(1, 3), most=st.integers(1, 3))
    def open(self, slots: int, spares: int, imports: int, most: int) -> None:
        self.slots, self.spares, self.imports, self.most = slots, spares, imports, most
        self.scheduler: Scheduler[Job] = Scheduler(Rules(slots, spares, imports))
        for slot in range(slots + spares):
            self.freed(slot, NO_PROCESS)

    def carry_out(self, actions: list[Start[Job] | Warm]) -> None:
        for action in actions:
            if isinstance(action, Start):
                fingerprint = action.job.header.fingerprint
                # In the order in which they became idle: the one used last is the last.
                holders = [slot for slot, state in self.idle.items() if fingerprint in state.headers]
                assert not holders or action.slot == holders[-1]
            before = self.idle.pop(action.slot)
            if isinstance(action, Warm):
                assert before.headers == ()
                self.warming.add(action.slot)
                header = action.header
            else:
                self.started(action)
                header = action.job.header
            assert self.solitary in (None, action.slot)
            if header.fingerprint not in before.headers:
                self.importing[action.slot] = header.fingerprint
                before = before if before.room else NO_PROCESS
            self.kept[action.slot] = before

    def started(self, start: Start[Job]) -> None:
        assert start.slot not in self.running
        if start.job in self.alone:
            assert self.paused
            assert not self.running | dict.fromkeys(self.warming)
            self.alone.remove(start.job)
            self.solitary = start.slot
        else:
            assert not self.paused
            assert self.is_eligible(start.job)
            line = [
                each
                for each in self.waiting
                if each.header.fingerprint == start.job.header.fingerprint
                and self.is_long(each) == self.is_long(start.job)
            ]
            busy = {*self.counted, *(self.works[each].group for each in self.running.values())} - {None}
            fresh = [each for each in line if self.works[each].group not in busy]
            group = self.works[(fresh or line)[0]].group
            if group is not None and fresh:
                # Groups have an order that is the worker's own.
                group = self.works[start.job].group
                assert group is not None
            assert start.job is next(each for each in fresh or line if self.works[each].group == group)
            self.waiting.remove(start.job)
        self.running[start.slot] = start.job

    def is_long(self, job: Job) -> bool:
        return self.slots > 1 and self.works[job].timeout > LONG_TIMEOUT

    def is_eligible(self, job: Job) -> bool:
        """One slot of several never takes long work."""
        return not self.is_long(job) or sum(map(self.is_long, self.running.values())) < self.slots - 1

    @rule(number=NUMBERS, seconds=st.floats(0, 40), work=WORKS)
    def submit(self, number: int, seconds: float, work: Work) -> None:
        self.now += seconds
        new = job_of(number)
        self.waiting.append(new)
        self.works[new] = work
        self.carry_out(self.scheduler.submit(new, self.now, work=work))

    @rule(group=st.sampled_from(["g", "h"]))
    def start_group(self, group: str) -> None:
        """Its success is on its way to the broker."""
        self.counted.append(group)
        self.scheduler.groups.started(group)

    @precondition(lambda self: self.counted)
    @rule()
    def end_group(self) -> None:
        self.scheduler.groups.ended(self.counted.pop())

    @precondition(lambda self: self.waiting or self.running)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """Its group has a success."""
        job = data.draw(st.sampled_from([*self.waiting, *self.running.values()]))
        assert self.scheduler.withdraw(job) == (job in self.waiting)
        self.waiting = [each for each in self.waiting if each is not job]

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def slot_to_end(self, data: st.DataObject) -> None:
        slot, job = data.draw(st.sampled_from(sorted(self.running.items(), key=lambda each: each[0])))
        assert self.scheduler.slot_to_end(job, self.now) in ({slot} if slot in self.importing else {slot, None})

    @precondition(lambda self: self.paused and not self.running and not self.alone)
    @rule(number=st.integers(0, len(HEADERS) - 1), seconds=st.floats(0, 40))
    def submit_alone(self, number: int, seconds: float) -> None:
        """As the gate does: it has paused the scheduler, and nothing runs any more."""
        self.now += seconds
        new = job_of(number)
        self.works[new] = Work()
        self.alone.append(new)
        self.carry_out(self.scheduler.submit(new, self.now, alone=True))

    @precondition(lambda self: self.importing)
    @rule(data=st.data(), seconds=st.floats(0.1, 10), ok=st.sampled_from([True, True, False]))
    def imported(self, data: st.DataObject, seconds: float, ok: bool) -> None:  # noqa: FBT001 - drawn
        self.now += seconds
        slot = data.draw(st.sampled_from(sorted(self.importing)))
        header = next(each for each in HEADERS if each.fingerprint == self.importing[slot])
        if not ok:
            self.end(slot, NO_PROCESS)
            return
        del self.importing[slot]
        headers = (*self.kept[slot].headers, header.fingerprint)
        self.kept[slot] = SlotState(headers, seconds, 0.0, room=len(headers) < self.most)
        self.carry_out(self.scheduler.imported(slot, header, seconds, self.now))
        if slot in self.warming:
            self.end(slot, self.kept[slot])

    @precondition(lambda self: bool(set(self.running) - set(self.importing)))
    @rule(data=st.data(), useful=st.floats(0, 100), died=st.sampled_from([False, False, False, True]))
    def finish(self, data: st.DataObject, useful: float, died: bool) -> None:  # noqa: FBT001 - drawn
        self.now += useful
        slot = data.draw(st.sampled_from(sorted(set(self.running) - set(self.importing))))
        kept = self.kept[slot]
        self.end(slot, NO_PROCESS if died else kept._replace(useful_seconds=kept.useful_seconds + useful))

    def end(self, slot: int, holding: SlotState) -> None:
        self.running.pop(slot, None)
        self.warming.discard(slot)
        self.importing.pop(slot, None)
        if self.solitary == slot:
            self.solitary = None
        self.freed(slot, holding)

    def freed(self, slot: int, holding: SlotState) -> None:
        self.idle[slot] = holding
        self.carry_out(self.scheduler.slot_freed(slot, holding, self.now))

    @rule(number=st.integers(0, len(HEADERS) - 1))
    def discard(self, number: int) -> None:
        doomed = HEADERS[number].fingerprint
        dropped = self.scheduler.discard(lambda each: each.header.fingerprint == doomed)
        everything = self.alone + self.waiting
        assert len(dropped) == len(set(dropped))
        assert set(dropped) == {each for each in everything if each.header.fingerprint == doomed}
        self.waiting = [each for each in self.waiting if each not in dropped]
        self.alone = [each for each in self.alone if each not in dropped]

    @rule()
    def pause(self) -> None:
        self.paused = True
        self.scheduler.pause()

    @precondition(lambda self: not self.alone and self.solitary is None)
    @rule()
    def resume(self) -> None:
        """Not before the job that runs alone has ended."""
        self.paused = False
        self.carry_out(self.scheduler.resume(self.now))

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        """As the pool does: ask at the time that was named."""
        until = self.now + seconds
        while True:
            actions, again = self.scheduler.due(self.now)
            self.carry_out(actions)
            if actions:
                continue
            assert again is None or again > self.now
            if again is None or again > until:
                break
            self.now = again
        self.now = until

    @invariant()
    def never_more_than_allowed(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        assert self.scheduler.queued == len(self.waiting) + len(self.alone)
        assert self.scheduler.slots.running == len(self.running) <= self.slots
        assert len(self.running) + len(self.warming) + len(self.idle) == self.slots + self.spares
        # A job that runs alone does not wait for the other imports' turn: there are none.
        assert len(self.importing) <= self.imports
        assert self.solitary is None or len(self.running) + len(self.warming) == 1

    @invariant()
    def no_slot_idles_while_a_rule_gives_it_a_job(self) -> None:
        """After time's share has been asked for, the rules as the module states them."""
        if not hasattr(self, "scheduler"):
            return
        self.carry_out(self.scheduler.due(self.now)[0])
        if self.alone:
            assert self.warming
            return
        if self.paused or not self.idle or len(self.running) >= self.slots:
            return
        warm = {header for holding in self.idle.values() for header in holding.headers}
        eligible = [each for each in self.waiting if self.is_eligible(each)]
        waiting = {each.header.fingerprint for each in eligible}
        assert not waiting & warm
        if len(self.importing) < self.imports:
            held = {*self.importing.values(), *(h for slot in self.running for h in self._held_by(slot))}
            assert waiting <= held
            lines = {(each.header.fingerprint, self.is_long(each)) for each in eligible}
            for header, is_long in lines:
                if header in self.importing.values():
                    continue
                jobs = [each for each in eligible if (each.header.fingerprint, self.is_long(each)) == (header, is_long)]
                holders = sum(header in self._held_by(slot) for slot in self.running)
                work = len(jobs) * self.scheduler.stats.run_seconds(header)
                spent = holders * self.scheduler.stats.import_seconds(header)
                assert 2 * len(jobs) <= holders or work <= spent

    def _held_by(self, slot: int) -> tuple[str, ...]:
        return (*self.kept[slot].headers, *([self.importing[slot]] if slot in self.importing else []))


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(
    slots=st.integers(1, 3),
    seconds=st.lists(st.floats(0.01, 20), min_size=1, max_size=8),
    rare=st.integers(1, 4),
    imports=st.floats(0.01, 5),
    jobs_each=st.integers(1, 30),
    hot_is_long=st.booleans(),
    rare_is_long=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_with_a_hot_header_that_never_ends_every_other_is_served_in_bounded_time(  # noqa: PLR0913, PLR0917 - drawn
    slots: int,
    seconds: list[float],
    rare: int,
    imports: float,
    jobs_each: int,
    hot_is_long: bool,  # noqa: FBT001 - drawn
    rare_is_long: bool,  # noqa: FBT001 - drawn
) -> None:
    """Each within patience, and for every header before it a quantum that pays two imports, a job and the import."""

    def work(number: int) -> Work:
        return Work(LONG_TIMEOUT + ((rare_is_long if number else hot_is_long) or -1))

    scheduler: Scheduler[Job] = Scheduler(Rules(slots))
    now, turn = 0.0, 0
    holding = [SlotState((HEADERS[0].fingerprint,), imports) for _ in range(slots)]
    # Slots in the order in which they end what they do.
    ends = dict.fromkeys(range(slots), 0.0)
    for header in HEADERS:
        scheduler.stats.imported(header, imports, 0.0)
    for number in range(rare + 1):
        for _ in range(jobs_each):
            scheduler.submit(job_of(number), 0.0, work=work(number))
    unserved = {HEADERS[number].fingerprint for number in range(1, rare + 1)}
    bound = PATIENCE + (rare + 1) * (2 * QUANTUM * imports + max(seconds) + imports + 1)
    while unserved:
        slot = min(ends, key=lambda number: ends[number])
        now = ends.pop(slot)
        assert now <= bound, unserved
        for start in scheduler.slot_freed(slot, holding[slot], now):
            assert isinstance(start, Start)
            fingerprint = start.job.header.fingerprint
            unserved.discard(fingerprint)
            spent = seconds[turn % len(seconds)]
            turn += 1
            ends[start.slot] = now + spent
            if fingerprint not in holding[start.slot].headers:
                scheduler.imported(start.slot, start.job.header, imports, now)
                ends[start.slot] += imports
                holding[start.slot] = SlotState((fingerprint,), imports, 0.0, room=False)
            held = holding[start.slot]
            holding[start.slot] = held._replace(useful_seconds=held.useful_seconds + spent)
            if fingerprint == HEADERS[0].fingerprint:
                scheduler.submit(job_of(0), now, work=work(0))
