"""The partitions of one worker over all its assignments: deliveries, completions, commits and pauses.

Pure: no I/O, no clock, no Kafka. The topic is one, so a partition is its number. To be read, with `PartitionState`, as
the specification of delivery, from the broker's word to what is committed:

    assign ─> restore ─> (first commit: open) ─> deliver, complete, commit … ─> closing commit ─> revoke ─> assign …

- Nothing is admitted or committed between `revoke` and `restore`; what is completed then is not forgotten.
- If a partition comes back with the commit that was last made here, its state is kept: nothing is delivered again.
  Otherwise we rebuild its state from the commit. Jobs that finished or still run here are matched when their offsets
  are redelivered.
- An offset is only ever run once at a time. If the log is no longer the one that was read (a delivery below the commit
  point, a group that was set back), the partition starts a new *epoch*: a record of an older one is nobody's any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.delivery.partition_state import AdmissionLimits, Committed, Ownership, PartitionState, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamverify.core.delivery.partition_state import Admission, PartitionCommit, Restored
    from streamverify.core.job import RecordId


class Pauses(NamedTuple):
    """Partitions to pause and partitions to resume."""

    pause: frozenset[int]
    resume: frozenset[int]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit to be sent: the offset and metadata of each partition, and the records whose attempt it counts."""

    points: Mapping[int, Committed]
    attempts: frozenset[RecordId]
    closing: bool
    parts: tuple[PartitionCommit, ...] = field(repr=False)


