"""The simulator's figures as tables in `benchmarks/README.md`, and as plots."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Row = dict[str, Any]

README = Path(__file__).parents[1] / "README.md"
PLOTS = Path(__file__).parent / "plots"

COLOURS = {
    "round robin": "#d95f02",
    "header hash": "#7570b3",
    "half a share (our first rule)": "#999999",
    "ours": "#1b9e77",
}
COMPARED = {"steady_imports": "imports", "wait_p50": "p50", "wait_p99": "p99"}
SHOWN = {
    "steady_imports": "steady imports for 1,000 proofs",
    "wait_p50": "median wait, s",
    "wait_p99": "99 % wait less, s",
}
WORKERS = ("1 worker", "10 workers", "100 workers", "1,000 workers")


def write_report(done: dict[str, list[Row]]) -> None:
    """Replace the tables of the parts that have figures, and draw the plots."""
    text = README.read_text("utf-8")
    tables = {"scenarios": scenarios, "limits": limits, "spread": spread, "partitions": partitions}
    tables |= {"policies": policies, "memory": memory, "lane": lane}
    for name, make in tables.items():
        rows = done.get("scenarios" if name == "limits" else name)
        if rows:
            marks = rf"(<!-- simulator: {name} -->\n).*?(<!-- end -->)"
            table = make(rows)
            text = re.sub(marks, lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
    README.write_text(text, "utf-8")
    PLOTS.mkdir(exist_ok=True)
    if done.get("scenarios"):
        plot_workers(done["scenarios"])
        plot_scenarios(done["scenarios"])
    if done.get("memory"):
        plot_memory(done["memory"])


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A table; the first `names` columns are words."""
    ends = ["---"] * names + ["---:"] * (len(heads) - names)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ends, *rows))


def scenarios(rows: Sequence[Row]) -> str:
    """Every scenario, by every partitioner."""
    heads = ["scenario", "partitioner", "imports", "steady", "importing", "p50", "p99", "steady p50", "steady p99"]
    heads += ["useful", "elapsed / ideal"]
    cells = [
        (
            row["scenario"],
            row["partitioner"],
            f"{row['imports']:.0f}",
            f"{row['steady_imports']:.0f}",
            f"{row['importing']:.3f}",
            *(_seconds(row[name]) for name in ("wait_p50", "wait_p99", "steady_p50", "steady_p99")),
            f"{row['useful']:.2f}",
            f"{row['elapsed_of_ideal']:.2f}",
        )
        for row in rows
    ]
    return markdown(heads, cells, 2)


def limits(rows: Sequence[Row]) -> str:
    """Ours against round robin, seed by seed: what differs by more than noise.

    Noise is twice the standard error of the differences: each seed has the same proofs for both.
    """
    cells = []
    by_name = {(row["scenario"], row["partitioner"]): row for row in rows}
    for name, kind in by_name:
        if not kind.startswith("ours"):
            continue
        mine, other = by_name[name, kind]["seeds"], by_name[name, "round robin"]["seeds"]
        cell = [name + kind.removeprefix("ours")]
        for field in COMPARED:
            differences = [ours - theirs for ours, theirs in zip(mine[field], other[field], strict=True)]
            mean = statistics.mean(differences)
            noise = 2 * statistics.stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
            word = "better" if mean < -noise else "**worse**" if mean > noise else "the same"
            cell.append(f"{mean:+.1f} ± {noise:.1f}: {word}")
        cells.append(cell)
    return markdown(("scenario", *(f"{name}, ours - round robin" for name in COMPARED.values())), cells)


def spread(rows: Sequence[Row]) -> str:
    """The constant of our rule."""
    return _by(rows, "scenario", "partitioner")


def partitions(rows: Sequence[Row]) -> str:
    """Partitions for each worker."""
    named = [row | {"which": f"{row['scenario']}, {row['partitioner']}"} for row in rows]
    return _by(named, "which", "partitions_each")


def memory(rows: Sequence[Row]) -> str:
    """Several headers a process, or spares."""
    named = [row | {"which": f"{row['slots']} slots" + (", 2 % die" if row["killed"] else "")} for row in rows]
    return _by(named, "kind", "which")


def _by(rows: Sequence[Row], down: str, across: str) -> str:
    """Imports for 1,000 proofs, and the median and the 99th percentile of the wait, in one cell."""
    columns = list(dict.fromkeys(str(row[across]) for row in rows))
    cells = []
    for name in dict.fromkeys(row[down] for row in rows):
        here = {str(row[across]): row for row in rows if row[down] == name}
        cells.append([str(name), *(_three(here[column]) for column in columns)])
    return markdown(("", *columns), cells)


def policies(rows: Sequence[Row]) -> str:
    """Policies within one worker."""
    loads = list(dict.fromkeys(row["load"] for row in rows))
    cells = []
    for name in dict.fromkeys(row["policy"] for row in rows):
        here = {row["load"]: row for row in rows if row["policy"] == name}
        cells.append([name, f"{here[loads[0]]['useful']:.3f}", *(_three(here[load]) for load in loads[1:])])
    return markdown(("policy", "backlog, useful", *loads[1:]), cells)


def lane(rows: Sequence[Row]) -> str:
    """The waits of short and of long work, with and without the lane."""
    names = ("short_p50", "short_p99", "long_p50", "long_p99", "elapsed")
    cells = [(row["case"], f"{row['slots']}", row["kind"], *(_seconds(row[name]) for name in names)) for row in rows]
    return markdown(("case", "slots", "", "short p50", "short p99", "long p50", "long p99", "elapsed"), cells, 3)


def _three(row: Row) -> str:
    return f"{row['imports']:.0f}, {_seconds(row['wait_p50'])}, {_seconds(row['wait_p99'])}"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


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
