"""Statistics of each header: how often it was asked for lately, and how long its import and its proofs take.

Pure: no clock; `now` is passed in, in monotonic seconds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streamverify.core.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamverify.core.syntax.header import Header

DEMAND_WINDOW = 600.0
"""Seconds after which a proof counts only 1/e: `asked` counts about the proofs of the last ten minutes."""

MAX_HEADERS = 1_000
"""The number of headers that are remembered."""

INITIAL_IMPORT_SECONDS = 5.0
"""Estimate for an import before the first one was measured: the order of magnitude of Mathlib."""

# Imports are measured seldom and proofs often: so a new import counts for more.
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
    """The headers of one pool. Of more than `MAX_HEADERS`, the one that was asked for longest ago is forgotten."""

    def __init__(self) -> None:
        self._known: BoundedDict[str, _Entry] = BoundedDict(MAX_HEADERS)
        self._usual_import = INITIAL_IMPORT_SECONDS
        self._usual_run = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def asked(self, header: Header, now: float, proofs: float = 1.0) -> None:
        """Count proofs of this header that came."""
        known = self._entry(header, now)
        # The one that was asked for longest ago is to be in front, whenever it was imported.
        self._known.move_to_end(header.fingerprint)
        known.asked = known.asked_by(now) + proofs
        known.at = now

    def imported(self, header: Header, seconds: float, now: float) -> None:
        """Note the time of an import that succeeded."""
        known = self._entry(header, now)
        known.import_seconds = _average(known.import_seconds, seconds, _IMPORT_WEIGHT)
        self._usual_import = _average(self._usual_import, seconds, _IMPORT_WEIGHT)

    def failed(self, fingerprint: str) -> None:
        """Note that an import failed: the header is not imported ahead of demand before an import succeeds."""
        if known := self._known.get(fingerprint):
            known.import_seconds = None

    def ran(self, fingerprint: str, seconds: float) -> None:
        """Note how long a proof of this header took."""
        self._usual_run = _average(self._usual_run or None, seconds, _RUN_WEIGHT)
        if known := self._known.get(fingerprint):
            known.run_seconds = _average(known.run_seconds, seconds, _RUN_WEIGHT)

    def import_seconds(self, fingerprint: str) -> float:
        """Estimate an import: the average of this header's imports, or of all imports if it had none."""
        known = self._known.get(fingerprint)
        seconds = None if known is None else known.import_seconds
        return self._usual_import if seconds is None else seconds

    def run_seconds(self, fingerprint: str) -> float:
        """Estimate a proof: the average of this header's proofs, or of all if it had none; 0 before the first."""
        known = self._known.get(fingerprint)
        seconds = None if known is None else known.run_seconds
        return self._usual_run if seconds is None else seconds

    def worth(self, fingerprint: str, now: float) -> float:
        """Multiply the proofs of the last ten minutes by the import's seconds: the cost of losing the only process."""
        known = self._known.get(fingerprint)
        return 0.0 if known is None else known.asked_by(now) * self.import_seconds(fingerprint)

    def importable(self, now: float) -> Iterator[HeaderStat]:
        """Yield the headers whose last import succeeded."""
        for known in self._known.values():
            if known.import_seconds is not None:
                yield HeaderStat(known.header, known.asked_by(now), known.import_seconds)

    def hottest(self, now: float, most: int) -> list[HeaderStat]:
        """List at most `most` of the importable headers, those of the greatest worth first."""
        return sorted(self.importable(now), key=lambda each: each.asked * each.import_seconds, reverse=True)[:most]

    def restore(self, stats: Iterable[HeaderStat], now: float) -> None:
        """Add the statistics that were saved before a restart."""
        for stat in stats:
            self.asked(stat.header, now, stat.asked)
            self.imported(stat.header, stat.import_seconds, now)

    def _entry(self, header: Header, now: float) -> _Entry:
        known = self._known.get(header.fingerprint)
        if known is None:
            known = self._known[header.fingerprint] = _Entry(header, now)
        return known


def _average(before: float | None, new: float, weight: float) -> float:
    """Update an exponentially weighted average; the first value is the average itself."""
    return new if before is None else before + weight * (new - before)