class Partitions:
    """The partitions that this worker has or had, and the limits of all of them together."""

    def __init__(self, topic: str, limits: AdmissionLimits | None = None) -> None:
        self._topic = topic
        self._limits = limits or AdmissionLimits()
        self._states: dict[int, PartitionState] = {}
        self._assigned: frozenset[int] | None = None
        """None: the group has not decided."""
        self.is_draining = False
        """Whether the worker takes no more records."""

    # --- rebalances ---------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        """The group takes everything back. Whose each partition is, the next assignment will say."""
        self._assigned = None
        # Those of other workers, too: until the next assignment they may just as well come back.
        for state in self._states.values():
            state.revoke()

    def assign(self, partitions: Iterable[int]) -> frozenset[int]:
        """The group has decided.

        Returns:
            The partitions that are another worker's now: what is queued of them is to be dropped.
        """
        self.revoke()
        self._assigned = frozenset(partitions)
        for partition in self._assigned:
            # What is known of a partition that we had before is kept until its commit is read: `restore` decides.
            state = self._states.setdefault(partition, PartitionState(self._topic, partition, self._limits))
            state.phase = Phase.RESTORING
        lost = frozenset(self._states.keys() - self._assigned)
        for partition in lost:
            self._states[partition].lose()
        return lost

    def restore(self, partition: int, read: Committed | None, beginning: int) -> Restored:
        """Take an assigned partition over from where the broker says that the group stands.

        Args:
            partition: One of the current assignment, not restored yet.
            read: The group's commit, None if it has not committed.
            beginning: The first offset of the log, read from where there is no commit.
        """
        return self._states[partition].restore(read, beginning)

    @property
    def are_restored(self) -> bool:
        """True if the group has decided, and every assigned partition is restored."""
        return self._assigned is not None and self._assigned <= self.restored()

    def ownership(self, record: RecordId) -> Ownership:
        """Tell whether the record still has to be answered here."""
        state = self._states.get(record.partition)
        return Ownership.LOST if state is None else state.ownership(record)

    def is_ours(self, record: RecordId) -> bool | None:
        """Tell whether the record's partition is ours, finished or not as the record may be; None: that is open."""
        state = self._current(record)
        if state is None or state.phase is Phase.LOST:
            return False
        return True if state.is_owned else None

    # --- records ------------------------------------------------------------------------------------------------

    def deliver(self, partition: int, offset: int, size: int) -> Admission | None:
        """Take a delivered record of `size` bytes in.

        Returns:
            What became of it; None where the partition is not ours, or not restored.
        """
        state = self._states.get(partition)
        if state is None or not state.is_owned:
            return None
        regressed_from = state.note_regression(offset)
        limits, in_flight = self._limits, self.in_flight
        # A record that is larger than the limit is taken when it is the only one: it would wait for ever.
        is_full = in_flight >= limits.worker_records or (in_flight > 0 and self.bytes + size > limits.worker_bytes)
        return state.deliver(offset, size, worker_is_full=is_full, regressed_from=regressed_from)

    def complete(self, record: RecordId) -> None:
        """The broker has the answer to the record. Whoever owns the partition by now, it is not run here again."""
        if state := self._current(record):
            state.complete(record.offset)

    def forget(self, record: RecordId) -> None:
        """The work on the record ended without a result, or was dropped: delivered again, the record is new."""
        if state := self._current(record):
            state.tracker.forget(record.offset)

    def record_attempt(self, record: RecordId) -> None:
        """Have the next commit say that the record is about to be run."""
        if state := self._current(record):
            state.record_attempt(record.offset)

    def withdraw_attempt(self, record: RecordId) -> None:
        """Have the next commit say that the record is not run after all."""
        if state := self._current(record):
            state.withdraw_attempt(record.offset)

    def _current(self, record: RecordId) -> PartitionState | None:
        """The state of the record's partition, None where the record is of an older epoch."""
        state = self._states.get(record.partition)
        return state if state is not None and state.epoch == record.epoch else None

    # --- commits ------------------------------------------------------------------------------------------------

    def commit(self, *, closing: bool = False) -> Commit | None:
        """Make a commit of what has changed since the last acknowledged one; None if nothing has.

        Args:
            closing: It is the last of this assignment: whatever runs has not died, and is not counted as an attempt.
        """
        parts: list[PartitionCommit] = []
        points: dict[int, Committed] = {}
        attempts: set[RecordId] = set()
        for partition, state in self._states.items():
            if part := state.commit(closing=closing):
                parts.append(part)
                points[partition] = part.point
                attempts |= part.attempts
        return Commit(points, frozenset(attempts), closing, tuple(parts)) if parts else None

    def acknowledged(self, commit: Commit) -> None:
        """The broker has `commit`."""
        for part in commit.parts:
            part.state.acknowledged(part, closing=commit.closing)

    def failed(self, commit: Commit) -> None:
        """`commit` failed, or nothing was heard of it: what it said is still to be committed."""
        for part in commit.parts:
            part.state.changed = True

    @property
    def commit_is_due(self) -> bool:
        """True if something has changed since the last commit was made."""
        return any(state.commit_is_due for state in self._states.values())

    # --- pauses -------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Resume nothing any more."""
        self.is_draining = True
        for state in self._states.values():
            state.paused = True

    def pauses(self) -> Pauses:
        """Decide which partitions to pause and to resume now; the caller carries it out."""
        limits, in_flight, size = self._limits, self.in_flight, self.bytes
        full = size >= limits.worker_bytes or in_flight >= limits.worker_records
        # Not before half of it is done: a partition would be paused and resumed for each record.
        room = size <= limits.worker_bytes // 2 and in_flight <= limits.worker_records // 2
        pause, resume = set(), set()
        for partition, state in self._states.items():
            if not state.is_owned:
                continue
            if not state.paused and (full or state.load.is_full):
                state.paused = True
                pause.add(partition)
            elif state.paused and room and state.may_resume and not self.is_draining:
                state.resume()
                resume.add(partition)
        return Pauses(frozenset(pause), frozenset(resume))

    # --- what others see ----------------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Records queued, running, or finished since the last acknowledged commit."""
        return sum(state.load.records for state in self._states.values())

    @property
    def bytes(self) -> int:
        """Bytes of the records in flight."""
        return sum(state.load.bytes for state in self._states.values())

    def restored(self) -> frozenset[int]:
        """The partitions that are ours now."""
        return frozenset(partition for partition, state in self._states.items() if state.is_owned)

    def map_bytes(self) -> dict[int, int]:
        """The bytes of the last commit's metadata of each partition that is ours."""
        return {partition: state.map_bytes for partition, state in self._states.items() if state.is_owned}

    def readable(self, *, paused: bool = False) -> Mapping[int, int]:
        """The partitions that are not paused, or with `paused` all that are ours, and the next offset of each."""
        owned = ((partition, state) for partition, state in self._states.items() if state.is_owned)
        return {partition: state.tracker.next for partition, state in owned if paused or not state.paused}

    def in_flight_of(self, partition: int) -> int:
        """Records of one of our partitions that are in flight."""
        state = self._states.get(partition)
        return 0 if state is None else state.load.records

    def quarantined(self) -> frozenset[int]:
        """The partitions whose records are run only after a commit has their attempt."""
        return frozenset(partition for partition, state in self._states.items() if state.tracker.quarantined)
