"""The jobs that wait in a pool, in lines. Pure: no clock; `now` is passed in, in monotonic seconds.

A *line* has the jobs of one header and of one class, long or short, the oldest first. Which line is served next, and
in which slot, the scheduler decides.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from streamverify.core.scheduling.durations import ProofDurations
    from streamverify.core.scheduling.work import Work
    from streamverify.core.syntax.header import Header

LOOK_AHEAD = 512
"""Jobs of a line that are looked at for the next one: 32 attempts for each of 16 slots. None is overtaken by more."""


class HasHeader(Protocol):
    """The only part of a job that the scheduler knows."""

    @property
    def header(self) -> Header:
        """The imports of the proof."""
        ...


J = TypeVar("J", bound=HasHeader)


class QueuedJob(NamedTuple, Generic[J]):
    """A waiting job: its number in the order of arrival, the time when it came, and what is known of its work."""

    number: int
    came: float
    job: J
    work: Work
    turn: bytes = b""
    """The place of its group in this worker's order of groups."""


class JobLine(Generic[J]):
    """The waiting jobs of one header and class, the oldest first, and the time since which none was started."""

    __slots__ = ("_block_end", "delayed", "entries", "header", "is_long", "unserved_since")

    def __init__(self, header: str, *, is_long: bool, now: float) -> None:
        self.header = header
        self.is_long = is_long
        self.entries: OrderedDict[J, QueuedJob[J]] = OrderedDict()
        self.unserved_since = now
        self.delayed = -1
        """The number of the last job that waited although a slot was free."""
        # The number of the last job that may go before those ahead of it.
        self._block_end = -1

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def oldest(self) -> QueuedJob[J]:
        """The job that came first."""
        return next(iter(self.entries.values()))

    def choose(self, running: Container[str | None]) -> QueuedJob[J]:
        """Choose the oldest job, but of no group that runs if there is another, and groups in this worker's order.

        Of a group one success is enough: a second attempt beside a first is run for nothing if that succeeds. It waits
        for no longer than the first runs. Other workers have attempts of the same groups, in the same order: so that
        they do not run them at the same time each worker has an order of groups of its own, within blocks of
        `LOOK_AHEAD` jobs.
        """
        oldest = self.oldest
        if oldest.work.group is None:
            return oldest
        if oldest.number > self._block_end:
            self._block_end = list(islice(self.entries.values(), LOOK_AHEAD))[-1].number
        # One loop, as it runs over up to `LOOK_AHEAD` jobs for each that is started.
        best: QueuedJob[J] | None = None
        for entry in islice(self.entries.values(), LOOK_AHEAD):
            group = entry.work.group
            if group in running:
                continue
            if best is None:
                # What belongs to no group is not overtaken by what does.
                if group is None:
                    return entry
                best = entry
            elif entry.number > self._block_end:
                break
            elif group is not None and entry.turn < best.turn:
                best = entry
        # Where of a block only groups that run are left, the next one has its turn before any of them runs twice.
        return best or oldest


class JobQueue(Generic[J]):
    """The lines, the one that was served longest ago first. A line exists while it has jobs."""

    def __init__(self, durations: ProofDurations, *, lanes: bool, worker: str = "") -> None:
        """Start empty.

        Args:
            durations: Says what is long.
            lanes: Whether long work waits apart. With one slot it does not.
            worker: The worker's name: each name makes another order of groups.
        """
        self._durations = durations
        self._lanes = lanes
        self._worker = worker
        self._lines: OrderedDict[tuple[str, bool], JobLine[J]] = OrderedDict()
        self._line_of: dict[J, JobLine[J]] = {}
        self._submitted = 0

    def __len__(self) -> int:
        return len(self._line_of)

    def add(self, job: J, work: Work, now: float) -> None:
        """Put a job at the end of its line."""
        self._submitted += 1
        # Each worker has another order of groups, the same one as long as it lives.
        turn = b"" if work.group is None else blake2b(f"{self._worker}/{work.group}".encode(), digest_size=8).digest()
        self._append(QueuedJob(self._submitted, now, job, work, turn), now)

    def take(self, line: JobLine[J], running: Container[str | None], now: float) -> QueuedJob[J] | None:
        """Take the next job out of a line, which goes to the end of those that wait to be served.

        Args:
            line: A line of this queue.
            running: The groups that run.
            now: Monotonic seconds.

        Returns:
            The job; None where it turned out to be long since it came: it waits in the line of the long ones now.
        """
        entry = line.choose(running)
        if not line.is_long and self.is_long(entry):
            self.remove(entry.job)
            self._append(entry, now)
            return None
        line.unserved_since = now
        self._lines.move_to_end((line.header, line.is_long))
        self.remove(entry.job)
        return entry

    def remove(self, job: J) -> bool:
        """Drop one job. Returns whether it was waiting."""
        line = self._line_of.pop(job, None)
        if line is None:
            return False
        del line.entries[job]
        if not line.entries:
            del self._lines[line.header, line.is_long]
        return True

    def discard(self, doomed: Callable[[J], bool]) -> list[J]:
        """Drop the jobs for which `doomed` is true, and return them."""
        dropped = [job for line in self._lines.values() for job in line.entries if doomed(job)]
        for job in dropped:
            self.remove(job)
        return dropped

    def lines(self, *, long_too: bool) -> Iterator[JobLine[J]]:
        """Yield the lines that may be served, the one that was served longest ago first."""
        return (line for line in self._lines.values() if long_too or not line.is_long)

    def of_header(self, header: str, *, long_too: bool) -> Iterator[JobLine[J]]:
        """Yield the lines of one header that may be served."""
        for is_long in (False, True) if long_too else (False,):
            if line := self._lines.get((header, is_long)):
                yield line

    def is_long(self, entry: QueuedJob[J]) -> bool:
        """Tell whether a job is long work, as far as is known now; none is where there are no lanes."""
        return self._lanes and self._durations.is_long(entry.work, entry.job.header.fingerprint)

    def _append(self, entry: QueuedJob[J], now: float) -> None:
        header, is_long = entry.job.header.fingerprint, self.is_long(entry)
        line = self._lines.get((header, is_long))
        if line is None:
            line = self._lines[header, is_long] = JobLine(header, is_long=is_long, now=now)
        line.entries[entry.job] = entry
        self._line_of[entry.job] = line
