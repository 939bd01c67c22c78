"""One partition of a worker, from its first assignment to the end of the worker. Pure: no I/O, no clock."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.delivery.commits import Committed, SentCommits
from streamverify.core.delivery.load import PartitionLoad
from streamverify.core.delivery.offset_map import OffsetMap, decode_map, encode_map
from streamverify.core.delivery.offset_tracker import Delivery, LocalWork, OffsetTracker
from streamverify.core.errors import UndecodableOffsetMap
from streamverify.core.job import RecordId

if TYPE_CHECKING:
    from streamverify.core.delivery.load import AdmissionLimits


class Ownership(Enum):
    """Says whether this worker still has to answer a record."""

    OWNED = auto()
    """The partition is ours and the record is not finished."""
    UNKNOWN = auto()
    """A rebalance is under way, or the partition's commit has not been read yet."""
    LOST = auto()
    """The partition is another worker's, or somebody has finished the record."""


class PartitionPhase(Enum):
    """The phases of a partition; `PartitionState` has the diagram."""

    LOST = auto()
    """The group has given it to another worker."""
    REVOKED = auto()
    """The group has taken it back; the next assignment says whose it is."""
    RESTORING = auto()
    """It is ours, and its commit has not been read yet."""
    CLOSED = auto()
    """It is restored, and stays paused until the broker has the commit that flags its map as open."""
    OPEN = auto()
    """The broker has the open flag: if this worker dies, the next owner will know."""


class AdmissionOutcome(NamedTuple):
    """The outcome of a delivery: the record is admitted, or refused for want of room."""

    id: RecordId
    delivery: Delivery | None
    """None: there was no room. Read on from the record's offset when the partition is resumed."""
    worker_deaths: int = 0
    """The number of times that a worker has died with the record running."""
    quarantined: bool = False
    """True where the record is run only after a commit has its attempt."""
    skipped_from: int | None = None
    """The first of the offsets before the record that were never delivered, None where there are none."""
    regressed_from: int | None = None
    """The offset that was due, where the log went back to below what was committed: a new epoch began."""

    @property
    def is_new(self) -> bool:
        """True if the record is to be worked on."""
        return self.delivery is Delivery.NEW


class Restored(NamedTuple):
    """The outcome of restoring a partition."""

    position: int
    """The offset to read from."""
    kept: bool
    """True: the queued records stay queued. False: drop them, they will be delivered again."""
    quarantined: bool = False
    unreadable: str | None = None
    """The reason if the offset map could not be used."""
    regressed_from: int | None = None
    """The offset that was committed here last, where the group now stands before it: a new epoch began."""


class PartitionCommit(NamedTuple):
    """One partition's part of a commit, and how much an acknowledgement of it frees."""

    state: PartitionState
    tracker: OffsetTracker
    point: Committed
    attempts: frozenset[RecordId]
    records: int
    bytes: int


