"""Whatever comes and goes: nothing is lost, nothing runs twice, no slot idles in front of work, no header starves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from repl_fakes import job

from streamverify.core.scheduler import NOTHING, PATIENCE, QUANTUM, Holding, Scheduler, Start

if TYPE_CHECKING:
    from streamverify.core.jobs import Job

SLOTS = 3
HEADERS = [job(f"import H{number}\nt").header for number in range(4)]


def job_of(number: int) -> Job:
    return job(f"import H{number}\nt")


class SchedulerMachine(RuleBasedStateMachine):
    """A pool in miniature; each slot's process holds the header of the job that it ran last."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler()
        self.now = 0.0
        self.waiting: list[Job] = []
        self.running: dict[int, Job] = {}
        self.free: set[int] = set()
        self.unopened = list(range(SLOTS))

    def started(self, start: Start) -> None:
        assert start.slot not in self.running
        assert start.job in self.waiting
        same = [each for each in self.waiting if each.header.fingerprint == start.job.header.fingerprint]
        assert same[0] is start.job
        self.waiting.remove(start.job)
        self.running[start.slot] = start.job
        self.free.discard(start.slot)

    @rule(number=st.integers(0, len(HEADERS) - 1), seconds=st.floats(0, 40))
    def submit(self, number: int, seconds: float) -> None:
        self.now += seconds
        new = job_of(number)
        self.waiting.append(new)
        if start := self.scheduler.submit(new, self.now):
            assert start.job is new
            assert start.slot in self.free
            self.started(start)

    @precondition(lambda self: self.unopened)
    @rule()
    def open_slot(self) -> None:
        self.freed(self.unopened.pop(), NOTHING)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), useful=st.floats(0, 100), kept=st.booleans())
    def finish(self, data: st.DataObject, useful: float, kept: bool) -> None:  # noqa: FBT001 - drawn
        slot = data.draw(st.sampled_from(sorted(self.running)))
        done = self.running.pop(slot)
        self.freed(slot, Holding(done.header.fingerprint, 1.0, useful) if kept else NOTHING)

    def freed(self, slot: int, holding: Holding) -> None:
        if start := self.scheduler.slot_freed(slot, holding, self.now):
            self.started(start)
        else:
            self.free.add(slot)

    @rule(number=st.integers(0, len(HEADERS) - 1))
    def discard(self, number: int) -> None:
        doomed = HEADERS[number].fingerprint
        dropped = self.scheduler.discard(lambda each: each.header.fingerprint == doomed)
        assert dropped == [each for each in self.waiting if each.header.fingerprint == doomed]
        self.waiting = [each for each in self.waiting if each not in dropped]

    @invariant()
    def the_count_is_right_and_no_slot_idles_in_front_of_work(self) -> None:
        assert self.scheduler.queued == len(self.waiting)
        assert not (self.free and self.waiting)


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@given(
    seconds=st.lists(st.floats(0.01, 20), min_size=1, max_size=8),
    rare=st.integers(1, 3),
    imports=st.floats(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_one_slot_with_a_hot_header_serves_every_other_in_bounded_time(
    seconds: list[float], rare: int, imports: float
) -> None:
    scheduler = Scheduler()
    for number in range(1, rare + 1):
        scheduler.submit(job_of(number), 0.0)
    for _ in range(2):
        scheduler.submit(job_of(0), 0.0)
    unserved = {HEADERS[number].fingerprint for number in range(1, rare + 1)}
    hot = HEADERS[0].fingerprint
    now, holding, turn = 0.0, Holding(hot, imports, 0.0), 0
    # A turn of each header before it: patience, a quantum that pays the import, and one job more.
    bound = (rare + 1) * (PATIENCE + QUANTUM * imports + max(seconds) + imports + 1)
    while unserved:
        assert now <= bound, unserved
        start = scheduler.slot_freed(0, holding, now)
        assert start is not None
        fingerprint = start.job.header.fingerprint
        unserved.discard(fingerprint)
        spent = seconds[turn % len(seconds)]
        turn += 1
        if fingerprint != holding.header:
            now += imports
            holding = Holding(fingerprint, imports, 0.0)
        now += spent
        holding = holding._replace(useful_seconds=holding.useful_seconds + spent)
        scheduler.submit(job_of(0), now)
