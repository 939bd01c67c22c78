"""The simulator's figures as tables in `benchmarks/README.md`."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Row = dict[str, Any]

README = Path(__file__).parents[1] / "README.md"

COMPARED = {"steady_imports": "imports", "wait_p50": "p50", "wait_p99": "p99"}


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
    # Only here: matplotlib comes with the extra `bench`, and the tables do without.
    from benchmarks.simulator import drawing  # noqa: PLC0415

    drawing.draw(done)


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
