"""The live state of a gateway: verdicts by reason, their rate, the last ones, and the headers that are warm. Pure.

Everything here has a bound, whatever comes: a gateway runs for months, and reasons, ids and headers are other
people's texts.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamverify.core.bounded_dict import BoundedDict

if TYPE_CHECKING:
    from typing import Any

    from streamverify.core.messages.models import Timings

WINDOW = 60
"""Seconds of the past by which the rate of verdicts is measured."""
MAX_LAST = 20
"""Verdicts that are kept for each owner."""
MAX_OWNERS = 1_000
MAX_REASONS = 64
MAX_HEADERS = 50
MAX_TEXT = 300
"""Code points of a summary or a header that are kept."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """A verdict as the list of the last ones has it: neither the proof nor Lean's answer."""

    custom_id: str
    status: str
    reason: str
    summary: str
    at: int
    """The time at which the request was sent, in milliseconds since 1970."""

    @classmethod
    def of(cls, *, custom_id: Any, status: Any, reason: Any, summary: Any, at: Any) -> LastVerdict:
        """Cut what a result says to what is kept. It may be anybody's: nothing is taken for granted."""
        return cls(
            custom_id=_kept(custom_id),
            status=_kept(status),
            reason=_kept(reason),
            summary=_kept(summary),
            at=at if isinstance(at, int) else 0,
        )


def _kept(value: Any) -> str:
    # Not `str` of a list: that of a deep one exceeds Python's recursion limit.
    return value[:MAX_TEXT] if isinstance(value, str) else ""


class VerdictRate:
    """Counts events of the last `WINDOW` seconds, in buckets of one second."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque()

    def add(self, now: float) -> None:
        """Count one event. `now` is in seconds and never goes back."""
        second = int(now)
        if self._buckets and self._buckets[-1][0] == second:
            self._buckets[-1] = (second, self._buckets[-1][1] + 1)
        else:
            self._buckets.append((second, 1))
        self._forget(now)

    def per_second(self, now: float) -> float:
        """Return the events a second since the oldest one of the window, 0 if there was none in it."""
        self._forget(now)
        if not self._buckets:
            return 0.0
        # Not over the whole window: after a pause, ten seconds of work would be counted as a sixth of their speed.
        return sum(count for _, count in self._buckets) / max(1.0, now - self._buckets[0][0])

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0][0] <= now - WINDOW:
            self._buckets.popleft()


def seconds_at_rate(to_do: int, rate: float) -> float | None:
    """Estimate how long `to_do` records will take at `rate` verdicts a second; None if nobody works on them.

    Workers and `top` estimate by slots and their time (`backlog_seconds` in `core/metrics/backlog.py`). A gateway knows
    neither: it sees the verdicts on the result topic, whoever has made them.
    """
    if to_do <= 0:
        return 0.0
    return to_do / rate if rate > 0 else None


@dataclass(frozen=True, slots=True)
class HeaderState:
    """The state of an import header, as the answers to proofs with it tell."""

    header: str
    warm: bool
    """True where the newest answer needed no import."""
    import_seconds: float
    """The time of its last import; 0 if none was seen."""
    proofs: int


class HeaderStates:
    """The import headers that were asked for last, and whether a worker had them loaded."""

    def __init__(self) -> None:
        self._states: BoundedDict[str, HeaderState] = BoundedDict(MAX_HEADERS)

    def answered(self, header: str, timings: Timings) -> None:
        """Learn from an answer. One that Lean did not run (a policy's, an expired one) says nothing of its header."""
        if timings.run <= 0 and timings.import_ <= 0:
            return
        name = header[:MAX_TEXT]
        before = self._states.get(name)
        warm = timings.import_ <= 0
        self._states[name] = HeaderState(
            header=name,
            warm=warm,
            import_seconds=before.import_seconds if warm and before else timings.import_,
            proofs=1 + (before.proofs if before else 0),
        )

    def states(self) -> list[HeaderState]:
        """Return the headers, the one that was answered last first."""
        return list(reversed(self._states.values()))


@dataclass(slots=True)
class _Owner:
    """The verdicts and headers of one API key. A header is a part of a proof, so other callers do not see it."""

    last: deque[LastVerdict] = field(default_factory=lambda: deque(maxlen=MAX_LAST))
    headers: HeaderStates = field(default_factory=HeaderStates)


class LiveState:
    """The verdicts that a gateway has seen since its start. `now` is in seconds and never goes back."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._rate = VerdictRate()
        self._work_rate = VerdictRate()
        self._last: deque[LastVerdict] = deque(maxlen=MAX_LAST)
        self._owners: BoundedDict[str, _Owner] = BoundedDict(MAX_OWNERS)
        self.version = 0
        """Grows with each change."""

    def seen(self, verdict: LastVerdict, now: float, *, cached: bool = False) -> None:
        """Count a verdict of the result topic, whoever asked for it; `cached`: no Lean was asked for it."""
        # Whoever may write to the result topic may write any reason.
        known = verdict.reason in self._reasons or len(self._reasons) < MAX_REASONS
        self._reasons[verdict.reason if known else OTHER] += 1
        self._rate.add(now)
        if not cached:
            self._work_rate.add(now)
        self._last.appendleft(verdict)
        self.version += 1

    def answered(self, verdict: LastVerdict, owner: str, header: str, timings: Timings) -> None:
        """Keep a verdict that this gateway was asked for, for its owner: the name of the API key that asked."""
        theirs = self._owners[owner] = self._owners.get(owner) or _Owner()
        theirs.last.appendleft(verdict)
        theirs.headers.answered(header, timings)
        self.version += 1

    def reasons(self) -> dict[str, int]:
        """Count the verdicts by reason."""
        return dict(self._reasons)

    def rate(self, now: float) -> float:
        """Return the verdicts a second."""
        return self._rate.per_second(now)

    def work_rate(self, now: float) -> float:
        """Return the verdicts a second that were not cached.

        What waits has no verdict in the cache, or would have been answered: it takes as long as these.
        """
        return self._work_rate.per_second(now)

    def last(self) -> list[LastVerdict]:
        """Return the newest verdicts of the result topic, the newest first."""
        return list(self._last)

    def last_of(self, owner: str) -> list[LastVerdict]:
        """Return the newest verdicts that this owner has asked for here, the newest first."""
        return list(self._owners[owner].last) if owner in self._owners else []

    def headers_of(self, owner: str) -> list[HeaderState]:
        """Return the import headers of the proofs that this owner has asked for here, the newest first."""
        return self._owners[owner].headers.states() if owner in self._owners else []
