"""The form of a dashboard: rows of panels, each with its queries. It knows nothing of Grafana's JSON.

`rate`, `now` and `quantile` write the parts of PromQL that every query has: the prefix of our metrics, the selector of
the variables at the top of the dashboard, and the window that Grafana chooses by zoom and scrape interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SELECTOR = 'job=~"$job", instance=~"$instance"'
WINDOW = "$__rate_interval"

GREEN = "#3f9c5a"
ORANGE = "#e0902f"
RED = "#d64545"
BLUE = "#3a78c3"
PURPLE = "#8a63c0"
GREY = "#8c919b"
BY_STATUS = {"verified": GREEN, "rejected": ORANGE, "inconclusive": RED}
"""The colours of a result's status, on all dashboards."""


class Shape(StrEnum):
    """The kinds of panels of Grafana that are used here, by its own names."""

    LINES = "timeseries"
    """Each series as a line over time."""
    NUMBER = "stat"
    """The last value, large, with its course behind it."""
    BARS = "bargauge"
    """The last value of each series, as bars."""
    TABLE = "table"
    """The labels of each series of the last moment, as rows."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and the name of its series: a text with `{{label}}`, or "" for what the labels say."""

    promql: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `unit` is a name from Grafana's list of units, `thresholds` are lower bounds with their colours."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    shape: Shape = Shape.LINES
    width: int = 8
    height: int = 8
    thresholds: tuple[tuple[float, str], ...] = ()
    below: str = GREEN
    """The colour below the first threshold."""
    stacked: bool = False
    colours: Mapping[str, str] | None = None
    """Colours of series by their names; the others get what Grafana gives them."""
    lowest: float | None = 0
    highest: float | None = None
    columns: tuple[str, ...] = ()
    """Of a table: the labels that are shown, in their order."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels under a heading. A dashboard has 24 columns; what does not fit goes on in the next line."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `member` is a metric that only those processes have that the variables offer."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    member: str = "streamverify_build_info"
    one_instance: bool = False
    """True: it shows one instance; False: it begins with all."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.uid.removeprefix('streamverify-')}.json"


def now(metric: str, more: str = "") -> str:
    """Write the selection of a gauge of ours, with more matchers if given."""
    return f"streamverify_{metric}{{{_matchers(more)}}}"


def rate(counter: str, more: str = "") -> str:
    """Write how much a counter of ours grew in each second."""
    return f"rate(streamverify_{counter}{{{_matchers(more)}}}[{WINDOW}])"


def increase(counter: str, window: str, more: str = "") -> str:
    """Write how much a counter of ours grew within a window."""
    return f"increase(streamverify_{counter}{{{_matchers(more)}}}[{window}])"


def quantile(part: float, histogram: str, by: str = "") -> str:
    """Write a quantile of a histogram of ours, over all series or by a label."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({part}, sum by ({labels}) ({rate(f'{histogram}_bucket')}))"


def quantiles(histogram: str) -> tuple[Query, ...]:
    """Write the three quantiles that say most of a time: what is usual, what is bad, what is worst."""
    return tuple(Query(quantile(part, histogram), f"p{part * 100:.0f}") for part in (0.5, 0.95, 0.99))


def by(label: str, promql: str) -> tuple[Query, ...]:
    """Write the sum of a query by a label: a series for each value, with its name."""
    return (Query(f"sum by ({label}) ({promql})", f"{{{{{label}}}}}"),)


def by_instance(metric: str) -> tuple[Query, ...]:
    """Write a gauge of ours that each process has once: a series for each process, with its address."""
    return (Query(now(metric), "{{instance}}"),)


def number(  # noqa: PLR0913 - the fields of a panel
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    width: int = 4,
    highest: float | None = None,
    thresholds: tuple[tuple[float, str], ...] = (),
    below: str = GREEN,
) -> Panel:
    """Make a panel of one number, as the row `Now` of each dashboard has them: half as high as one with lines."""
    return Panel(
        title,
        description,
        unit,
        (query,),
        Shape.NUMBER,
        width=width,
        height=4,
        highest=highest,
        thresholds=thresholds,
        below=below,
    )


def share(part: str, whole: str) -> str:
    """Write part of a whole; where there is nothing of the whole, 0: nothing went wrong, and a panel is no gap."""
    return f"({part}) / ({whole} > 0) or 0 * ({whole})"


def _matchers(more: str) -> str:
    return f"{SELECTOR}, {more}" if more else SELECTOR
