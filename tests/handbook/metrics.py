"""The tables of docs/metrics.md, made from the table of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.core.metrics.metric import Kind, Process
from streamverify.core.metrics.table import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamverify.core.metrics.metric import Label, Metric

EVERY = frozenset(Process)


def metrics_of(process: Process | None) -> str:
    """Make the table of the metrics that one process has; None: of those that every process has."""
    chosen = [
        metric
        for metric in METRICS.values()
        if (metric.processes == EVERY if process is None else process in metric.processes != EVERY)
    ]
    return _rows(chosen)


def labels_table() -> str:
    """Make the table of the labels, and the closed set of each."""
    found: dict[str, list[str]] = {}
    for metric in METRICS.values():
        for label in metric.labels:
            row = f"| `{label.name}` | {label.meaning} | {_values(label)} |"
            found.setdefault(row, []).append(f"`{metric.name.removeprefix('streamverify_')}`")
    rows = [f"{row} {', '.join(names)} |" for row, names in found.items()]
    return "\n".join(["| label | meaning | values | of |", "|---|---|---|---|", *rows]) + "\n"


def buckets_table() -> str:
    """Make the table of the buckets of the histograms."""
    rows = [
        f"| `{metric.name}` | {' '.join(f'{bound:g}' for bound in metric.buckets)} |"
        for metric in METRICS.values()
        if metric.kind is Kind.HISTOGRAM
    ]
    return "\n".join(["| histogram | upper bounds, in seconds |", "|---|---|", *rows]) + "\n"


def _rows(metrics: Iterable[Metric]) -> str:
    rows = []
    for metric in metrics:
        labels = " ".join(f"`{label.name}`" for label in metric.labels)
        absent = f" Absent {metric.may_be_absent}." if metric.may_be_absent else ""
        rows.append(f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.help}{absent} |")
    return "\n".join(["| metric | type | unit | labels | meaning |", "|---|---|---|---|---|", *rows]) + "\n"


def _values(label: Label) -> str:
    if label.numbers:
        return "a number"
    if label.info:
        return "one in the life of a process"
    if label.name == "metric":
        return "the names on this page"
    if label.name == "code":
        return "the codes of HTTP"
    return " ".join(f"`{value}`" for value in label.values)
