"""What this worker owes the partitions it owns: deliveries, completions, commits and pauses.

Pure: no I/O, no clock, no Kafka. The topic is one, so a partition is its number. To be read as the specification of
delivery, from the broker's word to what is committed:

    assign ─> restore ─> (first commit: open) ─> deliver, complete, commit … ─> closing commit ─> revoke ─> assign …

- Nothing is admitted or committed between `revoke` and `restore`; what is completed then is not forgotten.
- A partition that comes back with the commit that was last made here keeps its tracker: nothing is delivered again.
  One that comes back otherwise gets a new tracker, and what finished or runs here counts when it is delivered again.
- A partition that goes elsewhere keeps no tracker, but what runs here is remembered in case it comes back.
- An offset is only ever run once at a time. Where the log itself is no longer the one that was read (a delivery below
  the commit point, a group that was set back), the partition starts a new *lineage*: what belongs to an older one is
  nobody's any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.errors import UndecodableOffsetMap
from streamverify.core.offset_map import MAX_INCOMPLETE, MAX_WINDOW, OffsetMap, decode_map, encode_map
from streamverify.core.offsets import Delivery, Memory, OffsetTracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Limits(NamedTuple):
    """How much may be in flight: queued, running, or finished since the last acknowledged commit.

    At a limit nothing more is admitted; at half of it admission goes on. The records and the window of a partition
    are what an offset map has room for. A single record is admitted whatever its size where nothing else is in flight.
    """

    records: int = MAX_INCOMPLETE
    window: int = MAX_WINDOW
    partition_bytes: int = 16 * 1024 * 1024
    worker_records: int = 8_000
    worker_bytes: int = 64 * 1024 * 1024


class Committed(NamedTuple):
    """What the broker has for a partition of the group."""

    offset: int
    metadata: str


class Place(NamedTuple):
    """Where a record lies, and the lineage of the partition in which it was delivered."""

    partition: int
    offset: int
    lineage: int


class Standing(Enum):
    """What a result for a record is worth to us now."""

    OURS = auto()
    """The record is ours to answer."""
    UNDECIDED = auto()
    """Between revoke and restore: nobody knows."""
    GONE = auto()
    """It is another worker's, or finished already."""


class Admission(NamedTuple):
    """What became of a delivered record."""

    place: Place
    delivery: Delivery | None
    """None: it is not taken now. Read on from its offset when the partition is resumed."""
    attempts: int = 0
    careful: bool = False
    """Its dispatch waits for a commit that has its attempt."""
    skipped_from: int | None = None
    """Where the log went on after offsets that were never delivered: the first of them."""
    reset: bool = False
    """The log starts anew, below what was committed: a new lineage."""

    @property
    def is_new(self) -> bool:
        """Whether the record is to be worked on."""
        return self.delivery is Delivery.NEW


class Restored(NamedTuple):
    """What restoring a partition led to."""

    position: int
    """Where to read from."""
    kept: bool
    """What was queued is still ours. Otherwise it is to be dropped: it will be delivered again."""
    careful: bool = False
    unreadable: str | None = None
    """Why the map could not be used."""
    set_back: bool = False
    """The group stands before what was committed here: somebody has moved it, or the topic is a new one."""


class Pauses(NamedTuple):
    """Partitions to pause and partitions to resume."""

    pause: frozenset[int]
    resume: frozenset[int]


@dataclass(frozen=True, slots=True)
class Commit:
    """What to commit, and what an acknowledgement of it releases."""

    points: Mapping[int, Committed]
    releases: tuple[_Release, ...] = field(default=(), repr=False)
    marked: frozenset[Place] = frozenset()
    """Records whose attempt is written in it."""
    closing: bool = False


class _Release(NamedTuple):
    """What an acknowledgement of one partition's commit frees."""

    share: _Share
    point: Committed
    records: int
    bytes: int


