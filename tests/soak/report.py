"""The report of a soak: Markdown with the findings, a picture of everything over time, and the figures as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from soak.run import SoakReport

_BIN = 5.0
"""Seconds over which a rate is taken."""
_WIDTH, _HEIGHT = 11.0, 15.0
_LONG = 0.25
"""Share of the run from which on a process has a line in the legend."""


def write(report: SoakReport, folder: Path) -> None:
    """Write `soak.md`, `soak.png` and `soak.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(as_json(report)), "utf-8")
    (folder / "soak.md").write_text(markdown(report), "utf-8")
    draw(report, folder / "soak.png")


def as_json(report: SoakReport) -> dict[str, Any]:
    """All of it but the ledger's single proofs."""
    samples, ledger = report.samples, report.ledger
    return {
        "ok": report.ok,
        "plan": asdict(report.plan) | {"logs": None},
        "seconds": round(report.seconds, 1),
        "findings": [asdict(finding) for finding in report.findings],
        "strikes": [asdict(strike) for strike in report.strikes],
        "began": report.began,
        "ends": report.ends,
        "skipped": report.skipped,
        "proofs": {"sent": ledger.sent, "answered": ledger.answered, "results": ledger.results, "wrong": ledger.wrongs},
        "lives": [asdict(life) for life in samples.lives.values()],
        "open": samples.open,
        "answered": samples.answered,
        "backlog": samples.backlog,
    }


def markdown(report: SoakReport) -> str:
    """The report, for people."""
    plan, ledger = report.plan, report.ledger
    kinds: dict[str, int] = {}
    for strike in report.strikes:
        kinds[strike.kind] = kinds.get(strike.kind, 0) + 1
    ends = ", ".join(f"{code}: {count}" for code, count in sorted(report.ends.items()))
    lines = [
        f"# Soak: {'passed' if report.ok else 'FAILED'}",
        "",
        (
            f"{plan.minutes:g} minutes, {plan.rate:g} proofs a second, {plan.nodes} broker{'s' * (plan.nodes > 1)}, "
            f"{plan.workers} workers of {plan.slots} slots, seed {plan.seed}; {len(report.strikes)} faults, at least "
            f"{plan.every:g} s apart. It took {report.seconds:.0f} s: {ledger.sent:,} proofs."
        ),
        "",
        "![Rate, waiting requests, memory, descriptors, threads and faults over time](soak.png)",
        "",
        "| looked at | | |",
        "|---|---|---|",
        *(f"| {finding.what} | {'ok' if finding.ok else '**NO**'} | {finding.said} |" for finding in report.findings),
        "",
        "| fault | times |",
        "|---|---|",
        *(f"| {kind} | {count} |" for kind, count in sorted(kinds.items())),
        "",
        f"Workers ended with: {ends or 'nothing'} (exit code, or minus the signal: times).",
        *(f"Not run: {text}." for text in report.skipped),
    ]
    return "\n".join(lines) + "\n"


def draw(report: SoakReport, file: Path) -> None:
    """Draw the figures over the minutes of the run, each fault a line through all of them."""
    mpl.use("Agg")
    figure, axes = plt.subplots(6, 1, sharex=True, figsize=(_WIDTH, _HEIGHT), layout="constrained")
    rate, waiting, memory, descriptors, threads, struck = axes
    samples = report.samples
    _line(rate, _rates(samples.sent), "sent", "#9aa5b1")
    _line(rate, _rates(samples.answered), "answered", "#1f6feb")
    rate.set_ylabel("proofs/s")
    _line(waiting, samples.open, "without an answer (sent - answered)", "#1f6feb")
    _line(waiting, samples.backlog, "streamverify_backlog_records, all workers", "#d97706")
    waiting.set_ylabel("requests")
    for axis, name, label in (
        (memory, "memory", "MiB resident"),
        (descriptors, "descriptors", "open descriptors"),
        (threads, "threads", "threads"),
    ):
        _lives(axis, report, name)
        axis.set_ylabel(label)
    _faults(struck, report)
    for axis in axes:
        for strike in report.strikes:
            axis.axvspan(_minute(report, strike.begin), _minute(report, strike.end), color="#b42318", alpha=0.07, lw=0)
        axis.grid(alpha=0.25)
        if axis is not struck:
            axis.set_ylim(bottom=0)
            if axis.get_legend_handles_labels()[0]:
                # What warms up or is made up for is on the left or high; the legend is to hide neither.
                place = "lower left" if axis in {memory, descriptors, threads} else "upper left"
                axis.legend(loc=place, fontsize=8, framealpha=0.6)
    struck.set_xlabel("minutes; shaded: while a fault lasted")
    figure.suptitle(f"Soak: {report.plan.rate:g} proofs/s, {len(report.strikes)} faults, {report.plan.nodes} broker(s)")
    figure.savefig(file, dpi=80)
    plt.close(figure)


def _line(axis: Axes, series: Sequence[tuple[float, float]], label: str, color: str) -> None:
    axis.plot([at / 60 for at, _ in series], [figure for _, figure in series], label=label, color=color, lw=1.2)


def _lives(axis: Axes, report: SoakReport, name: str) -> None:
    """A line for each process; the long ones in front and by name, the others grey."""
    for life in report.samples.lives.values():
        series = life.figures[name]
        is_long = life.seconds >= _LONG * report.seconds
        [line] = axis.plot(
            [at / 60 for at, _ in series],
            [figure for _, figure in series],
            lw=1.4 if is_long else 0.8,
            zorder=3 if is_long else 2,
        )
        if is_long:
            line.set_label(life.name)
        else:
            line.set_color("#9aa5b1")


def _faults(axis: Axes, report: SoakReport) -> None:
    kinds = sorted({strike.kind for strike in report.strikes})
    for strike in report.strikes:
        at = kinds.index(strike.kind)
        begin, end = _minute(report, strike.begin), _minute(report, strike.end)
        axis.plot([begin, max(end, begin + 0.02)], [at, at], color="#b42318", lw=5, solid_capstyle="butt")
    axis.set_yticks(range(len(kinds)), kinds, fontsize=8)
    axis.set_ylim(-0.7, max(0.7, len(kinds) - 0.3))


def _minute(report: SoakReport, milliseconds: int) -> float:
    return (milliseconds / 1000 - report.began) / 60


def _rates(counts: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """From counts to rates, over a few seconds each."""
    rates, start = [], 0
    for at in range(1, len(counts)):
        (begin, before), (now, count) = counts[start], counts[at]
        if now - begin >= _BIN:
            rates.append(((begin + now) / 2, (count - before) / (now - begin)))
            start = at
    return rates
