"""Plots of what the benchmarks wrote, as PNG. Needs the extra `bench` (matplotlib).

python -m benchmarks.plots [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

COLOURS = {"fifo": "#bbbbbb", "lru": "#d95f02", "hash": "#7570b3"}
OURS = "#1b9e77"
LINES = {"round robin": "#d95f02", "header hash": "#7570b3", "affinity": OURS}


def bars(axes: Axes, names: list[str], values: list[float], goal: float | None, title: str) -> None:
    """Horizontal bars with their figures, and the goal where there is one."""
    colours = [COLOURS.get(name, OURS) for name in names]
    drawn = axes.barh(names, values, color=colours)
    axes.bar_label(drawn, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_title(title, loc="left")
    axes.set_xlabel("Lean's time for proofs / (slots x elapsed)")
    axes.spines[["top", "right"]].set_visible(False)
    if goal is not None:
        axes.axvline(goal, color="black", linestyle=":", linewidth=1)
        axes.text(goal, -0.6, f"goal {goal:g}", ha="center", va="bottom", fontsize=8)


def pool_affinity(rows: list[dict[str, Any]], file: Path) -> None:
    """The same proofs on real processes."""
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    title = f"{rows[0]['proofs']} proofs, 8 headers, {rows[0]['slots']} slots, REPL processes (measured)\n"
    bars(axes, [row["policy"] for row in rows], [row["useful"] for row in rows], 0.9, title)
    figure.savefig(file, dpi=120)


def pool_overhead(rows: list[dict[str, Any]], file: Path) -> None:
    """What the pool costs beside a bare REPL."""
    figure, axes = plt.subplots(figsize=(8, 0.6 * len(rows) + 1.6), layout="constrained")
    names = [f"{Path(row['repl']).name} ({row['bare_ms']:.1f} ms)" for row in rows]
    bars(axes, names, [row["ratio"] for row in rows], 0.7, "trivial proofs through the pool (measured)\n")
    axes.set_xlabel("rate / (slots / time of a proof in a bare REPL)")
    figure.savefig(file, dpi=120)


def simulated_policies(rows: list[dict[str, Any]], file: Path) -> None:
    """Policies on one worker: how busy Lean is, and how long proofs wait."""
    rows = [row for row in rows if row["workers"] == 1 and row["slots"] == 2]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
    backlog = [row for row in rows if row["load"] == "backlog"]
    names = [row["policy"] for row in backlog]
    bars(left, names, [row["useful"] for row in backlog], None, "a backlog of 600 proofs, 2 slots (simulated)")
    loads = sorted({row["load"] for row in rows} - {"backlog"})
    for place, load in enumerate(loads):
        waits = [row["wait_p50"] for row in rows if row["load"] == load]
        ends = [y + 0.38 * place - 0.19 for y in range(len(waits))]
        drawn = right.barh(ends, waits, height=0.36, label=load, color=("#66a61e", "#a6761d")[place % 2])
        right.bar_label(drawn, fmt="%.0f", padding=3, fontsize=8)
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set_xscale("log")
    right.set_xlabel("median wait, seconds")
    right.set_title("3,000 proofs that come at random (simulated)", loc="left")
    right.spines[["top", "right"]].set_visible(False)
    right.margins(x=0.12)
    right.legend(frameon=False)
    figure.savefig(file, dpi=120)


def simulated_workers(rows: list[dict[str, Any]], file: Path) -> None:
    """Partitioners across workers."""
    rows = [row for row in rows if row["slots"] == 4 and row["policy"] == "ours"]
    figure, panels = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    shown = (
        ("elapsed_of_ideal", "elapsed / ideal", True),
        ("imports_per_1000", "imports for 1,000 proofs", False),
        ("wait_p50", "median wait, seconds", True),
    )
    for axes, (field, title, logarithmic) in zip(panels, shown, strict=True):
        for name, colour in LINES.items():
            mine = [row for row in rows if row["partitioner"] == name]
            axes.plot([row["workers"] for row in mine], [row[field] for row in mine], "o-", color=colour, label=name)
        axes.set_xscale("log")
        if logarithmic:
            axes.set_yscale("log")
        axes.set_xlabel("workers of 4 slots, a partition each")
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.savefig(file, dpi=120)


PLOTS: tuple[tuple[str, str, Callable[[list[dict[str, Any]], Path], None]], ...] = (
    ("pool-affinity.json", "pool-affinity.png", pool_affinity),
    ("pool-overhead.json", "pool-overhead.png", pool_overhead),
    ("simulator.json", "simulator-policies.png", simulated_policies),
    ("simulator.json", "simulator-workers.png", simulated_workers),
)


def main() -> None:
    """Draw every plot whose figures are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    folder = parser.parse_args().out
    for source, target, draw in PLOTS:
        if (folder / source).is_file():
            draw(json.loads((folder / source).read_text("utf-8")), folder / target)
            print(folder / target)


if __name__ == "__main__":
    main()
