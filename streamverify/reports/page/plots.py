"""Plots as inline SVG. Each has the figures that it shows in a table beside it, and a title for who cannot see it.

Colours and fonts are classes of the page's style sheet, so that a plot is right in the dark and in print, too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from streamverify.reports.page.elements import element
from streamverify.reports.page.words import count, percent, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from streamverify.core.reports.report_model import Bar, Durations, PassAtKEstimate

_WIDTH, _HEIGHT = 560.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 40.0, 28.0
_SMALLEST_VISIBLE = 1.5
"""Pixels that the smallest bar has."""
_LABEL_WIDTH = 48.0


class BarPart(NamedTuple):
    """A part of a stacked bar."""

    label: str
    number: int
    style: str


class _Frame:
    """The area of a plot: axes, grid, and where a value lies in it."""

    def __init__(self, title: str, low: float, high: float, most: float) -> None:
        self.svg = element(
            "svg",
            element("title", title),
            viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
            role="img",
            class_="plot",
        )
        self._low, self._high = math.log10(low), math.log10(high)
        self._most = most

    def x(self, value: float) -> float:
        """Return where a value lies from left to right."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Return where a value lies from top to bottom."""
        return _HEIGHT - _BOTTOM - value / self._most * (_HEIGHT - _TOP - _BOTTOM)

    def add(self, name: str, /, *children: Element | str, **attributes: str | float | None) -> None:
        """Draw something."""
        self.svg.append(element(name, *children, **attributes))

    def grid(self, rows: Sequence[tuple[float, str]], columns: Sequence[tuple[float, str]]) -> None:
        """Draw lines with labels at some heights, and labels below some places."""
        for height, label in rows:
            y = self.y(height)
            style = "axis" if height == 0 else "grid"
            self.add("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_=style)
            self.add("text", label, x=_LEFT - 6, y=y + 4, class_="tick end")
        for place, label in columns:
            x = self.x(place)
            y = _HEIGHT - _BOTTOM
            self.add("line", x1=x, x2=x, y1=y, y2=y + 4, class_="axis")
            self.add("text", label, x=x, y=y + 18, class_="tick middle")


def histogram(title: str, every: Durations, parts: Sequence[tuple[str, Durations]] = ()) -> Element | None:
    """Draw a histogram on a logarithmic axis, with the median, the 90th and the 99th percentile.

    Args:
        title: What it shows.
        every: All durations.
        parts: The same durations split up, each with its style: then the bars are stacked.

    Returns:
        The plot; None where there is nothing to draw.
    """
    bars = every.bars
    if not bars:
        return None
    tallest = max(bar.count for bar in bars)
    frame = _Frame(title, bars[0].low, bars[-1].high, tallest)
    frame.grid(_heights(tallest), _decades(bars[0].low, bars[-1].high))
    stacked = [(style, {bar.low: bar.count for bar in part.bars}) for style, part in parts]
    if not set().union(*(counts for _, counts in stacked)) <= {bar.low for bar in bars}:
        stacked = []  # the parts have bars of another width
    for bar in bars:
        _column(frame, bar, stacked or [("bar", {bar.low: bar.count})])
    _percentiles(frame, every)
    return frame.svg


def _column(frame: _Frame, bar: Bar, stacked: Sequence[tuple[str, dict[float, int]]]) -> None:
    """Draw one bar, from the bottom up."""
    if not bar.count:
        return
    x, width = frame.x(bar.low), frame.x(bar.high) - frame.x(bar.low)
    below = 0
    group = element("g", element("title", f"{seconds(bar.low)} to {seconds(bar.high)}: {count(bar.count)}"))
    for style, counts in stacked:
        if number := counts.get(bar.low, 0):
            height = max(_SMALLEST_VISIBLE, frame.y(below) - frame.y(below + number))
            group.append(
                element("rect", x=x + 0.5, y=frame.y(below) - height, width=width - 1, height=height, class_=style)
            )
            below += number
    frame.svg.append(group)


def _percentiles(frame: _Frame, every: Durations) -> None:
    """Mark percentiles by dashed lines whose labels do not overlap: each has a height of its own."""
    for row, (name, value) in enumerate((("p50", every.p50), ("p90", every.p90), ("p99", every.p99))):
        if not value:
            continue
        x, y = frame.x(value), 12.0 + 12 * row
        frame.add("line", x1=x, x2=x, y1=y - 8, y2=_HEIGHT - _BOTTOM, class_="mark")
        label = f"{name} {seconds(value)}"
        # To the left of the line where there is no room to its right.
        if x > _WIDTH - _RIGHT - 2 * _LABEL_WIDTH:
            frame.add("text", label, x=x - 4, y=y, class_="mark-label end")
        else:
            frame.add("text", label, x=x + 4, y=y, class_="mark-label")


def _heights(tallest: int) -> list[tuple[float, str]]:
    """Choose round heights, at most four, from 0 up."""
    step = 10.0 ** math.floor(math.log10(max(1, tallest)))
    for factor in (0.1, 0.2, 0.5, 1, 2, 5):
        if tallest / (step * factor) <= 4 and step * factor >= 1:  # noqa: PLR2004 - lines that are easy on the eye
            step *= factor
            break
    return [(at * step, count(round(at * step))) for at in range(math.floor(tallest / step) + 1)]


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Choose places with round labels: powers of ten, and where these are few also twice and five times as much."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first <= 3 else (1,)  # noqa: PLR2004 - more labels have no room
    every = max(1, math.ceil((last - first) / 8))
    places = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
    # A place at the edge may be off by a rounding error.
    return [(place, _tick(place)) for place in places if low * 0.999 <= place <= high * 1.001]


def _tick(value: float) -> str:
    """Write a round duration shortly."""
    for unit, factor in (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        if value < 1000 * factor * 0.999 or unit == "s":
            return f"{value / factor:,.4g} {unit}"
    raise AssertionError


def pass_at_k_curve(title: str, estimates: Sequence[PassAtKEstimate]) -> Element | None:
    """Draw pass@k over k, with a band for the intervals.

    Returns:
        The plot; None where there are fewer than two values of k.
    """
    if len(estimates) < 2:  # noqa: PLR2004 - a single point is no curve
        return None
    frame = _Frame(title, estimates[0].k, estimates[-1].k, 1.0)
    ks = [(float(one.k), str(one.k)) for one in estimates]
    if len(ks) > 2 and math.log10(ks[-1][0] / ks[-2][0]) < 0.06 * math.log10(ks[-1][0]):  # noqa: PLR2004
        del ks[-2]  # its label would stand in that of the last one
    frame.grid([(share, f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)], ks)
    points = [(frame.x(one.k), frame.y(one.estimate)) for one in estimates]
    if all(one.low is not None for one in estimates):
        lower = [(frame.x(one.k), frame.y(max(0.0, one.low or 0.0))) for one in estimates]
        upper = [(frame.x(one.k), frame.y(min(1.0, one.high or 0.0))) for one in estimates]
        frame.add("polygon", points=_points([*upper, *reversed(lower)]), class_="band")
    frame.add("polyline", points=_points(points), class_="curve")
    for one, (x, y) in zip(estimates, points, strict=True):
        frame.svg.append(
            element(
                "circle", element("title", f"pass@{one.k} {percent(one.estimate)}"), cx=x, cy=y, r=4.0, class_="point"
            )
        )
    return frame.svg


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def stacked_bar(title: str, parts: Sequence[BarPart]) -> Element | None:
    """Draw one horizontal bar in which each part is as wide as its share.

    Returns:
        The plot; None where all parts are empty.
    """
    total = sum(part.number for part in parts)
    if not total:
        return None
    svg = element(
        "svg", element("title", title), viewBox="0 0 1000 28", role="img", class_="stack", preserveAspectRatio="none"
    )
    x = 0.0
    for part in parts:
        width = 1000 * part.number / total
        if part.number:
            shown = element("title", f"{part.label}: {count(part.number)} ({percent(part.number / total)})")
            svg.append(element("rect", shown, x=x, y=0.0, width=max(0.5, width), height=28.0, class_=part.style))
        x += width
    return svg


def meter(share: float, style: str) -> Element:
    """Draw a bar in a cell of a table; the cell beside it has the figure."""
    return element(
        "svg",
        element("rect", x=0.0, y=0.0, width=100.0, height=8.0, rx=4.0, class_="track"),
        element("rect", x=0.0, y=0.0, width=max(1.0, 100 * min(1.0, share)), height=8.0, rx=4.0, class_=style)
        if share
        else None,
        viewBox="0 0 100 8",
        class_="meter",
        aria_hidden="true",
    )
