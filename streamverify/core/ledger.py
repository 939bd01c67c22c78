"""What this worker owes the partitions it owns: deliveries, completions, commits and pauses.

Pure: no I/O, no clock, no Kafka. The topic is one, so a partition is its number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.offsets import OffsetTracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Limits(NamedTuple):
    """How much may be in flight: queued, running, or finished since the last acknowledged commit.

    A partition is paused at `records` of its own, or where the worker holds `worker_bytes`, and resumed at half.
    """

    records: int = 1_000
    worker_bytes: int = 64 * 1024 * 1024


class Pauses(NamedTuple):
    """Partitions to pause and partitions to resume."""

    pause: frozenset[int]
    resume: frozenset[int]


@dataclass(slots=True)
class _Share:
    """One owned partition."""

    tracker: OffsetTracker
    committed: int
    sizes: dict[int, int] = field(default_factory=dict)
    """Bytes of each incomplete record."""
    in_flight: int = 0
    finished: int = 0
    """Completed since the last acknowledged commit; they count as in flight until the next."""
    finished_bytes: int = 0
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """Offsets to commit, and what an acknowledgement of them releases."""

    assignment: int
    points: Mapping[int, int]
    released: Mapping[int, tuple[int, int]] = field(repr=False)


class Ledger:
    """The partitions of the current assignment.

    Assignments are numbered. Whatever finishes under the number of an assignment that has ended is ignored here: it
    is no longer ours to complete.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._shares: dict[int, _Share] = {}
        self._bytes = 0
        self.assignment = 0

    def begin(self) -> int:
        """Start a new assignment, without partitions yet, and return its number."""
        self.end()
        self.assignment += 1
        return self.assignment

    def own(self, partition: int, start: int) -> None:
        """The partition is restored and will be read from the offset `start`, which is what is committed."""
        self._shares[partition] = _Share(OffsetTracker(start), committed=start)

    def end(self) -> None:
        """The assignment is over: nothing is owned, nothing can be completed or committed."""
        self._shares.clear()
        self._bytes = 0

    def owns(self, partition: int, assignment: int) -> bool:
        """Whether a job of this partition and assignment may still complete its offset."""
        return assignment == self.assignment and partition in self._shares

    def admit(self, partition: int, offset: int, size: int) -> bool:
        """Take a delivered record of `size` bytes in; False for one that is not ours or was delivered before."""
        share = self._shares.get(partition)
        if share is None or not share.tracker.admit(offset):
            return False
        share.sizes[offset] = size
        share.in_flight += 1
        self._bytes += size
        return True

    def complete(self, partition: int, offset: int, assignment: int) -> None:
        """The answer to the record is acknowledged by the broker. Ignored where the record is no longer ours."""
        if not self.owns(partition, assignment):
            return
        share = self._shares[partition]
        share.tracker.complete(offset)
        share.finished += 1
        share.finished_bytes += share.sizes.pop(offset)

    def commit(self) -> Commit | None:
        """What has changed since the last acknowledged commit, or None."""
        changed = {
            partition: share
            for partition, share in self._shares.items()
            if share.tracker.commit_point != share.committed
        }
        if not changed:
            return None
        return Commit(
            self.assignment,
            {partition: share.tracker.commit_point for partition, share in changed.items()},
            {partition: (share.finished, share.finished_bytes) for partition, share in changed.items()},
        )

    def acknowledged(self, commit: Commit) -> None:
        """The broker has acknowledged `commit`."""
        if commit.assignment != self.assignment:
            return
        for partition, point in commit.points.items():
            share = self._shares.get(partition)
            if share is not None:
                self._release(share, *commit.released[partition])
                share.committed = point

    def _release(self, share: _Share, records: int, size: int) -> None:
        share.in_flight -= records
        share.finished -= records
        share.finished_bytes -= size
        self._bytes -= size

    def pauses(self) -> Pauses:
        """What to pause and resume now; it is taken as done."""
        full = self._bytes >= self._limits.worker_bytes
        easy = self._bytes <= self._limits.worker_bytes // 2
        pause, resume = set(), set()
        for partition, share in self._shares.items():
            if not share.paused and (full or share.in_flight >= self._limits.records):
                pause.add(partition)
            elif share.paused and easy and share.in_flight <= self._limits.records // 2:
                resume.add(partition)
        self._mark(pause, paused=True)
        self._mark(resume, paused=False)
        return Pauses(frozenset(pause), frozenset(resume))

    def _mark(self, partitions: Iterable[int], *, paused: bool) -> None:
        for partition in partitions:
            self._shares[partition].paused = paused

    @property
    def in_flight(self) -> int:
        """Records queued, running, or finished since the last acknowledged commit."""
        return sum(share.in_flight for share in self._shares.values())
