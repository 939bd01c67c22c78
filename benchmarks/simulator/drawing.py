"""The simulator's figures as plots, with matplotlib (extra `bench`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Row = dict[str, Any]

PLOTS = Path(__file__).parent / "plots"

COLOURS = {
    "round robin": "#d95f02",
    "header hash": "#7570b3",
    "half a share (our first rule)": "#999999",
    "ours": "#1b9e77",
}
SHOWN = {
    "steady_imports": "steady imports for 1,000 proofs",
    "wait_p50": "median wait, s",
    "wait_p99": "99 % wait less, s",
}
WORKERS = ("1 worker", "10 workers", "100 workers", "1,000 workers")


def draw(done: dict[str, list[Row]]) -> None:
    """Draw the plots of the parts that have figures."""
    PLOTS.mkdir(exist_ok=True)
    if done.get("scenarios"):
        plot_workers(done["scenarios"])
        plot_scenarios(done["scenarios"])
    if done.get("memory"):
        plot_memory(done["memory"])


def plot_workers(rows: Sequence[Row]) -> None:
    """The mix on 1 to 1,000 workers."""
    figure, panels = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for axes, (field, title) in zip(panels, SHOWN.items(), strict=True):
        for name, colour in COLOURS.items():
            mine = [row for row in rows if row["scenario"] in WORKERS and row["partitioner"] == name]
            at = [int(row["scenario"].split()[0].replace(",", "")) for row in mine]
            axes.plot(at, [row[field] for row in mine], "o-", color=colour, label=name)
        axes.set_xscale("log")
        if field != "steady_imports":
            axes.set_yscale("log")
        axes.set_xlabel("workers of 4 slots, a partition each; load 0.8")
        _bare(axes, title)
    panels[0].legend(frameon=False, fontsize=8)
    _save(figure, "workers")


def plot_scenarios(rows: Sequence[Row]) -> None:
    """Every scenario, without header hash: its waits would hide the others'."""
    names = list(dict.fromkeys(row["scenario"] for row in rows))
    figure, panels = plt.subplots(1, 3, figsize=(14, 0.42 * len(names) + 1.2), layout="constrained", sharey=True)
    kinds = [name for name in COLOURS if name != "header hash"]
    for axes, (field, title) in zip(panels, SHOWN.items(), strict=True):
        for place, kind in enumerate(kinds):
            values = [row[field] for row in rows if row["partitioner"] == kind]
            axes.barh(
                [y + 0.27 * (place - 1) for y in range(len(names))], values, 0.25, color=COLOURS[kind], label=kind
            )
        axes.set_yticks(range(len(names)), names, fontsize=8)
        _bare(axes, title)
    panels[0].invert_yaxis()
    panels[2].legend(frameon=False, fontsize=8)
    _save(figure, "scenarios")


def plot_memory(rows: Sequence[Row]) -> None:
    """What memory is good for within a worker."""
    rows = [row for row in rows if not row["killed"]]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    figure, panels = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
    for axes, (field, title) in zip(
        panels, {"imports": "imports for 1,000 proofs", "wait_p50": "median wait, s"}.items(), strict=True
    ):
        for kind in kinds:
            mine = [row for row in rows if row["kind"] == kind]
            axes.plot([row["slots"] for row in mine], [row[field] for row in mine], "o-", label=kind)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("slots of one worker, load 0.8")
        _bare(axes, title)
    panels[0].legend(frameon=False, fontsize=8)
    _save(figure, "memory")


def _bare(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Any, name: str) -> None:
    figure.savefig(PLOTS / f"{name}.png", dpi=90)
    plt.close(figure)
