"""Ledger as a state machine: whatever happens, a crash repeats work and loses none."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamverify.core.ledger import Commit, Ledger, Limits

LIMITS = Limits(records=6, worker_bytes=40)
PARTITIONS = (0, 1)


class Life(RuleBasedStateMachine):
    """A worker with two partitions, between a log that compaction may have thinned and a broker that may not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(LIMITS)
        self.committed = dict.fromkeys(PARTITIONS, 0)
        self.position = dict.fromkeys(PARTITIONS, 0)
        self.answered: set[tuple[int, int]] = set()
        self.skipped: set[tuple[int, int]] = set()
        self.running: list[tuple[int, int, int]] = []
        self.in_the_air: list[Commit] = []
        self.paused: set[int] = set()

    @rule()
    def rebalance(self) -> None:
        self.ledger.begin()
        self.paused.clear()
        for partition in PARTITIONS:
            self.ledger.own(partition, self.committed[partition])
            self.position[partition] = self.committed[partition]

    @rule()
    def lose_all(self) -> None:
        self.ledger.end()
        self.paused.clear()

    @precondition(lambda self: self.ledger.owns(0, self.ledger.assignment))
    @rule(partition=st.sampled_from(PARTITIONS), gap=st.integers(0, 2), size=st.integers(1, 12))
    def deliver(self, partition: int, gap: int, size: int) -> None:
        if partition in self.paused:
            return
        for missing in range(gap):
            place = (partition, self.position[partition] + missing)
            if place not in self.answered and all(run[:2] != place for run in self.running):
                self.skipped.add(place)
        while (partition, self.position[partition]) in self.skipped:
            self.position[partition] += 1
        offset = self.position[partition]
        assert self.ledger.admit(partition, offset, size)
        assert not self.ledger.admit(partition, offset, size)
        self.position[partition] = offset + 1
        self.running.append((partition, offset, self.ledger.assignment))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(self.running))
        self.running.remove(run)
        partition, offset, assignment = run
        self.answered.add((partition, offset))
        self.ledger.complete(partition, offset, assignment)

    @rule()
    def start_commit(self) -> None:
        commit = self.ledger.commit()
        if commit is not None:
            self.in_the_air = [commit]

    @precondition(lambda self: self.in_the_air)
    @rule(reached=st.booleans(), acknowledged=st.booleans())
    def end_commit(self, reached: bool, acknowledged: bool) -> None:  # noqa: FBT001 - drawn
        commit = self.in_the_air.pop()
        current = commit.assignment == self.ledger.assignment and self.ledger.owns(0, commit.assignment)
        if reached and current:
            self.committed.update(commit.points)
            if acknowledged:
                self.ledger.acknowledged(commit)

    @rule()
    def apply_pauses(self) -> None:
        pauses = self.ledger.pauses()
        assert not pauses.pause & self.paused
        assert pauses.resume <= self.paused
        self.paused |= pauses.pause
        self.paused -= pauses.resume

    @invariant()
    def every_offset_below_the_commit_is_answered(self) -> None:
        for partition, point in self.committed.items():
            for offset in range(point):
                assert (partition, offset) in self.answered | self.skipped

    @invariant()
    def a_worker_with_nothing_in_flight_is_not_paused_for_ever(self) -> None:
        if self.ledger.owns(0, self.ledger.assignment) and self.ledger.in_flight == 0:
            self.paused -= self.ledger.pauses().resume
            assert not self.paused


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestLife = Life.TestCase
