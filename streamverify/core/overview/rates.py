"""Results in a second, between two samples of what workers have answered. Pure: the time is passed in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from streamverify.core.overview.model import Rates
from streamverify.core.overview.status import Answered, Recent, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW = 10.0
"""Seconds of the past over which a view that goes on measures rates."""
LEAST = 0.5
"""Seconds that two samples of a worker must be apart, by its own clock."""


class History:
    """The samples of the last seconds, by worker. One that has gone is forgotten when its samples are too old."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._samples: dict[str, deque[tuple[float, WorkerStatus]]] = {}

    def add(self, statuses: Iterable[WorkerStatus], now: float) -> None:
        """Take the samples of one moment."""
        for status in statuses:
            self._samples.setdefault(status.host, deque()).append((now, status))
        for host, samples in list(self._samples.items()):
            # The oldest sample is one at the far end of the window, or just beyond it.
            while len(samples) > 1 and samples[1][0] <= now - self._window:
                samples.popleft()
            if samples[-1][0] < now - self._window:
                del self._samples[host]

    def before(self, status: WorkerStatus) -> WorkerStatus | None:
        """Find the oldest sample of the same worker; None where there is none."""
        samples = self._samples.get(status.host)
        return samples[0][1] if samples else None


def lately(before: WorkerStatus | None, after: WorkerStatus) -> Recent:
    """Say what a worker has answered between two samples.

    Args:
        before: An earlier sample; None: there is none.
        after: The sample of now.

    Returns:
        The difference; what the worker says itself of its last minute where the samples are no two of one process, or
        too close.
    """
    if before is None or before.host != after.host:
        return after.recent
    seconds = after.uptime_seconds - before.uptime_seconds
    names = [name for name in Answered.model_fields if getattr(after.answered, name) < getattr(before.answered, name)]
    # A number of a process may come again after a start of the machine: its uptime or its counts would go back.
    if seconds < LEAST or names:
        return after.recent
    counts = {name: getattr(after.answered, name) - getattr(before.answered, name) for name in Answered.model_fields}
    return Recent(seconds=seconds, **counts)


def rates(parts: Iterable[Recent]) -> Rates | None:
    """Add up what workers have answered, each in its own time; None where there is no worker."""
    parts = list(parts)
    if not parts:
        return None
    sums = dict.fromkeys(("verified", "rejected", "inconclusive", "cached"), 0.0)
    for part in parts:
        for name in sums:
            sums[name] += getattr(part, name) / part.seconds if part.seconds > 0 else 0.0
    total = sums["verified"] + sums["rejected"] + sums["inconclusive"]
    return Rates(seconds=max(part.seconds for part in parts), total=total, **sums)


def mean_seconds(statuses: Iterable[WorkerStatus]) -> float | None:
    """Estimate how long a proof occupies a slot: from what was answered lately, else from all that was answered.

    Returns:
        None where nothing was answered yet.
    """
    statuses = list(statuses)
    # What was answered lately is most like what comes next; where that is nothing, old answers are better than none.
    for parts in ([status.recent for status in statuses], [status.answered for status in statuses]):
        if total := sum(part.total for part in parts):
            return sum(part.busy_seconds for part in parts) / total
    return None