class PartitionState:
    """One partition: its phase, its offsets, its last commits, and its load.

        any phase ── revoke ──> REVOKED ── assigned here ──> RESTORING ── restore ──> CLOSED
                                REVOKED ── assigned elsewhere ──> LOST
        CLOSED ── a commit is acknowledged ──> OPEN ── the closing commit is acknowledged ──> CLOSED
        Records are delivered and commits are made in CLOSED and OPEN; the partition is resumed in OPEN only.

    What runs when a partition is lost is remembered: its tracker is replaced by an empty one that has only the
    `LocalWork`, so that a record is not run twice at once if the partition comes back.
    """

    def __init__(self, topic: str, partition: int, limits: AdmissionLimits) -> None:
        self.phase = PartitionPhase.RESTORING
        self.epoch = 0
        """Counts how often the log turned out to be another one; a record of an older epoch belongs to no worker."""
        self.paused = True
        """True if the consumer is to yield none of its records."""
        self._topic = topic
        self._partition = partition
        self._limits = limits
        self.commits = SentCommits()
        self._begin(OffsetTracker(OffsetMap(0, 0)))

    def _begin(self, tracker: OffsetTracker) -> None:
        """Follow the offsets with a new tracker. Nothing is in flight for it yet."""
        self.tracker = tracker
        self.load = PartitionLoad(self._limits)
        self._refused: int | None = None
        """The offset that was last refused for want of room."""

    # --- rebalances ---------------------------------------------------------------------------------------------

    @property
    def is_owned(self) -> bool:
        """True if the partition is ours and restored."""
        return self.phase in (PartitionPhase.CLOSED, PartitionPhase.OPEN)

    def revoke(self) -> None:
        """The group takes the partition back. What runs goes on, and what it completes is not forgotten."""
        self.phase = PartitionPhase.REVOKED
        self.paused = True

    def lose(self) -> None:
        """The group gives the partition to another worker."""
        self._begin(OffsetTracker(OffsetMap(0, 0), self._local_work()))
        # With an empty tracker nothing can be kept: if it comes back, even our own last commit is read anew.
        self.commits.forget_sent()
        self.phase = PartitionPhase.LOST

    def restore(self, read: Committed | None, beginning: int) -> Restored:
        """Take the partition over from `read`, the group's commit, or from `beginning` where there is none.

        Returns:
            Where to read from, and what becomes of the queued records. If `read` is a commit of our own, nobody has
            had the partition meanwhile: the tracker is kept and nothing is delivered again. Otherwise the state is
            rebuilt from the commit, and jobs that finished or still run here are matched when they are redelivered.
        """
        self.phase = PartitionPhase.CLOSED
        if self.commits.recognises(read):
            self.commits.restored_from(read)
            # The phase is CLOSED, whatever that commit said: one has to open the map before the partition is resumed.
            self.tracker.changed = True
            return Restored(self.tracker.next, kept=True, quarantined=bool(self.tracker.suspects))
        work, regressed_from = self._local_work(), None
        last = self.commits.last
        if last is not None and (read is None or read.offset < last.offset):
            # Somebody has reset the group, or the topic is a new one: what we know is of other records.
            regressed_from, work = last.offset, LocalWork()
            self.epoch += 1
        # Without a commit the group reads from the first record that is kept.
        start = beginning if read is None else read.offset
        offsets, unreadable = OffsetMap(start, start), None
        if read is not None and read.metadata:
            try:
                offsets = decode_map(read.metadata, self._topic, self._partition, read.offset)
            except UndecodableOffsetMap as error:
                unreadable = str(error)
        # A map that cannot be read may have been open: be as careful as if it had been.
        tracker = OffsetTracker(offsets, work, quarantined=offsets.open or unreadable is not None)
        self._begin(tracker)
        self.commits.restored_from(read)
        return Restored(
            start,
            kept=False,
            quarantined=bool(tracker.suspects),
            unreadable=unreadable,
            regressed_from=regressed_from,
        )

    def _local_work(self) -> LocalWork:
        """The offsets that finished here since the last acknowledged commit, and those that still run."""
        last = self.commits.last
        return self.tracker.local_work(None if last is None else last.offset)

    def ownership(self, record_id: RecordId) -> Ownership:
        """Tell whether the record still has to be answered here."""
        if record_id.epoch != self.epoch or self.phase is PartitionPhase.LOST:
            return Ownership.LOST
        # REVOKED or RESTORING: until the commit is read, another worker may have finished the record.
        if not self.is_owned:
            return Ownership.UNKNOWN
        return Ownership.OWNED if self.tracker.is_unfinished(record_id.offset) else Ownership.LOST

    # --- records ------------------------------------------------------------------------------------------------

    def note_regression(self, offset: int) -> int | None:
        """Begin a new epoch if `offset`, about to be delivered, lies below the commit point.

        Returns:
            The offset that was due instead, None where the log is the one that we know.
        """
        due = self.tracker.next
        if offset >= self.tracker.commit_point:
            return None
        # What the map says is about other records. Commits, the open flag and the pause stay as they are.
        self.epoch += 1
        self._begin(OffsetTracker(OffsetMap(offset, offset)))
        return due

    def deliver(self, offset: int, size: int, *, worker_is_full: bool, regressed_from: int | None) -> AdmissionOutcome:
        """Admit a delivered record of `size` bytes, or refuse it for want of room and pause the partition."""
        record_id = RecordId(self._partition, offset, self.epoch)
        tracker = self.tracker
        if worker_is_full or not self.load.has_room_for(size) or tracker.window(offset) > self._limits.window:
            self._refused = offset
            self.paused = True
            return AdmissionOutcome(record_id, None, regressed_from=regressed_from)
        # The record that was refused is here again, or one beyond it: nothing waits for room any more.
        self._refused = None
        skipped_from = tracker.next if offset > tracker.next else None
        delivery = tracker.deliver(offset)
        # What runs on from before a rebalance is in flight, too: its answer is still to come.
        if delivery in (Delivery.NEW, Delivery.RUNNING):
            self.load.admit(offset, size)
        return AdmissionOutcome(
            record_id, delivery, tracker.worker_deaths(offset), bool(tracker.suspects), skipped_from, regressed_from
        )

    def complete(self, offset: int) -> None:
        """The broker has the answer to the record. Whoever owns the partition by now, it is not run here again."""
        if self.tracker.complete(offset):
            self.load.finish(offset)

    # --- commits ------------------------------------------------------------------------------------------------

    @property
    def commit_is_due(self) -> bool:
        """True if something has changed since the last commit was made."""
        return self.is_owned and self.tracker.changed

    def commit(self, *, closing: bool) -> PartitionCommit | None:
        """Make this partition's part of a commit; None if the broker has it already."""
        if not (self.commit_is_due or (closing and self.is_owned)):
            return None
        # From here on every change belongs to the next commit, also one that happens while this one is on its way.
        self.tracker.changed = False
        offsets = self.tracker.snapshot(is_open=not closing)
        point = Committed(offsets.base, encode_map(offsets, self._topic, self._partition))
        if point == self.commits.last and self.phase is PartitionPhase.OPEN and not self.load.finished:
            # The broker has exactly this, and no finished record waits for it to be no longer in flight.
            return None
        # The broker may get it although we never hear of that: then it is recognised when the partition comes back.
        self.commits.send(point)
        attempts = frozenset(RecordId(self._partition, offset, self.epoch) for offset in self.tracker.attempted)
        return PartitionCommit(
            self,
            self.tracker,
            point,
            frozenset() if closing else attempts,
            self.load.finished,
            self.load.finished_bytes,
        )

    def acknowledged(self, part: PartitionCommit, *, closing: bool) -> None:
        """The broker has `part`: what was finished in it is no longer in flight."""
        # A partition that was rebuilt meanwhile has another tracker, whose load never had the records of this commit.
        if part.tracker is not self.tracker or not self.commits.acknowledge(part.point):
            return
        if self.is_owned:
            self.phase = PartitionPhase.CLOSED if closing else PartitionPhase.OPEN
        self.load.release(part.records, part.bytes)

    # --- pauses -------------------------------------------------------------------------------------------------

    @property
    def may_resume(self) -> bool:
        """True if a paused partition is open, has got rid of half its load, and has room for the record it refused."""
        if self.phase is not PartitionPhase.OPEN or not self.load.is_half_empty:
            return False
        return self._refused is None or self.tracker.window(self._refused) <= self._limits.window
