"""Tells a partition what becomes of each delivered record, if it still has that record. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.delivery.partition_state import Ownership, PartitionPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.delivery.partition_state import PartitionState
    from streamverify.core.job import RecordId


class DeliveredRecords:
    """The records that were delivered to this worker, whoever owns their partitions by now.

    What becomes of a record of an older epoch is ignored: its offset names another record by now.
    """

    def __init__(self, states: Mapping[int, PartitionState]) -> None:
        """Look the records up in the partitions of `states`, which are kept up to date by `Partitions`."""
        self._states = states

    def ownership(self, record_id: RecordId) -> Ownership:
        """Tell whether the record still has to be answered here."""
        state = self._states.get(record_id.partition)
        return Ownership.LOST if state is None else state.ownership(record_id)

    def is_ours(self, record_id: RecordId) -> bool | None:
        """Tell whether the record's partition is ours, finished or not as the record may be; None: that is open."""
        # Where another worker has it, the success of a group is that worker's to announce.
        state = self._current(record_id)
        if state is None or state.phase is PartitionPhase.LOST:
            return False
        return True if state.is_owned else None

    def complete(self, record_id: RecordId) -> None:
        """The broker has the answer to the record. Whoever owns the partition by now, it is not run here again."""
        if state := self._current(record_id):
            state.complete(record_id.offset)

    def forget(self, record_id: RecordId) -> None:
        """The work on the record ended without a result, or was dropped: delivered again, the record is new."""
        if state := self._current(record_id):
            state.tracker.forget(record_id.offset)

    def record_attempt(self, record_id: RecordId) -> None:
        """Have the next commit say that the record is about to be run."""
        if state := self._current(record_id):
            state.tracker.record_attempt(record_id.offset)

    def withdraw_attempt(self, record_id: RecordId) -> None:
        """Have the next commit say that the record is not run after all."""
        if state := self._current(record_id):
            state.tracker.withdraw_attempt(record_id.offset)

    def _current(self, record_id: RecordId) -> PartitionState | None:
        """The state of the record's partition, None where the record is of an older epoch."""
        state = self._states.get(record_id.partition)
        return state if state is not None and state.epoch == record_id.epoch else None
