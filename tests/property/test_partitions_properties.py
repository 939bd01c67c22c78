"""Two workers and their partitions, as a state machine: whatever happens, nothing is lost, and little is repeated.

Partitions go from one worker to the other, are taken, changed or not, and given back; commits fail, or their
acknowledgement is lost; workers crash at any step, or sleep through a rebalance; compaction thins the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streamverify.core.delivery.load import AdmissionLimits
from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.delivery.offset_tracker import Delivery
from streamverify.core.delivery.partition_state import Ownership
from streamverify.core.delivery.partitions import Commit, Partitions

if TYPE_CHECKING:
    from streamverify.core.delivery.commits import Committed
    from streamverify.core.job import RecordId

TOPIC = "t"
LIMITS = AdmissionLimits(records=6, window=12, partition_bytes=30, worker_records=9, worker_bytes=50)
PARTITIONS = (0, 1)
LENGTH = 120
OUTCOMES = ("acknowledged", "acknowledged", "lost", "failed")
ACTIONS = [*["fetch"] * 3, *["start", "finish", "commit", "rebalance"] * 2, "crash", "compact", "restore_all"]


@dataclass(eq=False)
class Life:
    """A worker from its start to its end."""

    partitions: Partitions = field(default_factory=lambda: Partitions(TOPIC, LIMITS))
    generation: int = -1
    assigned: frozenset[int] = frozenset()
    restored: set[int] = field(default_factory=set)
    position: dict[int, int] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)
    queued: set[RecordId] = field(default_factory=set)
    running: set[RecordId] = field(default_factory=set)
    held: set[RecordId] = field(default_factory=set)
    answered: set[tuple[int, int]] = field(default_factory=set)
    read: dict[int, OffsetMap] = field(default_factory=dict)

    def knows_as_done(self, partition: int, offset: int) -> bool:
        """Whether the commit from which the partition was restored says that it is finished."""
        read = self.read.get(partition)
        return read is not None and offset < read.end and offset not in read.incomplete


class Group(RuleBasedStateMachine):
    """The broker, and two workers in a group."""

    def __init__(self) -> None:
        super().__init__()
        self.log = {partition: set(range(LENGTH)) for partition in PARTITIONS}
        self.committed: dict[int, Committed | None] = dict.fromkeys(PARTITIONS)
        self.answered: set[tuple[int, int]] = set()
        self.generation = 0
        self.workers = [Life(), Life()]

    @initialize(missing=st.sets(st.tuples(st.sampled_from(PARTITIONS), st.integers(0, LENGTH - 1)), max_size=12))
    def compacted_before(self, missing: set[tuple[int, int]]) -> None:
        for partition, offset in missing:
            self.log[partition].discard(offset)
        self.generation += 1
        for worker, partition in zip(self.workers, PARTITIONS, strict=True):
            self.assign(worker, frozenset({partition}))
            self.restore(worker)
            self.send(worker, worker.partitions.commit(), "acknowledged")

    @rule(rng=st.randoms(use_true_random=False), action=st.sampled_from(ACTIONS))
    def step(self, rng: Random, action: str) -> None:
        """One rule for all: hypothesis leaves out rules at random, and what is to be found takes most of them."""
        getattr(self, action)(rng)

    # --- rebalances ---------------------------------------------------------------------------------------------

    def rebalance(self, rng: Random) -> None:
        owners = [rng.choice((0, 1, None)) for _ in PARTITIONS]
        outcomes = [rng.choice(OUTCOMES) for _ in self.workers]
        asleep = rng.choice((None, None, 0, 1))
        for number, worker in enumerate(self.workers):
            if number != asleep:
                self.revoke(worker, outcomes[number])
        self.generation += 1
        for number, worker in enumerate(self.workers):
            if number != asleep:
                self.assign(worker, frozenset(p for p in PARTITIONS if owners[p] == number))
            if rng.choice((True, True, True, False)):
                self.restore(worker)
                self.send(worker, worker.partitions.commit(), "acknowledged")

    def revoke(self, worker: Life, outcome: str) -> None:
        self.send(worker, worker.partitions.commit(closing=True), outcome)
        worker.partitions.revoke()
        worker.restored.clear()

    def assign(self, worker: Life, partitions: frozenset[int]) -> None:
        worker.generation = self.generation
        worker.assigned = partitions
        for partition in worker.partitions.assign(partitions):
            self.drop(worker, partition)
        self.settle(worker)

    def drop(self, worker: Life, partition: int) -> None:
        for record in [record for record in worker.queued if record.partition == partition]:
            worker.queued.discard(record)
            worker.partitions.records.forget(record)

    def restore(self, worker: Life) -> None:
        for partition in worker.assigned - worker.restored:
            if worker.generation != self.generation:
                continue
            read = self.committed[partition]
            found = worker.partitions.restore(partition, read, 0)
            assert found.regressed_from is None
            assert found.unreadable is None
            if not found.kept:
                self.drop(worker, partition)
            if read is not None:
                worker.read[partition] = decode_map(read.metadata, TOPIC, partition, read.offset)
            for record in worker.queued:
                assert not (record.partition == partition and worker.knows_as_done(*record[:2])), "queued, and finished"
            worker.position[partition] = found.position
            worker.paused.add(partition)
            worker.restored.add(partition)
        self.settle(worker)

    def restore_all(self, _: Random) -> None:
        for worker in self.workers:
            self.restore(worker)
            self.apply_pauses(worker)

    def settle(self, worker: Life) -> None:
        held, worker.held = worker.held, set()
        for record in held:
            self.end(worker, record, definite=False)

    def crash(self, rng: Random) -> None:
        self.workers[rng.randint(0, 1)] = Life()

    # --- records ------------------------------------------------------------------------------------------------

    def fetch(self, rng: Random) -> None:
        worker = rng.choice(self.workers)
        for size in rng.choices(range(1, 9), k=rng.randint(1, 6)):
            self.deliver(worker, rng.choice(PARTITIONS), size)

    def deliver(self, worker: Life, partition: int, size: int) -> None:
        if partition not in worker.restored or partition in worker.paused:
            return
        left = [offset for offset in self.log[partition] if offset >= worker.position[partition]]
        if not left:
            return
        offset = min(left)
        admission = worker.partitions.deliver(partition, offset, size)
        assert admission is not None
        assert admission.regressed_from is None
        if admission.delivery is None:
            worker.position[partition] = offset
            worker.paused.add(partition)
            return
        worker.position[partition] = offset + 1
        assert admission.delivery is not Delivery.REPEATED
        running = {record[:2] for record in worker.queued | worker.running | worker.held}
        if admission.delivery is Delivery.NEW:
            assert (partition, offset) not in worker.answered, "answered here, and run again"
            assert (partition, offset) not in running, "run twice at once"
            assert not worker.knows_as_done(partition, offset), "finished and snapshotted, and repeated"
            worker.queued.add(admission.id)
        elif admission.delivery is Delivery.RUNNING:
            assert (partition, offset) in running, "waits for nothing"
        else:
            assert (partition, offset) in self.answered

    def start(self, rng: Random) -> None:
        worker = rng.choice(self.workers)
        for _ in range(rng.randint(0, len(worker.queued))):
            record = rng.choice(sorted(worker.queued))
            worker.queued.discard(record)
            worker.running.add(record)

    def finish(self, rng: Random) -> None:
        worker = rng.choice(self.workers)
        for _ in range(rng.randint(0, len(worker.running))):
            record = rng.choice(sorted(worker.running))
            worker.running.discard(record)
            self.end(worker, record, definite=rng.random() < 0.7)

    def end(self, worker: Life, record_id: RecordId, *, definite: bool) -> None:
        ownership = worker.partitions.records.ownership(record_id)
        if definite or ownership is Ownership.OWNED:
            assert definite or not worker.knows_as_done(*record_id[:2]), "an inconclusive result after the verdict"
            self.answered.add(record_id[:2])
            worker.answered.add(record_id[:2])
            worker.partitions.records.complete(record_id)
        elif ownership is Ownership.UNKNOWN:
            worker.held.add(record_id)
        else:
            worker.partitions.records.forget(record_id)

    def compact(self, rng: Random) -> None:
        partition, offset = rng.choice(PARTITIONS), rng.randint(0, LENGTH - 1)
        if all(worker.position.get(partition, 0) <= offset for worker in self.workers):
            self.log[partition].discard(offset)

    # --- commits ------------------------------------------------------------------------------------------------

    def commit(self, rng: Random) -> None:
        worker = rng.choice(self.workers)
        self.send(worker, worker.partitions.commit(), rng.choice(OUTCOMES))

    def send(self, worker: Life, commit: Commit | None, outcome: str) -> None:
        if commit is None:
            return
        assert commit.points.keys() <= worker.restored, "commits what is not restored"
        if worker.generation != self.generation or outcome == "failed":
            worker.partitions.failed(commit)
            return
        for partition, point in commit.points.items():
            before = self.committed[partition]
            assert before is None or before.offset <= point.offset, "the group is set back"
        self.committed.update(commit.points)
        if outcome == "lost":
            worker.partitions.failed(commit)
        else:
            worker.partitions.acknowledged(commit)
            self.apply_pauses(worker)

    def apply_pauses(self, worker: Life) -> None:
        pauses = worker.partitions.flow.pauses()
        worker.paused = (worker.paused | pauses.pause) - pauses.resume

    # --- promises -----------------------------------------------------------------------------------------------

    @invariant()
    def what_is_committed_as_done_is_answered_or_does_not_exist(self) -> None:
        for partition, offsets in self.maps().items():
            for offset in self.log[partition]:
                if offset < offsets.end and offset not in offsets.incomplete:
                    assert (partition, offset) in self.answered

    def maps(self) -> dict[int, OffsetMap]:
        return {
            partition: decode_map(point.metadata, TOPIC, partition, point.offset)
            for partition, point in self.committed.items()
            if point is not None
        }

    @invariant()
    def no_more_is_in_flight_than_is_allowed(self) -> None:
        for worker in self.workers:
            assert 0 <= worker.partitions.flow.in_flight <= LIMITS.worker_records
            assert worker.partitions.flow.bytes <= LIMITS.worker_bytes
        for offsets in self.maps().values():
            assert offsets.end - offsets.base <= LIMITS.window
            assert len(offsets.incomplete) <= LIMITS.records

    def teardown(self) -> None:
        """From wherever it is: one worker that gets everything answers everything, and commits it."""
        worker = self.workers[0]
        self.revoke(worker, "failed")
        self.generation += 1
        self.assign(worker, frozenset(PARTITIONS))
        self.restore(worker)
        for _ in range(4 * LENGTH):
            self.send(worker, worker.partitions.commit(), "acknowledged")
            self.apply_pauses(worker)
            for partition in PARTITIONS:
                self.deliver(worker, partition, 5)
            worker.running |= worker.queued
            worker.queued.clear()
            if worker.running:
                record = worker.running.pop()
                self.end(worker, record, definite=True)
        self.send(worker, worker.partitions.commit(closing=True), "acknowledged")
        for partition, offsets in self.maps().items():
            assert all((partition, offset) in self.answered for offset in self.log[partition])
            assert offsets.incomplete == {}
            assert offsets.base > max(self.log[partition], default=-1)
        assert worker.partitions.flow.in_flight == 0
        super().teardown()


Group.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestGroup = Group.TestCase


@pytest.mark.parametrize("seed", range(40))
def test_long_lives(seed: int) -> None:
    """Hypothesis finds small cases; these are states that take hundreds of steps."""
    rng = Random(seed)  # noqa: S311 - a test
    group = Group()
    group.compacted_before({(rng.choice(PARTITIONS), rng.randrange(LENGTH)) for _ in range(rng.choice((0, 0, 10)))})
    for _ in range(300):
        group.step(rng, rng.choice(ACTIONS))
        group.what_is_committed_as_done_is_answered_or_does_not_exist()
        group.no_more_is_in_flight_than_is_allowed()
    group.teardown()