@dataclass(slots=True, eq=False)
class _Share:
    """One partition from its restoration until it goes to another worker."""

    tracker: OffsetTracker
    acknowledged: Committed | None
    """The last commit that the broker is known to have."""
    made: set[Committed]
    """Commits of ours that the broker may have: the last acknowledged, and what was sent since."""
    restored: bool = True
    """It is ours now, and we know where it stands."""
    opened: bool = False
    """The broker has the open flag: if we die, the next owner will know."""
    changed: bool = True
    sizes: dict[int, int] = field(default_factory=dict)
    """Bytes of each admitted record that is not complete."""
    in_flight: int = 0
    bytes: int = 0
    finished: int = 0
    """Completed since the last acknowledged commit; they count as in flight until the next."""
    finished_bytes: int = 0
    paused: bool = True
    refused: int | None = None
    """The offset that was last not admitted."""


class Ledger:
    """The partitions of one worker, over all its assignments."""

    def __init__(self, topic: str, limits: Limits | None = None) -> None:
        self._topic = topic
        self._limits = limits or Limits()
        self._shares: dict[int, _Share] = {}
        self.in_flight = 0
        """Records queued, running, or finished since the last acknowledged commit."""
        self.bytes = 0
        """Bytes of the records in flight."""
        self._memories: dict[int, Memory] = {}
        self._acknowledged: dict[int, Committed | None] = {}
        self._lineages: dict[int, int] = {}
        self._assigned: frozenset[int] = frozenset()
        self._settled = False
        self._draining = False

    # --- the ways of a partition --------------------------------------------------------------------------------

    def revoke(self) -> None:
        """The group takes everything back. Whose each partition is, the next assignment will say."""
        self._settled = False
        for share in self._shares.values():
            share.restored = share.opened = False
            share.paused = True

    def assign(self, partitions: Iterable[int]) -> frozenset[int]:
        """The group has decided. Returns the partitions that are lost: what is queued of them is to be dropped."""
        self.revoke()
        self._settled = True
        self._assigned = frozenset(partitions)
        lost = self._shares.keys() - self._assigned
        for partition in lost:
            self._remember(partition)
        return frozenset(lost)

    def restore(self, partition: int, read: Committed | None, beginning: int) -> Restored:
        """Take an assigned partition over from where the broker says that the group stands.

        Args:
            partition: One of the current assignment, not restored yet.
            read: The group's commit, None where there is none.
            beginning: The first offset of the log, read from where there is no commit.
        """
        share = self._shares.get(partition)
        if share is not None and read is not None and read in share.made:
            share.restored = share.changed = True
            share.acknowledged, share.made = read, {read}
            return Restored(share.tracker.next, kept=True, careful=share.tracker.careful)
        self._remember(partition)
        set_back = self._is_set_back(partition, read)
        if set_back:
            self._start_lineage(partition)
        offsets, unreadable = self._read(partition, read, beginning)
        careful = offsets.open or unreadable is not None
        tracker = OffsetTracker(offsets, self._memories.pop(partition, None), careful=careful)
        self._shares[partition] = _Share(tracker, read, {read} if read else set())
        return Restored(offsets.base, kept=False, careful=tracker.careful, unreadable=unreadable, set_back=set_back)

    def _read(self, partition: int, read: Committed | None, beginning: int) -> tuple[OffsetMap, str | None]:
        """The map of a commit, and why it could not be read. Without a map everything from the offset on is new."""
        if read is None:
            return OffsetMap(beginning, beginning), None
        nothing = OffsetMap(read.offset, read.offset)
        if not read.metadata:
            return nothing, None
        try:
            return decode_map(read.metadata, self._topic, partition, read.offset), None
        except UndecodableOffsetMap as error:
            return nothing, str(error)

    def _is_set_back(self, partition: int, read: Committed | None) -> bool:
        last = self._acknowledged.get(partition)
        return last is not None and (read is None or read.offset < last.offset)

    def _remember(self, partition: int) -> None:
        """End a tracker, keeping what finished since the last acknowledged commit and what is not finished yet."""
        share = self._drop(partition)
        if share is not None:
            last = share.acknowledged
            self._memories[partition] = share.tracker.memory(share.tracker.base if last is None else last.offset)
            self._acknowledged[partition] = last or self._acknowledged.get(partition)

    def _drop(self, partition: int) -> _Share | None:
        share = self._shares.pop(partition, None)
        if share is not None:
            self.in_flight -= share.in_flight
            self.bytes -= share.bytes
        return share

    def _start_lineage(self, partition: int) -> None:
        self._lineages[partition] = self._lineages.get(partition, 0) + 1
        self._memories.pop(partition, None)
        self._acknowledged.pop(partition, None)

    def forget(self, place: Place) -> None:
        """The work on a record has ended without a result, or was dropped: delivered again, the record is new."""
        if place.lineage != self._lineage(place.partition):
            return
        if memory := self._memories.get(place.partition):
            memory.running.discard(place.offset)
        if share := self._shares.get(place.partition):
            share.tracker.forget(place.offset)

    def _lineage(self, partition: int) -> int:
        return self._lineages.get(partition, 0)

    # --- records ------------------------------------------------------------------------------------------------

    def deliver(self, partition: int, offset: int, size: int) -> Admission | None:
        """Take a delivered record of `size` bytes in; None where the partition is not ours, or not restored."""
        share = self._shares.get(partition)
        if share is None or not share.restored:
            return None
        reset = offset < share.tracker.commit_point
        if reset:
            share = self._start_anew(partition, offset)
        place = Place(partition, offset, self._lineage(partition))
        if self._is_full(share, offset, size):
            share.refused = offset
            share.paused = True
            return Admission(place, None, reset=reset)
        expected = share.tracker.next
        delivery = share.tracker.deliver(offset)
        skipped_from = expected if offset > expected and not reset else None
        if delivery in (Delivery.NEW, Delivery.RUNNING):
            share.sizes[offset] = size
            self._load(share, 1, size)
        elif delivery is Delivery.DONE:
            share.changed = True
        tracker = share.tracker
        return Admission(place, delivery, tracker.attempts(offset), tracker.careful, skipped_from, reset)

    def _start_anew(self, partition: int, offset: int) -> _Share:
        """A delivery below the commit point: what the map says is about another log."""
        self._start_lineage(partition)
        old = self._drop(partition)
        assert old is not None  # noqa: S101 - it was delivered to
        new = _Share(OffsetTracker(OffsetMap(offset, offset)), old.acknowledged, old.made, opened=old.opened)
        new.paused = old.paused
        self._shares[partition] = new
        return new

    def _load(self, share: _Share, records: int, size: int) -> None:
        share.in_flight += records
        share.bytes += size
        self.in_flight += records
        self.bytes += size

    def _is_full(self, share: _Share, offset: int, size: int) -> bool:
        limits = self._limits
        return (
            (share.in_flight > 0 and share.bytes + size > limits.partition_bytes)
            or (self.in_flight > 0 and self.bytes + size > limits.worker_bytes)
            or share.in_flight >= limits.records
            or self.in_flight >= limits.worker_records
            or share.tracker.window(offset) > limits.window
        )

    def complete(self, place: Place) -> None:
        """The broker has the answer to the record. Whoever owns the partition by then, it is not run here again."""
        if place.lineage != self._lineage(place.partition):
            return
        share = self._shares.get(place.partition)
        if share is None:
            memory = self._memories.get(place.partition)
            if memory is not None and place.offset in memory.running:
                memory.running.discard(place.offset)
                memory.finished.add(place.offset)
            return
        if share.tracker.complete(place.offset):
            share.changed = True
            share.finished += 1
            share.finished_bytes += share.sizes.pop(place.offset, 0)

    def standing(self, place: Place) -> Standing:
        """What a result for the record is worth now."""
        if place.lineage != self._lineage(place.partition):
            return Standing.GONE
        share = self._shares.get(place.partition)
        if share is not None and share.restored:
            return Standing.OURS if share.tracker.wants(place.offset) else Standing.GONE
        undecided = not self._settled or place.partition in self._assigned
        return Standing.UNDECIDED if undecided else Standing.GONE

    # --- commits ------------------------------------------------------------------------------------------------

    def commit(self, *, closing: bool = False) -> Commit | None:
        """What has changed since the last acknowledged commit, or None.

        Args:
            closing: It is the last of this assignment: whatever runs has not died, and is not counted as an attempt.
        """
        points: dict[int, Committed] = {}
        releases, marked = [], set()
        for partition, share in self._shares.items():
            point = self._point(partition, share, closing=closing)
            if point is None:
                continue
            points[partition] = point
            releases.append(_Release(share, point, share.finished, share.finished_bytes))
            marked |= {Place(partition, offset, self._lineage(partition)) for offset in share.tracker.marked}
        return (
            Commit(points, tuple(releases), frozenset() if closing else frozenset(marked), closing) if points else None
        )

    def _point(self, partition: int, share: _Share, *, closing: bool) -> Committed | None:
        """What to commit of one partition; whatever changes from here on is of the commit after it."""
        if not share.restored or not (share.changed or closing):
            return None
        share.changed = False
        offsets = share.tracker.snapshot(is_open=not closing)
        point = Committed(offsets.base, encode_map(offsets, self._topic, partition))
        if point == share.acknowledged and share.opened and not share.finished:
            return None
        share.made.add(point)
        return point

    def acknowledged(self, commit: Commit) -> None:
        """The broker has `commit`."""
        for share, point, records, size in commit.releases:
            if point not in share.made:
                continue
            share.acknowledged, share.made = point, {point}
            share.opened = share.restored and not commit.closing
            share.finished -= records
            share.finished_bytes -= size
            if share in self._shares.values():
                self._load(share, -records, -size)

    def failed(self, commit: Commit) -> None:
        """`commit` failed, or nothing was heard of it: what it said is still to be committed."""
        for partition in commit.points:
            if share := self._shares.get(partition):
                share.changed = True

    @property
    def commit_is_due(self) -> bool:
        """Whether something has changed since the last commit was made."""
        return any(share.restored and share.changed for share in self._shares.values())

    # --- poison -------------------------------------------------------------------------------------------------

    def mark(self, place: Place) -> None:
        """The record is to be run as soon as a commit has its attempt."""
        share = self._shares.get(place.partition)
        if share is not None and place.lineage == self._lineage(place.partition):
            share.tracker.mark(place.offset)
            share.changed = True

    def unmark(self, place: Place) -> None:
        """The record is not run after all."""
        share = self._shares.get(place.partition)
        if share is not None and place.lineage == self._lineage(place.partition):
            share.tracker.unmark(place.offset)
            share.changed = True

    # --- pauses -------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Resume nothing any more."""
        self._draining = True
        for share in self._shares.values():
            share.paused = True

    def pauses(self) -> Pauses:
        """What to pause and resume now; it is taken as done. A partition is resumed first when its map is open."""
        full = self.bytes >= self._limits.worker_bytes or self.in_flight >= self._limits.worker_records
        pause, resume = set(), set()
        for partition, share in self._shares.items():
            if not share.restored:
                continue
            if not share.paused and (full or self._at_limit(share)):
                share.paused = True
                pause.add(partition)
            elif share.paused and not self._draining and share.opened and self._is_easy(share):
                share.paused = False
                share.refused = None
                resume.add(partition)
        return Pauses(frozenset(pause), frozenset(resume))

    def _at_limit(self, share: _Share) -> bool:
        return share.in_flight >= self._limits.records or share.bytes >= self._limits.partition_bytes

    def _is_easy(self, share: _Share) -> bool:
        limits = self._limits
        return (
            share.in_flight <= limits.records // 2
            and share.bytes <= limits.partition_bytes // 2
            and self.bytes <= limits.worker_bytes // 2
            and self.in_flight <= limits.worker_records // 2
            and (share.refused is None or share.tracker.window(share.refused) <= limits.window)
        )

    # --- what operators see -------------------------------------------------------------------------------------

    def restored_partitions(self) -> frozenset[int]:
        """The partitions that are ours now."""
        return frozenset(partition for partition, share in self._shares.items() if share.restored)

    def readable_partitions(self) -> Mapping[int, int]:
        """The partitions that are not paused, and where each is read next."""
        return {
            partition: share.tracker.next
            for partition, share in self._shares.items()
            if share.restored and not share.paused
        }

    def careful_partitions(self) -> frozenset[int]:
        """The partitions in which a dispatch waits for a commit."""
        return frozenset(partition for partition, share in self._shares.items() if share.tracker.careful)
