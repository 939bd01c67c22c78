"""Two workers, one topic of announcements that each reads with a delay of its own, rebalances, crashes, time.

Whatever happens: whoever is superseded can be told a success of his own problem that the broker has, no winner is ever
superseded, every request is answered, and a group with a good attempt has one that is verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamverify.core.groups.groups import GroupAttempt, Groups, Winner
from streamverify.core.job import RecordId
from streamverify.core.messages.models import Assurance

TTL = 100.0
MOST = 3
PARTITIONS = 2


class Sent(NamedTuple):
    """A record of the request topic."""

    record: RecordId
    scope: str
    custom_id: str
    asked: Assurance
    good: bool


class Result(NamedTuple):
    """A record of the result topic."""

    sent: Sent
    word: str
    """verified, rejected or superseded."""
    winner: Winner | None = None


@dataclass(eq=False)
class Worker:
    """What a worker does with its records, as the service does it."""

    groups: Groups = field(default_factory=lambda: Groups(ttl=TTL, most=MOST))
    heard: int = 0
    """How many announcements it has read."""
    running: dict[RecordId, tuple[Sent, bool]] = field(default_factory=dict)
    """Records that run or wait, and whether they are in quarantine."""
    unsent: list[Result] = field(default_factory=list)
    unacknowledged: list[Result] = field(default_factory=list)
    done: set[RecordId] = field(default_factory=set)
    """Records that are complete here, and not committed."""

    def attempt(self, sent: Sent, *, quarantined: bool = False) -> GroupAttempt:
        return GroupAttempt(sent.record, sent.scope, sent.custom_id, sent.asked, quarantined)


class GroupsMachine(RuleBasedStateMachine):
    """The cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.log: list[list[Sent]] = [[] for _ in range(PARTITIONS)]
        self.committed: set[RecordId] = set()
        self.workers = [Worker(), Worker()]
        self.owner: list[Worker | None] = [self.workers[number % 2] for number in range(PARTITIONS)]
        self.rebalancing = False
        self.quarantined: set[RecordId] = set()
        self.results: list[Result] = []
        self.announced: list[Winner] = []
        self.sent = 0

    # --- what happens -------------------------------------------------------------------------------------------

    @rule(
        partition=st.integers(0, PARTITIONS - 1),
        scope=st.sampled_from("gggh"),
        good=st.booleans(),
        asked=st.sampled_from([Assurance.CHECKED, Assurance.AUDITED]),
        again=st.sampled_from([False, False, False, True]),
    )
    def send(self, partition: int, scope: str, good: bool, asked: Assurance, again: bool) -> None:  # noqa: FBT001
        self.sent += not again
        record = RecordId(partition, len(self.log[partition]), 0)
        self.log[partition].append(Sent(record, scope, f"{scope}{max(self.sent, 1)}", asked, good))

    def undelivered(self, worker: Worker) -> list[Sent]:
        """The records that the worker is to get: of its partitions, and neither finished nor in its hands."""
        in_hand = worker.done | worker.running.keys()
        in_hand |= {each.sent.record for each in worker.unsent + worker.unacknowledged}
        mine = [log for log, owner in zip(self.log, self.owner, strict=True) if owner is worker]
        return [sent for log in mine for sent in log if sent.record not in self.committed | in_hand]

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        for sent in self.undelivered(worker)[:1]:
            self.take(worker, sent)

    def take(self, worker: Worker, sent: Sent) -> None:
        quarantined = sent.record in self.quarantined
        winner = worker.groups.enter(worker.attempt(sent, quarantined=quarantined), self.now)
        if winner is None:
            worker.running[sent.record] = (sent, quarantined)
        else:
            assert not quarantined
            worker.unsent.append(Result(sent, "superseded", winner))

    @precondition(lambda self: any(worker.running for worker in self.workers))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from([worker for worker in self.workers if worker.running]))
        self.end(worker, data.draw(st.sampled_from(sorted(worker.running))))

    def end(self, worker: Worker, record_id: RecordId) -> None:
        sent, _ = worker.running.pop(record_id)
        worker.groups.finished(record_id)
        worker.unsent.append(Result(sent, "verified" if sent.good else "rejected"))

    @precondition(lambda self: any(worker.unsent for worker in self.workers))
    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        """The broker has it; the worker does not know that yet."""
        self.publish_next(data.draw(st.sampled_from([worker for worker in self.workers if worker.unsent])))

    def publish_next(self, worker: Worker) -> None:
        result = worker.unsent.pop(0)
        ours = self.is_ours(worker, result.sent.record)
        # The service holds an inconclusive verdict during a rebalance, and drops it if the record is not ours.
        if result.word == "superseded" and ours is None:
            worker.unsent.append(result)
        elif result.word != "superseded" or ours:
            self.results.append(result)
            worker.unacknowledged.append(result)

    @precondition(lambda self: any(worker.unacknowledged for worker in self.workers))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        self.acknowledge_next(data.draw(st.sampled_from([each for each in self.workers if each.unacknowledged])))

    def acknowledge_next(self, worker: Worker) -> None:
        sent, word, *_ = worker.unacknowledged.pop(0)
        worker.done.add(sent.record)
        if word == "verified":
            ours = self.is_ours(worker, sent.record)
            winner = worker.groups.acknowledged(worker.attempt(sent), sent.asked, self.now, ours=ours)
            if winner is not None:
                self.announce(worker, winner)

    def announce(self, worker: Worker, winner: Winner) -> None:
        self.announced.append(winner)
        self.hear_of(worker, winner)

    def hear_of(self, worker: Worker, winner: Winner) -> None:
        for attempt in worker.groups.won(winner, self.now):
            sent, quarantined = worker.running.pop(attempt.record_id)
            assert not quarantined
            worker.unsent.append(Result(sent, "superseded", winner))

    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        if worker.heard < len(self.announced):
            self.hear_of(worker, self.announced[worker.heard])
            worker.heard += 1

    @rule(seconds=st.sampled_from([0.1, 1.0, TTL / 2, TTL]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def commit(self) -> None:
        for worker in self.workers:
            self.commit_of(worker)

    def commit_of(self, worker: Worker) -> None:
        self.committed |= {record for record in worker.done if self.is_ours(worker, record)}

    # --- rebalances and deaths ----------------------------------------------------------------------------------

    def is_ours(self, worker: Worker, record_id: RecordId) -> bool | None:
        return None if self.rebalancing else self.owner[record_id.partition] is worker

    @precondition(lambda self: not self.rebalancing)
    @rule()
    def revoke(self) -> None:
        """With the closing commit: nobody has died."""
        self.commit()
        self.quarantined -= self.committed
        self.rebalancing, self.before = True, self.owner
        self.owner = [None] * PARTITIONS

    @precondition(lambda self: self.rebalancing)
    @rule(owners=st.tuples(*[st.integers(0, 1)] * PARTITIONS))
    def assign(self, owners: tuple[int, ...]) -> None:
        self.rebalancing = False
        self.owner = [self.workers[number] for number in owners]
        for worker in self.workers:
            for record in [each for each in worker.running if self.owner[each.partition] is not worker]:
                # Those that wait are dropped; every second one is taken to run, and to go on.
                if record.offset % 2:
                    worker.groups.finished(record)
                    del worker.running[record]
            for winner in worker.groups.assignment_known(partial(self.is_ours, worker), self.now):
                self.announce(worker, winner)

    @precondition(lambda self: not self.rebalancing)
    @rule(number=st.integers(0, 1))
    def die(self, number: int) -> None:
        """All that it had in hand is delivered again, in quarantine; a new worker takes its place."""
        dead, other = self.workers[number], self.workers[1 - number]
        self.workers[number] = Worker()
        for partition, owner in enumerate(self.owner):
            if owner is dead:
                self.owner[partition] = other
                self.quarantined |= {sent.record for sent in self.log[partition]} - self.committed

    # --- what holds ---------------------------------------------------------------------------------------------

    @invariant()
    def whoever_is_superseded_can_be_told_a_success(self) -> None:
        verified: dict[tuple[str, str], list[Result]] = {}
        for result in self.results:
            sent = result.sent
            if result.word == "verified":
                verified.setdefault((sent.scope, sent.custom_id), []).append(result)
            elif result.winner is not None:
                winner = result.winner
                assert winner.custom_id != sent.custom_id
                won = verified[sent.scope, winner.custom_id]
                assert winner.scope == sent.scope
                assert any(list(Assurance).index(each.sent.asked) >= list(Assurance).index(sent.asked) for each in won)

    @invariant()
    def no_winner_is_superseded(self) -> None:
        winners = {(each.partition, each.offset) for each in self.announced}
        assert not [each for each in self.results if each.winner and each.sent.record[:2] in winners]

    @invariant()
    def memory_is_bounded(self) -> None:
        for worker in self.workers:
            assert len(worker.groups) <= MOST + len(worker.running) + sum(map(len, self.log))
            assert worker.groups._known <= MOST
            assert worker.groups._attempts.keys() <= worker.running.keys()

    def teardown(self) -> None:
        """Let everything come to its end."""
        if self.rebalancing:
            self.assign((0, 1))
        # Twice: what one worker had in hand may be the other's to answer.
        for worker in self.workers * 2:
            for sent in self.undelivered(worker):
                self.take(worker, sent)
            while worker.running or worker.unsent or worker.unacknowledged:
                if worker.unacknowledged:
                    self.acknowledge_next(worker)
                elif worker.unsent:
                    self.publish_next(worker)
                else:
                    self.end(worker, min(worker.running))
        self.whoever_is_superseded_can_be_told_a_success()
        self.no_winner_is_superseded()
        records = [each for log in self.log for each in log]
        for sent in records:
            words = {result.word for result in self.results if result.sent is sent}
            assert words, sent
            # The readers' rule: a definite verdict is not replaced by one that is none.
            assert words - {"superseded"} in (set(), {"verified" if sent.good else "rejected"})
        verified = {result.sent.scope for result in self.results if result.word == "verified"}
        assert verified == {sent.scope for sent in records if sent.good}


TestGroups = GroupsMachine.TestCase
TestGroups.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
