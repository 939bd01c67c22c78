"""Reports and comparisons as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from streamverify.cli.output import one_line, plural, short
from streamverify.core.reports.intervals import FEWEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamverify.core.reports.comparison_model import Comparison
    from streamverify.core.reports.report_model import Durations, Rate, Report

MAX_SHOWN = 10
_MAX_LENGTH = 70
_VERDICTS = {"better": "B verifies more", "worse": "B verifies fewer", "none": "no difference shown"}
_TIMES = {"slower": "B is slower", "faster": "B is faster", "none": "no difference shown"}
_METHODS = {"bootstrap": "bootstrap", "normal": "normal approximation", None: "none"}


def report_lines(report: Report) -> list[str]:
    """Sum a report up: what its page shows first."""
    counts, rate, use = report.counts, report.pass_rate, report.utilisation
    said = (
        f"{plural(counts.rows, 'row')}, {counts.verified:,} verified, {counts.rejected:,} rejected, "
        f"{counts.inconclusive:,} inconclusive, {counts.unsent:,} unsent"
    )
    lines = [
        f"{one_line(report.title, _MAX_LENGTH)}: {said}",
        f"pass rate   of all rows {_rate(rate.of_all)}; of decided rows {_rate(rate.of_decided)}",
    ]
    if (part := report.pass_at_k) is not None:
        estimates = ", ".join(f"pass@{one.k} {_percent(one.estimate)}" for one in part.estimates)
        lines.append(f"pass@k      {estimates or f'no estimate: {part.refused}'} ({plural(part.problems, 'problem')})")
    for name, times in (("Lean time", report.times.lean), ("latency", report.times.latency)):
        if times.count:
            lines.append(f"{name:<12}{_percentiles(times)}")
    if report.cache.hits:
        lines.append(f"cache       {plural(report.cache.hits, 'hit')}, in none of the times")
    share = "not known" if use.share is None else _percent(use.share)
    lines.append(f"slots       useful Lean time / (slots x elapsed): {share}. {use.note or ''}".rstrip())
    lines.append("")
    rows = [(one.reason, one.status or "unsent", f"{one.count:,}", _percent(one.share)) for one in report.outcomes]
    return [*lines, *columns(("reason", "status", ">rows", ">share"), rows)]


def comparison_lines(found: Comparison) -> list[str]:
    """Say which verdicts changed, and what got slower."""
    sides = [
        (
            letter,
            short(side.name),
            f"{side.rows:,}",
            f"{side.proofs:,}",
            f"{side.verified:,}",
            f"{side.rejected:,}",
            f"{side.inconclusive:,}",
        )
        for letter, side in (("A", found.a), ("B", found.b))
    ]
    verdicts = found.verdicts
    # Nobody reads a smaller one to a digit.
    p_value = f"= {verdicts.p_value:.2g}" if verdicts.p_value >= 1e-4 else "< 0.0001"  # noqa: PLR2004 - as said
    said = (
        f"Verdicts: {verdicts.changed:,} changed. Of {verdicts.decided_in_both:,} decided in both, "
        f"{verdicts.gained:,} went from rejected to verified, {verdicts.lost:,} from verified to rejected: "
        f"{_VERDICTS[verdicts.found]} (McNemar's exact test, p {p_value})."
    )
    lines = [
        *columns(("", "run", ">rows", ">proofs", ">verified", ">rejected", ">inconclusive"), sides),
        "",
        f"{plural(found.common, 'proof')} in both, {found.only_a:,} only in A, {found.only_b:,} only in B.",
        "",
        said,
    ]
    transitions = [
        (f"{one.count:,}", _verdict(one.a_status, one.a_reason), "->", _verdict(one.b_status, one.b_reason))
        for one in verdicts.transitions[:MAX_SHOWN]
    ]
    lines += _indented(columns((">proofs", "in A", "", "in B"), transitions))
    changed = [
        (short(one.custom_id), _verdict(one.a_status, one.a_reason), "->", _verdict(one.b_status, one.b_reason))
        for one in verdicts.listed[:MAX_SHOWN]
    ]
    lines += _indented(columns(("custom_id", "in A", "", "in B"), changed))
    if verdicts.changed > len(changed):
        listed = "all of them" if verdicts.changed == len(verdicts.listed) else f"{len(verdicts.listed):,} of them"
        lines.append(f"  and {verdicts.changed - len(changed):,} more; --json lists {listed}")
    return [*lines, "", *_time_lines(found)]


def _time_lines(found: Comparison) -> list[str]:
    times = found.times
    if times.ratio is None:
        return ["Time: Lean ran and decided no proof in both."]
    if times.low is None or times.high is None:
        sure = "too few proofs to say how sure that is" if times.pairs < FEWEST else "all alike: no interval"
    else:
        sure = f"95 % interval {times.low:.3g} to {times.high:.3g} by {_METHODS[times.method]}: {_TIMES[times.found]}"
    rows = [
        (letter, *(f"{value:.3g}" if value is not None else "" for value in (each.p50, each.p90, each.p99, each.total)))
        for letter, each in (("A", times.a), ("B", times.b))
    ]
    said = (
        f"Time: {plural(times.pairs, 'proof')} that Lean ran and decided in both. Lean takes {times.ratio:.3g} times "
        f"as long in B (geometric mean; {sure})."
    )
    lines = [
        said,
        *_indented(columns(("", ">p50 s", ">p90 s", ">p99 s", ">sum s"), rows)),
    ]
    for name, proofs in (("slower", times.slower), ("faster", times.faster)):
        listed = [
            (
                short(one.custom_id),
                f"{one.a_seconds:.3g}",
                f"{one.b_seconds:.3g}",
                f"{one.b_seconds / one.a_seconds:.2f}",
            )
            for one in proofs[: MAX_SHOWN // 2]
        ]
        lines += _indented(columns((f"{name} by most", ">A s", ">B s", ">B / A"), listed))
    return lines


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a small table; `>` before a head aligns its column to the right. Without rows there is nothing."""
    if not rows:
        return []
    table = [[head.removeprefix(">") for head in heads], *rows]
    widths = [max(cell_len(row[at]) for row in table) for at in range(len(heads))]
    lines = []
    for row in table:
        cells = []
        for cell, head, width in zip(row, heads, widths, strict=True):
            padding = " " * (width - cell_len(cell))
            cells.append(padding + cell if head.startswith(">") else cell + padding)
        lines.append("  ".join(cells).rstrip())
    return lines


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _verdict(status: str | None, reason: str) -> str:
    return "unsent" if status is None else f"{status}/{one_line(reason, _MAX_LENGTH)}"


def _rate(rate: Rate) -> str:
    if rate.rate is None:
        return "none"
    return f"{_percent(rate.rate)} ({_percent(rate.low)} to {_percent(rate.high)})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}".replace("%", " %")


def _percentiles(times: Durations) -> str:
    figures = [("p50", times.p50), ("p90", times.p90), ("p99", times.p99), ("longest", times.longest)]
    return ", ".join(f"{name} {value:.3g} s" for name, value in figures if value is not None)
