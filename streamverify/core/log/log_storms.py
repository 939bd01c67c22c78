"""Decides which events of a storm are logged: the first of each kind in an interval, then how many were not. Pure.

A record that fails can fail a thousand times a second. Each line of that costs as much CPU time as a trivial proof,
and a gigabyte of disk in an hour, and none says more than the first.

    nothing noted ── an event ──> the interval of its kind begins: FIRST are let through, the others are counted
    interval over ── any event ──> `due` gives the count, and the next event of the kind begins a new interval
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

Kind = TypeVar("Kind", bound=Hashable)

FIRST = 100
"""Events of one kind that are logged in an interval."""
INTERVAL = 60.0
"""Seconds of an interval."""
MAX_KINDS = 1_000
"""Kinds that are counted at a time. The interval of the oldest ends early where there are more."""


class Suppressed(NamedTuple, Generic[Kind]):
    """Says that events of a kind were not logged."""

    kind: Kind
    events: int
    seconds: float
    """The length of the interval in which they came."""


class _Interval:
    """The interval of one kind."""

    __slots__ = ("begun", "seen")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.seen = 0


class LogStorms(Generic[Kind]):
    """Counts the events of each kind. `now` is passed in: seconds of a clock that never goes back."""

    def __init__(self, first: int = FIRST, interval: float = INTERVAL) -> None:
        """Let `first` events of each kind through in `interval` seconds."""
        self._first = first
        self._interval = interval
        self._intervals: dict[Kind, _Interval] = {}
        """In the order in which they began, so that those that are over come first."""

    def may_pass(self, kind: Kind, now: float) -> bool:
        """Count an event. Returns whether it is logged. Ask `due` before, with the same `now`."""
        known = self._intervals.get(kind)
        if known is None:
            known = self._intervals[kind] = _Interval(now)
        known.seen += 1
        return known.seen <= self._first

    def due(self, now: float) -> list[Suppressed[Kind]]:
        """End the intervals that are over. Returns what was suppressed in them, and has not been said."""
        said: list[Suppressed[Kind]] = []
        # They are in the order of their beginnings, so the first that is not over ends the search.
        while self._intervals:
            kind, oldest = next(iter(self._intervals.items()))
            if now - oldest.begun < self._interval and len(self._intervals) < MAX_KINDS:
                break
            said += self._end(kind, now)
        return said

    def all_due(self, now: float) -> list[Suppressed[Kind]]:
        """End every interval: the process ends. Returns what was suppressed in them."""
        return [each for kind in list(self._intervals) for each in self._end(kind, now)]

    def _end(self, kind: Kind, now: float) -> list[Suppressed[Kind]]:
        ended = self._intervals.pop(kind)
        if ended.seen <= self._first:
            return []
        return [Suppressed(kind, ended.seen - self._first, now - ended.begun)]
