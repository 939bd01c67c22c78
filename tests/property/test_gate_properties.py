"""The gate as a state machine, with a pool and a committer around it and a poison among the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from repl_fakes import job

from streamverify.core.gate import Gate, is_poison

if TYPE_CHECKING:
    from streamverify.core.jobs import Job
    from streamverify.core.ledger import Place

SLOTS = 2


class Careful(RuleBasedStateMachine):
    """A worker in careful mode; `others` are jobs of partitions that are not careful."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(SLOTS)
        self.attempts: dict[Place, int] = {}
        self.marked: set[Place] = set()
        self.running: set[Place] = set()
        self.alone: set[Place] = set()
        self.ended: set[Place] = set()
        self.others = 0
        self.held = False
        self.suspended = False

    def decide(self) -> None:
        decision = self.gate.decide(len(self.running) + self.others)
        self.held = decision.hold
        assert not (self.suspended and decision.mark)
        for place in decision.mark:
            assert place not in self.marked | self.running | self.ended
            self.marked.add(place)
            if self.attempts[place]:
                assert self.held
                assert not self.running
                assert not self.others
                assert self.marked == {place}
        assert len(self.marked | self.running) <= SLOTS

    @rule(attempts=st.sampled_from((0, 0, 0, 1, 2)))
    def add(self, attempts: int) -> None:
        new: Job = job("t")
        self.attempts[new.place] = attempts
        self.gate.add(new, attempts=attempts)
        self.decide()

    @rule()
    def start_another(self) -> None:
        if not self.held and len(self.running) + self.others < SLOTS:
            self.others += 1

    @rule()
    def end_another(self) -> None:
        if self.others:
            self.others -= 1
            self.decide()

    @rule()
    def committed(self) -> None:
        marked = set(self.marked)
        for started in self.gate.written(marked):
            place = started.job.place
            assert place in marked
            assert not self.suspended
            assert started.alone == bool(self.attempts[place])
            assert not (started.alone and (self.running or self.others))
            self.marked.discard(place)
            self.running.add(place)
        self.decide()

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        if self.running:
            place = data.draw(st.sampled_from(sorted(self.running)))
            self.running.discard(place)
            self.ended.add(place)
            self.gate.ended(place)
            self.decide()

    @rule()
    def suspend(self) -> None:
        self.suspended = True
        assert set(self.gate.suspend()) == self.marked
        self.marked.clear()
        self.decide()

    @rule()
    def resume(self) -> None:
        self.suspended = False
        self.gate.resume()
        self.decide()

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        waiting = sorted(self.attempts.keys() - self.running - self.ended)
        if waiting:
            place = data.draw(st.sampled_from(waiting))
            assert [each.place for each in self.gate.discard(lambda each: each.place == place)] == [place]
            self.marked.discard(place)
            del self.attempts[place]
            self.decide()

    @invariant()
    def while_one_runs_alone_nothing_else_is_started(self) -> None:
        if any(self.attempts[place] for place in self.running):
            assert self.held
            assert len(self.running) == 1
            assert not self.others

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.gate.waiting + len(self.running | self.ended) == len(self.attempts)

    def teardown(self) -> None:
        self.resume()
        self.others = 0
        self.decide()
        for _ in range(2 * len(self.attempts) + 2):
            self.committed()
            for place in sorted(self.running):
                self.running.discard(place)
                self.ended.add(place)
                self.gate.ended(place)
                self.decide()
        assert self.ended == self.attempts.keys()
        assert not self.held


Careful.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestCareful = Careful.TestCase


def test_a_poison_has_died_alone_as_often_as_the_setting_says() -> None:
    assert [attempts for attempts in range(8) if is_poison(attempts, 3)] == [4, 5, 6, 7]
    assert is_poison(7, 6)
    assert not is_poison(6, 6)
