"""The partitions of one worker over all its assignments: what is delivered, and what is committed.

Pure: no I/O, no clock, no Kafka. The topic is one, so a partition is its number. To be read, with `PartitionState`, as
the specification of delivery, from the broker's word to what is committed:

    assign ─> restore ─> (first commit: open) ─> deliver, complete, commit … ─> closing commit ─> revoke ─> assign …

- Nothing is admitted or committed between `revoke` and `restore`; what is completed then is not forgotten.
- If a partition comes back with the commit that was last made here, its state is kept: nothing is delivered again.
  Otherwise we rebuild its state from the commit. Jobs that finished or still run here are matched when their offsets
  are redelivered.
- An offset is only ever run once at a time. If the log is no longer the one that was read (a delivery below the commit
  point, a group that was set back), the partition starts a new *epoch*: a record of an older one belongs to no worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.delivery.delivered_records import DeliveredRecords
from streamverify.core.delivery.flow_control import FlowControl
from streamverify.core.delivery.load import AdmissionLimits
from streamverify.core.delivery.partition_state import PartitionPhase, PartitionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamverify.core.delivery.commits import Committed
    from streamverify.core.delivery.partition_state import AdmissionOutcome, PartitionCommit, Restored
    from streamverify.core.job import RecordId


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit to be sent: the offset and metadata of each partition, and the records whose attempt it counts."""

    points: Mapping[int, Committed]
    attempts: frozenset[RecordId]
    closing: bool
    parts: tuple[PartitionCommit, ...] = field(repr=False)


class Partitions:
    """The partitions that this worker has or had: their assignment and their commits.

    What becomes of a single record is said to `records`, and what is paused is decided by `flow`.
    """

    def __init__(self, topic: str, limits: AdmissionLimits | None = None) -> None:
        self._topic = topic
        self._limits = limits or AdmissionLimits()
        self._states: dict[int, PartitionState] = {}
        # Each looks at the same partitions: who answers records needs no assignment, and who commits no records.
        self.records = DeliveredRecords(self._states)
        self.flow = FlowControl(self._limits, self._states)
        self._assigned: frozenset[int] | None = None
        """None: the group has not decided."""

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
            state.phase = PartitionPhase.RESTORING
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

    # --- records ------------------------------------------------------------------------------------------------

    def deliver(self, partition: int, offset: int, size: int) -> AdmissionOutcome | None:
        """Take a delivered record of `size` bytes in.

        Returns:
            What became of it; None where the partition is not ours, or not restored.
        """
        state = self._states.get(partition)
        if state is None or not state.is_owned:
            return None
        regressed_from = state.note_regression(offset)
        # Only now: a regression has emptied the partition.
        has_room = self.flow.has_room_for(size)
        return state.deliver(offset, size, worker_is_full=not has_room, regressed_from=regressed_from)

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
            part.state.tracker.changed = True

    @property
    def commit_is_due(self) -> bool:
        """True if something has changed since the last commit was made."""
        return any(state.commit_is_due for state in self._states.values())

    # --- what others see ----------------------------------------------------------------------------------------

    def restored(self) -> frozenset[int]:
        """The partitions that are ours now."""
        return frozenset(partition for partition, state in self._states.items() if state.is_owned)

    def map_bytes(self) -> dict[int, int]:
        """The bytes of the last commit's metadata of each partition that is ours."""
        return {partition: state.commits.map_bytes for partition, state in self._states.items() if state.is_owned}

    def readable(self, *, paused: bool = False) -> Mapping[int, int]:
        """The partitions that are not paused, or with `paused` all that are ours, and the next offset of each."""
        owned = ((partition, state) for partition, state in self._states.items() if state.is_owned)
        return {partition: state.tracker.next for partition, state in owned if paused or not state.paused}

    def quarantined(self) -> frozenset[int]:
        """The partitions whose records are run only after a commit has their attempt."""
        return frozenset(partition for partition, state in self._states.items() if state.tracker.suspects)
