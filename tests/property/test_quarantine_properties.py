"""The quarantine as a state machine, with a pool and a committer around it and a poison among the records."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streamverify.core.delivery.quarantine import Quarantine, is_poison
from streamverify.core.job import RecordId

SLOTS = 2
PARTITIONS = (0, 1, 2)


class Suspects(RuleBasedStateMachine):
    """A worker with quarantined records; `others` are jobs of partitions that are not quarantined."""

    def __init__(self) -> None:
        super().__init__()
        self.quarantine = Quarantine(SLOTS)
        self.worker_deaths: dict[RecordId, int] = {}
        self.committing: set[RecordId] = set()
        self.running: set[RecordId] = set()
        self.ended: set[RecordId] = set()
        self.others = 0
        self.pool_paused = False
        self.paused = False

    def decide(self) -> None:
        decision = self.quarantine.decide(len(self.running) + self.others)
        self.pool_paused = decision.pause_pool
        assert not (self.paused and decision.commit)
        for record in decision.commit:
            assert record not in self.committing | self.running | self.ended
            self.committing.add(record)
            if self.worker_deaths[record]:
                assert self.pool_paused
                assert not self.running
                assert not self.others
                assert self.committing == {record}
        assert len(self.committing | self.running) <= SLOTS

    @rule(worker_deaths=st.sampled_from((0, 0, 0, 1, 2)), partition=st.sampled_from(PARTITIONS))
    def add(self, worker_deaths: int, partition: int) -> None:
        record = RecordId(partition, len(self.worker_deaths) + len(self.ended), 0)
        while record in self.worker_deaths:
            record = record._replace(epoch=record.epoch + 1)
        self.worker_deaths[record] = worker_deaths
        self.quarantine.add(record, worker_deaths=worker_deaths)
        self.decide()

    @rule()
    def start_another(self) -> None:
        if not self.pool_paused and len(self.running) + self.others < SLOTS:
            self.others += 1

    @rule()
    def end_another(self) -> None:
        if self.others:
            self.others -= 1
            self.decide()

    @rule()
    def commit(self) -> None:
        committing = set(self.committing)
        for record, alone in self.quarantine.attempts_committed(committing):
            assert record in committing
            assert not self.paused
            assert alone == bool(self.worker_deaths[record])
            assert not (alone and (self.running or self.others))
            self.committing.discard(record)
            self.running.add(record)
        self.decide()

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        if self.running:
            record = data.draw(st.sampled_from(sorted(self.running)))
            self.running.discard(record)
            self.ended.add(record)
            self.quarantine.ended(record)
            self.decide()

    @rule()
    def pause(self) -> None:
        self.paused = True
        assert set(self.quarantine.pause()) == self.committing
        self.committing.clear()
        self.decide()

    @rule()
    def resume(self) -> None:
        self.paused = False
        self.quarantine.resume()
        self.decide()

    @rule(partition=st.sampled_from(PARTITIONS))
    def drop(self, partition: int) -> None:
        waiting = {
            each for each in self.worker_deaths.keys() - self.running - self.ended if each.partition == partition
        }
        dropped = self.quarantine.discard(lambda record: record.partition == partition)
        assert len(dropped) == len(waiting)
        assert set(dropped) == waiting
        for record in dropped:
            self.committing.discard(record)
            del self.worker_deaths[record]
        self.decide()

    @invariant()
    def while_a_record_runs_alone_nothing_else_is_started(self) -> None:
        if any(self.worker_deaths[record] for record in self.running):
            assert self.pool_paused
            assert len(self.running) == 1
            assert not self.others

    @invariant()
    def no_record_is_lost(self) -> None:
        assert self.quarantine.waiting + len(self.running | self.ended) == len(self.worker_deaths)

    def teardown(self) -> None:
        self.resume()
        self.others = 0
        self.decide()
        for _ in range(2 * len(self.worker_deaths) + 2):
            self.commit()
            for record in sorted(self.running):
                self.running.discard(record)
                self.ended.add(record)
                self.quarantine.ended(record)
                self.decide()
        assert self.ended == self.worker_deaths.keys()
        assert not self.pool_paused


Suspects.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestSuspects = Suspects.TestCase


def test_a_poison_has_died_alone_as_often_as_the_setting_says() -> None:
    assert [deaths for deaths in range(8) if is_poison(deaths, 3)] == [4, 5, 6, 7]
    assert is_poison(7, 6)
    assert not is_poison(6, 6)
