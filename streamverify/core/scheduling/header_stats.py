"""Statistics of each header: how often it was asked for of late, and the seconds of its import and of its proofs.

Pure: no clock; `now` is passed in, in monotonic seconds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamverify.core.syntax.header import Header

DEMAND_WINDOW = 600.0
"""Seconds in which what was asked for loses all but 1/e of its weight: about "in the last ten minutes"."""

MAX_HEADERS = 1_000
"""Headers that are remembered."""

FIRST_GUESS = 5.0
"""Seconds for an import, before anything was imported: Mathlib's order of magnitude."""

_IMPORT_WEIGHT = 0.3
_RUN_WEIGHT = 0.05


class HeaderStat(NamedTuple):
    """The statistics of one header that are kept over a restart.

    `asked` counts the proofs of about the last ten minutes; `import_seconds` is an average.
    """

    header: Header
    asked: float
    import_seconds: float


class _Entry:
    __slots__ = ("asked", "at", "header", "import_seconds", "run_seconds")

    def __init__(self, header: Header, now: float) -> None:
        self.header = header
        self.asked = 0.0
        self.at = now
        self.import_seconds: float | None = None
        self.run_seconds: float | None = None

    def asked_by(self, now: float) -> float:
        return self.asked * math.exp((self.at - now) / DEMAND_WINDOW)


class HeaderStats:
    """The headers of one pool, at most `MAX_HEADERS`: the one that was asked for longest ago makes room."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._usual_import = FIRST_GUESS
        self._usual_run = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def asked(self, header: Header, now: float, proofs: float = 1.0) -> None:
        """So many proofs of this header came."""
        known = self._entry(header, now)
        self._known.move_to_end(header.fingerprint)
        known.asked = known.asked_by(now) + proofs
        known.at = now

    def imported(self, header: Header, seconds: float, now: float) -> None:
        """An import succeeded."""
        known = self._entry(header, now)
        known.import_seconds = _average(known.import_seconds, seconds, _IMPORT_WEIGHT)
        self._usual_import = _average(self._usual_import, seconds, _IMPORT_WEIGHT)

    def failed(self, fingerprint: str) -> None:
        """An import failed: the header is not worth warming before one succeeds."""
        if known := self._known.get(fingerprint):
            known.import_seconds = None

    def ran(self, fingerprint: str, seconds: float) -> None:
        """A proof of this header took so long."""
        self._usual_run = _average(self._usual_run or None, seconds, _RUN_WEIGHT)
        if known := self._known.get(fingerprint):
            known.run_seconds = _average(known.run_seconds, seconds, _RUN_WEIGHT)

    def import_seconds(self, fingerprint: str) -> float:
        """Seconds that importing it takes: an average of its own imports, else of all."""
        known = self._known.get(fingerprint)
        seconds = None if known is None else known.import_seconds
        return self._usual_import if seconds is None else seconds

    def run_seconds(self, fingerprint: str) -> float:
        """Seconds that a proof of it takes: an average of its own, else of all; 0 before there was one."""
        known = self._known.get(fingerprint)
        seconds = None if known is None else known.run_seconds
        return self._usual_run if seconds is None else seconds

    def worth(self, fingerprint: str, now: float) -> float:
        """Proofs of about the last ten minutes x seconds of an import: the cost of losing its only process."""
        known = self._known.get(fingerprint)
        return 0.0 if known is None else known.asked_by(now) * self.import_seconds(fingerprint)

    def importable(self, now: float) -> Iterator[HeaderStat]:
        """The headers whose last import succeeded."""
        for known in self._known.values():
            if known.import_seconds is not None:
                yield HeaderStat(known.header, known.asked_by(now), known.import_seconds)

    def hottest(self, now: float, most: int) -> list[HeaderStat]:
        """At most so many of them, the most valuable first."""
        return sorted(self.importable(now), key=lambda each: each.asked * each.import_seconds, reverse=True)[:most]

    def restore(self, stats: Iterable[HeaderStat], now: float) -> None:
        """Take in the statistics of before a restart."""
        for stat in stats:
            self.asked(stat.header, now, stat.asked)
            self.imported(stat.header, stat.import_seconds, now)

    def _entry(self, header: Header, now: float) -> _Entry:
        known = self._known.get(header.fingerprint)
        if known is None:
            if len(self._known) >= MAX_HEADERS:
                self._known.popitem(last=False)
            known = self._known[header.fingerprint] = _Entry(header, now)
        return known


def _average(before: float | None, new: float, weight: float) -> float:
    """An exponentially weighted average; the first value counts whole."""
    return new if before is None else before + weight * (new - before)
