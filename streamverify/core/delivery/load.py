"""Counts how much of a partition is in flight, against how much may be. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

from streamverify.core.delivery.offset_map import MAX_INCOMPLETE, MAX_WINDOW


class AdmissionLimits(NamedTuple):
    """Limits of what is in flight: queued, running, or finished since the last acknowledged commit.

    At a limit nothing more is admitted; at half of it admission goes on. The records and the window of a partition
    are what an offset map has room for. A single record is admitted whatever its size if nothing else is in flight.
    """

    records: int = MAX_INCOMPLETE
    window: int = MAX_WINDOW
    partition_bytes: int = 16 * 1024 * 1024
    worker_records: int = 8_000
    worker_bytes: int = 64 * 1024 * 1024


class PartitionLoad:
    """The load of a partition: records queued, running, or finished since the last acknowledged commit."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self.records = 0
        self.bytes = 0
        self.finished = 0
        """Records completed since the last acknowledged commit; they count as in flight until the next."""
        self.finished_bytes = 0
        self._limits = limits
        self._sizes: dict[int, int] = {}
        """Bytes of each admitted record that is not complete."""

    def has_room_for(self, size: int) -> bool:
        """Tell whether a record of `size` bytes is within the limits, or the only one: that would wait for ever."""
        fits = self.records == 0 or self.bytes + size <= self._limits.partition_bytes
        return fits and self.records < self._limits.records

    def admit(self, offset: int, size: int) -> None:
        """A record of `size` bytes is in flight."""
        self._sizes[offset] = size
        self.records += 1
        self.bytes += size

    def finish(self, offset: int) -> None:
        """A record is completed: the next commit says so."""
        self.finished += 1
        self.finished_bytes += self._sizes.pop(offset, 0)

    def release(self, records: int, size: int) -> None:
        """A commit is acknowledged that says of so many records that they are finished."""
        self.finished -= records
        self.finished_bytes -= size
        self.records -= records
        self.bytes -= size

    @property
    def is_full(self) -> bool:
        """True if the partition is at one of its limits."""
        return self.records >= self._limits.records or self.bytes >= self._limits.partition_bytes

    @property
    def is_half_empty(self) -> bool:
        """True if the partition is at half of its limits or below: it is resumed only then, not for each record."""
        return self.records <= self._limits.records // 2 and self.bytes <= self._limits.partition_bytes // 2
