"""The partitions that are paused, and when they are resumed. Pure: no I/O, no clock.

Kafka's Javadoc calls it consumption flow control: a paused partition is polled and yields nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamverify.core.delivery.load import AdmissionLimits
    from streamverify.core.delivery.partition_state import PartitionState


class Pauses(NamedTuple):
    """Partitions to pause and partitions to resume."""

    pause: frozenset[int]
    resume: frozenset[int]


class FlowControl:
    """The limits of all partitions together, and the pauses. Each partition goes this way:

    revoked, or without room for a record ──> PAUSED ── open, and half of the load's limits free ──> RESUMED
    RESUMED ── a limit of the partition or of the worker is reached ──> PAUSED
    any ── drain ──> PAUSED, for good
    """  # noqa: D415 - ends with the diagram

    def __init__(self, limits: AdmissionLimits, states: Mapping[int, PartitionState]) -> None:
        """Pause the partitions of `states`, which are kept up to date by `Partitions`."""
        self._limits = limits
        self._states = states
        self.is_draining = False
        """True once the worker takes no more records."""

    def has_room_for(self, size: int) -> bool:
        """Tell whether the worker may take one more record of `size` bytes."""
        limits, in_flight = self._limits, self.in_flight
        # A record that is larger than the limit is taken when it is the only one: it would wait for ever.
        fits = in_flight == 0 or self.bytes + size <= limits.worker_bytes
        return fits and in_flight < limits.worker_records

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
                state.paused = False
                resume.add(partition)
        return Pauses(frozenset(pause), frozenset(resume))

    @property
    def in_flight(self) -> int:
        """Records queued, running, or finished since the last acknowledged commit."""
        return sum(state.load.records for state in self._states.values())

    @property
    def bytes(self) -> int:
        """Bytes of the records in flight."""
        return sum(state.load.bytes for state in self._states.values())

    def in_flight_of(self, partition: int) -> int:
        """Records of one of our partitions that are in flight."""
        state = self._states.get(partition)
        return 0 if state is None else state.load.records
