"""Plots of what the pool's benchmarks wrote, as PNG. Needs the extra `bench` (matplotlib).

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


PLOTS: tuple[tuple[str, str, Callable[[list[dict[str, Any]], Path], None]], ...] = (
    ("pool-affinity.json", "pool-affinity.png", pool_affinity),
    ("pool-overhead.json", "pool-overhead.png", pool_overhead),
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
