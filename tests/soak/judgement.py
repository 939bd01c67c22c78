"""What a soak must show, and whether it did. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soak.trend import trend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Series = Sequence[tuple[float, float]]

ALLOWED: Mapping[str, float] = {"memory": 8.0, "descriptors": 3.0, "threads": 1.0}
"""How much a process may grow in the half of its life that is looked at: MiB, then counts. The pages that Python's
allocator does not give back, one socket for each broker, and a thread of a pool that was not needed before."""
LONG_LIFE = 0.5
"""Share of the run that a process must have lived for its figures to say something."""
OUTAGE = 90.0
"""Seconds of requests that may wait at once: no fault, with what follows from it, is to last longer."""
OPEN_GROWTH = 5.0
"""Seconds of requests by which those that wait may grow over the half of the run that is looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    said: str


def judge_lives(lives: Mapping[str, Mapping[str, Series]], seconds: float) -> list[Finding]:
    """Whether the processes that lived long enough are flat.

    Args:
        lives: The figures of each process by name.
        seconds: How long the run took.
    """
    found = []
    for what, allowed in ALLOWED.items():
        looked_at = 0
        for name, figures in lives.items():
            series = figures[what]
            if not series or series[-1][0] - series[0][0] < LONG_LIFE * seconds:
                continue
            seen = trend(series)
            if not seen.known:
                continue
            looked_at += 1
            said = (
                f"{seen.before:.1f}, at the end {seen.after:.1f}; growth {seen.growth:+.2f} (allowed {allowed:g}), "
                f"by chance with p = {seen.chance:.2g}"
            )
            found.append(Finding(f"{what} of {name}", not seen.grows(allowed), said))
        if not looked_at:
            found.append(Finding(f"{what} of the workers", ok=False, said="no process lived long enough to say"))
    return found


def judge_open(series: Series, rate: float) -> list[Finding]:
    """Whether the requests that wait for an answer are bounded. `series`: while requests came."""
    most = max((figure for _, figure in series), default=0.0)
    seen = trend(series)
    return [
        Finding(
            "requests without an answer, at most", most <= OUTAGE * rate, f"{most:,.0f} (allowed {OUTAGE * rate:,.0f})"
        ),
        Finding(
            "requests without an answer, trend",
            seen.known and not seen.grows(OPEN_GROWTH * rate),
            f"growth {seen.growth:+,.0f} (allowed {OPEN_GROWTH * rate:,.0f}), by chance with p = {seen.chance:.2g}"
            if seen.known
            else "too few samples to say",
        ),
    ]
