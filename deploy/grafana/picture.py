"""Panels of a dashboard as a picture, drawn from what a Prometheus has said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image
from quantities import ticks, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asking import Prometheus, Series
    from matplotlib.axes import Axes

COLUMNS = 24
POINTS = 240
COLOURS = ("#3a78c3", "#e0902f", "#3f9c5a", "#d64545", "#8a63c0", "#4aa9b8", "#b8860b", "#8c919b", "#c45a9b", "#6b8e23")
INK, FAINT, PAGE, CARD = "#24292f", "#6e7781", "#eef0f3", "#ffffff"
UNIT = 0.3
"""Inches of a unit of height of Grafana's grid; a column is as wide as the picture allows."""
WIDTH = 13.0


def chosen(panels: Sequence[dict[str, Any]], rows: Sequence[str]) -> list[dict[str, Any]]:
    """Choose the panels of these rows, or all, and close the gaps that the others leave."""
    kept: list[dict[str, Any]] = []
    height = moved = 0
    wanted = False
    for panel in panels:
        place = panel["gridPos"]
        if panel["type"] == "row":
            wanted = not rows or panel["title"] in rows
            moved = place["y"] - height
        if wanted:
            kept.append({**panel, "gridPos": {**place, "y": place["y"] - moved}})
            height = max(height, place["y"] - moved + place["h"])
    return kept


