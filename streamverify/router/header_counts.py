"""Counts how many proofs of each header were forwarded, within bounds, and sums the counts. Pure.

A count is kept for each (partition of the ingest topic, header), with the offset up to which it is counted: a record
that is delivered again after a crash is not counted again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamverify.streams.partitioned_rows import Key

MAX_HEADERS = 1000
"""Headers of a partition that are counted apart; the rarest are added up under `OTHERS`."""

OTHERS = "others"
"""The key, in place of a fingerprint, of all headers that are not counted apart."""

NO_OFFSET = -1


@dataclass(frozen=True, slots=True)
class Count:
    """The value of the table under a key. `upto` is the offset of the last record that was counted."""

    count: int
    upto: int
    header: str

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Count:
        """Read a value that `as_value` made."""
        return cls(value["count"], value["upto"], value["header"])

    def as_value(self) -> dict[str, Any]:
        """Make the value for the table, which Faust writes as JSON."""
        return {"count": self.count, "upto": self.upto, "header": self.header}


class PartitionCounts:
    """The counts of one partition, and those that changed since `take_changes` was last called."""

    def __init__(self, counts: Mapping[str, Count], max_headers: int = MAX_HEADERS) -> None:
        self._counts = dict(counts)
        self._max_headers = max_headers
        self._changed: set[str] = set()

    def add(self, fingerprint: str, header: str, offset: int) -> None:
        """Count one more proof, unless the record at this offset was counted before."""
        known = self._counts.get(fingerprint)
        if known is None:
            self._make_room()
            known = Count(0, NO_OFFSET, header)
        # A record that was counted before a crash is delivered again, and offsets of a partition only grow.
        if offset > known.upto:
            self._set(fingerprint, Count(known.count + 1, offset, known.header))

    def take_changes(self) -> dict[str, Count | None]:
        """Return the changed counts by fingerprint, None for those that are gone.

        New counts come before those that are gone, so that a router that dies in between has lost none.
        """
        changed, self._changed = self._changed, set()
        changes = {fingerprint: self._counts.get(fingerprint) for fingerprint in changed}
        return dict(sorted(changes.items(), key=lambda change: change[1] is None))

    def _make_room(self) -> None:
        """If no header more may be counted apart, add the rarest, of equals the oldest, to the others."""
        told_apart = [item for item in self._counts.items() if item[0] != OTHERS]
        if len(told_apart) < self._max_headers:
            return
        fingerprint, rarest = min(told_apart, key=lambda item: (item[1].count, item[1].upto))
        others = self._counts.get(OTHERS, Count(0, NO_OFFSET, ""))
        self._set(OTHERS, Count(others.count + rarest.count, max(others.upto, rarest.upto), ""))
        del self._counts[fingerprint]
        self._changed.add(fingerprint)

    def _set(self, fingerprint: str, count: Count) -> None:
        self._counts[fingerprint] = count
        self._changed.add(fingerprint)


def by_partition(table: Iterable[tuple[Key, Mapping[str, Any]]]) -> dict[int, dict[str, Count]]:
    """Sort the content of the table by partition."""
    counts: defaultdict[int, dict[str, Count]] = defaultdict(dict)
    for (partition, fingerprint), value in table:
        counts[partition][fingerprint] = Count.of(value)
    return counts


def summed(counts: Mapping[Key, Count]) -> list[dict[str, Any]]:
    """Sum the counts of each header over all partitions, with its share, the most frequent first."""
    sums: defaultdict[str, int] = defaultdict(int)
    headers: dict[str, str] = {}
    for (_, fingerprint), count in counts.items():
        sums[fingerprint] += count.count
        headers[fingerprint] = count.header
    total = sum(sums.values())
    return [
        {"header": headers[fingerprint], "fingerprint": fingerprint, "count": count, "share": count / total}
        for fingerprint, count in sorted(sums.items(), key=lambda item: (-item[1], item[0]))
        if count
    ]