class Picture:
    """A drawing of panels, with the data of one span of time."""

    def __init__(self, prometheus: Prometheus, start: float, end: float, variables: dict[str, str]) -> None:
        self._prometheus = prometheus
        self._start, self._end = start, end
        self._step = max(1.0, (end - start) / POINTS)
        # As Grafana does, but for the scrape interval, which it knows: a rate over four of 15 s, or of the points.
        window = f"{max(int(4 * self._step), min(60, int((end - start) / 10)), 4)}s"
        self._variables = {"$__rate_interval": window, "$job": variables["job"], "$instance": variables["instance"]}

    def draw(self, panels: Sequence[dict[str, Any]], output: str) -> None:
        """Ask for the data of all panels, draw them and write the file, with few colours so that it stays small."""
        rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        with mpl.rc_context(
            {"font.family": "DejaVu Sans", "font.size": 7.5, "text.color": INK, "axes.edgecolor": "#d0d7de"}
        ):
            figure = Figure(figsize=(WIDTH, rows * UNIT), dpi=110, facecolor=PAGE)
            for panel in panels:
                place = panel["gridPos"]
                top = 1 - place["y"] / rows
                if panel["type"] == "row":
                    figure.text(0.008, top - 0.6 / rows, panel["title"], size=10, weight="bold", va="center")
                    continue
                left, width, height = place["x"] / COLUMNS, place["w"] / COLUMNS, place["h"] / rows
                self._card(figure, panel, (left, top - height, width, height))
            figure.savefig(output)
        with Image.open(output) as image:
            image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(output, optimize=True)

    def _card(self, figure: Figure, panel: dict[str, Any], box: tuple[float, float, float, float]) -> None:
        left, bottom, width, height = box
        inches = figure.get_size_inches()
        pad_x, pad_y = 0.05 / inches[0], 0.05 / inches[1]
        corner = (left + pad_x, bottom + pad_y)
        card = FancyBboxPatch(
            corner,
            width - 2 * pad_x,
            height - 2 * pad_y,
            boxstyle="round,pad=0,rounding_size=0.003",
            mutation_aspect=inches[0] / inches[1],
            transform=figure.transFigure,
            facecolor=CARD,
            edgecolor="#d8dee4",
            linewidth=0.7,
            # Below the axes, whose own is 0.
            zorder=-1,
        )
        figure.add_artist(card)
        title = bottom + height - 0.19 / inches[1]
        figure.text(left + 0.13 / inches[0], title, panel["title"], size=8, weight="bold", va="center")
        margins = {"timeseries": (0.55, 0.52), "stat": (0.1, 0.08), "bargauge": (1.25, 0.15), "table": (0.13, 0.1)}
        side, below = margins[panel["type"]]
        axes = figure.add_axes(
            (
                left + side / inches[0],
                bottom + below / inches[1],
                width - (side + 0.17) / inches[0],
                height - (below + 0.38) / inches[1],
            )
        )
        drawing = {"timeseries": self._lines, "stat": self._number, "bargauge": self._bars, "table": self._table}
        drawing[panel["type"]](axes, panel)

    def _courses(self, panel: dict[str, Any]) -> list[tuple[str, Series]]:
        return [
            (legend(target.get("legendFormat", ""), series.labels), series)
            for target in panel["targets"]
            for series in self._prometheus.course(self._promql(target), self._start, self._end, self._step)
        ]

    def _promql(self, target: dict[str, Any]) -> str:
        query: str = target["expr"]
        for name, value in self._variables.items():
            query = query.replace(name, value)
        return query

    def _lines(self, axes: Axes, panel: dict[str, Any]) -> None:
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        stacked = custom.get("stacking", {}).get("mode") == "normal"
        fixed = fixed_colours(panel)
        found = self._courses(panel)
        # A series that is 0 throughout is left out where there are others: its line would say nothing.
        some = [(name, series) for name, series in found if any(value for _, value in series.points)] or found[:1]
        free = iter(COLOURS * 4)
        base: dict[float, float] = {}
        for name, series in some:
            colour = fixed.get(name) or next(colour for colour in free if colour not in fixed.values())
            times = [moment for moment, _ in series.points]
            lower = [base.get(moment, 0.0) if stacked else 0.0 for moment in times]
            upper = [low + value for low, (_, value) in zip(lower, series.points, strict=True)]
            days = [moment / 86400 for moment in times]
            axes.fill_between(days, lower, upper, color=colour, alpha=0.45 if stacked else 0.08, linewidth=0)
            axes.plot(days, upper, color=colour, linewidth=1.3, label=name)
            if stacked:
                base |= dict(zip(times, upper, strict=True))
        self._frame(axes, panel, anything=any(value for _, series in some for _, value in series.points))

    def _frame(self, axes: Axes, panel: dict[str, Any], *, anything: bool) -> None:
        defaults = panel["fieldConfig"]["defaults"]
        axes.set_xlim(self._start / 86400, self._end / 86400)
        low, high = axes.get_ylim()
        # Nothing but zeros, or nothing at all, is no reason to magnify it.
        top = max(high * 1.05, 1e-3) if anything else 1.0
        axes.set_ylim(defaults.get("min", low), defaults.get("max", top))
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None and step["value"] <= axes.get_ylim()[1]:
                axes.axhline(step["value"], color=step["color"], linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_yticks(ticks(axes.get_ylim()[1], defaults["unit"]))
        axes.yaxis.set_major_formatter(lambda value, _: written(value, defaults["unit"]))
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=4, maxticks=8))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
        axes.tick_params(colors=FAINT, labelsize=6.5, length=0)
        axes.grid(visible=True, color="#e7eaee", linewidth=0.6)
        axes.set_axisbelow(True)
        for edge in ("top", "right", "left"):
            axes.spines[edge].set_visible(False)
        self._names(axes)

    def _names(self, axes: Axes) -> None:
        """Write the names of the series below, as many in a line as fit, and say how many are left out."""
        handles, names = axes.get_legend_handles_labels()
        width = axes.get_window_extent().width / axes.figure.dpi
        columns = max(1, min(len(names), int(width / (0.3 + 0.055 * max(map(len, names), default=1)))))
        shown = names[: 2 * columns]
        if len(shown) < len(names):
            shown[-1] = f"and {len(names) - len(shown) + 1} more"
        if names:
            axes.legend(
                handles[: len(shown)],
                shown,
                loc="upper left",
                bbox_to_anchor=(-0.06, -0.08),
                ncols=columns,
                frameon=False,
                fontsize=6.5,
                handlelength=1.0,
                columnspacing=1.0,
                handletextpad=0.4,
                labelspacing=0.25,
            )

    def _number(self, axes: Axes, panel: dict[str, Any]) -> None:
        axes.axis("off")
        found = self._courses(panel)
        last = found[0][1].points[-1][1] if found else None
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        colour = INK
        if last is not None and len(steps) > 1:
            colour = [step["color"] for step in steps if step["value"] is None or step["value"] <= last][-1]
        if found:
            points = found[0][1].points
            times, values = [moment for moment, _ in points], [value for _, value in points]
            axes.fill_between(times, 0, values, color=COLOURS[0] if colour == INK else colour, alpha=0.12, linewidth=0)
            axes.set_xlim(self._start, self._end)
            axes.set_ylim(0, max([*values, 1e-9]) * 2.2)
        text = "no data" if last is None else written(last, defaults["unit"])
        axes.text(
            0.5, 0.55, text, transform=axes.transAxes, size=19, weight="bold", color=colour, ha="center", va="center"
        )

    def _bars(self, axes: Axes, panel: dict[str, Any]) -> None:
        found = [
            (legend(target.get("legendFormat", ""), series.labels), series.points[-1][1])
            for target in panel["targets"]
            for series in self._prometheus.now(self._promql(target))
        ]
        found = sorted(found, key=lambda item: item[1])[-8:]
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        colours = [
            [step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1]
            for _, value in found
        ]
        places = range(len(found))
        most = max([value for _, value in found] + [1.0])
        axes.barh(places, [most * 1.18] * len(found), color="#f3f4f6", height=0.62)
        axes.barh(places, [value for _, value in found], color=colours, height=0.62)
        for place, (_, value) in zip(places, found, strict=True):
            axes.text(most * 1.16, place, written(round(value), defaults["unit"]), ha="right", va="center", size=7)
        axes.set_xlim(0, most * 1.18)
        # Two bars are no thicker than eight.
        axes.set_ylim(len(found) - 8.5, len(found) - 0.5)
        axes.set_yticks(list(places), [name for name, _ in found])
        axes.set_xticks([])
        axes.tick_params(colors=INK, labelsize=7, length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    def _table(self, axes: Axes, panel: dict[str, Any]) -> None:
        axes.axis("off")
        columns = panel["transformations"][0]["options"]["include"]["names"]
        rows = [series.labels for target in panel["targets"] for series in self._prometheus.now(self._promql(target))]
        cells = [[row.get(name, "") for name in columns] for row in rows]
        widths = [max([len(name), *(len(row[index]) for row in cells)]) for index, name in enumerate(columns)]
        starts = [sum(widths[:index]) + 3 * index for index in range(len(columns))]
        whole = sum(widths) + 3 * len(widths)
        for line, row in enumerate([list(columns), *cells]):
            for start, cell in zip(starts, row, strict=True):
                axes.text(
                    start / whole,
                    1 - (line + 0.5) / 8,
                    cell,
                    size=7,
                    weight="bold" if line == 0 else "normal",
                    va="center",
                )


def legend(form: str, labels: Any) -> str:
    """Name a series: the form with its labels in place of `{{label}}`, or the labels themselves."""
    if form:
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: str(labels.get(found[1], "")), form)
    return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "__name__")


def fixed_colours(panel: dict[str, Any]) -> dict[str, str]:
    """Read from a panel which series have which colour."""
    return {
        override["matcher"]["options"]: each["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "color"
    }
