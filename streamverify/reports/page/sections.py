"""The sections of the page that say what came of the proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.reports.page import plots
from streamverify.reports.page.elements import element
from streamverify.reports.page.tables import DURATION_HEADS, duration_row, status, table
from streamverify.reports.page.words import MISSING, count, percent, seconds

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from streamverify.core.reports.report_model import Rate, Report

MAX_SHOWN = 20
"""Headers and errors that the page shows at most; report.json has more."""

_KINDS = ("verified", "rejected", "inconclusive", "unsent")


def verdicts(report: Report) -> Element:
    """Say how many proofs hold, and why the others do not."""
    counts = report.counts.model_dump()
    parts = [plots.BarPart(kind, counts[kind], f"fill-{kind}") for kind in _KINDS]
    legend = [
        element(
            "li",
            element(
                "svg", element("circle", cx=6, cy=6, r=5.5, class_=f"fill-{kind}"), viewBox="0 0 12 12", class_="dot"
            ),
            f"{count(counts[kind])} {kind}",
            element("span", _of(counts, kind), class_="hint"),
        )
        for kind in _KINDS
        if counts[kind] or kind in {"verified", "rejected"}
    ]
    rows = [
        (
            element("code", one.reason),
            status(one.status),
            count(one.count),
            percent(one.share),
            element("td", plots.meter(one.share, f"fill-{one.status or 'unsent'}"), class_="bar-cell"),
        )
        for one in report.outcomes
    ]
    rate = report.pass_rate
    return _section(
        "Verdicts",
        plots.stacked_bar("Verdicts by status", parts),
        element("ul", *legend, class_="legend"),
        table(("reason", "status", "#proofs", "#share", ""), rows),
        element("h3", "Pass rate"),
        table(
            ("what counts", "#verified", "#of", "#rate", "#95 % interval (Wilson)"),
            [
                _rate_row("all rows: inconclusive and unsent ones count as not verified", rate.of_all),
                _rate_row("decided rows: only verified and rejected ones count", rate.of_decided),
            ],
        ),
        _hint(
            "An inconclusive answer says nothing of the proof: a time-out, or a failure of the infrastructure. The two "
            "rates are what is known if each of them is taken for a failure, and if they are left out."
        ),
    )


def pass_at_k(report: Report) -> Element | None:
    """Say how likely one of k attempts is good."""
    part = report.pass_at_k
    if part is None:
        return None
    attempts = count(part.fewest) if part.fewest == part.most else f"{count(part.fewest)} to {count(part.most)}"
    said = f"{count(part.problems)} problems with {attempts} attempts each, {count(part.attempts)} in all."
    if part.refused is not None:
        return _section("pass@k", element("p", said), element("p", f"No estimate. {part.refused}", class_="notice"))
    rows = [
        (
            f"pass@{one.k}",
            percent(one.estimate),
            MISSING if one.low is None else f"{percent(max(0.0, one.low))} to {percent(min(1.0, one.high or 0.0))}",
            element("td", plots.meter(one.estimate, "fill-accent"), class_="bar-cell"),
        )
        for one in part.estimates
    ]
    hint = (
        f"{part.source[0].upper()}{part.source[1:]}; the mean over the problems. The interval says how far it depends "
        "on the choice of the problems: bootstrap over problems with a fixed seed, above 2,000 problems the normal "
        "approximation; none for fewer than ten problems, or where all are alike."
    )
    if part.undecided:
        hint += (
            f" {count(part.undecided)} attempts are inconclusive or unsent and count as failed: so the estimates are "
            "lower bounds."
        )
    if part.fewest < part.most:
        hint += " k goes as far as the problem with the fewest attempts."
    curve = plots.pass_at_k_curve("pass@k over k, with 95 % intervals", part.estimates)
    figures = table(("k", "#estimate", "#95 % interval", ""), rows)
    content = element("div", curve, figures, class_="pair") if curve is not None else figures
    return _section("pass@k", element("p", said), content, _hint(hint))


def times(report: Report) -> Element:
    """Say where the time went."""
    parts = report.times
    split = [
        ("fill-verified", parts.lean_verified),
        ("fill-rejected", parts.lean_rejected),
        ("fill-inconclusive", parts.lean_inconclusive),
    ]
    drawn = [
        element("figure", element("h3", name), plot)
        for name, plot in (
            ("Lean time by verdict", plots.histogram("Histogram of Lean time", parts.lean, split)),
            ("Latency", plots.histogram("Histogram of latency", parts.latency)),
        )
        if plot is not None
    ]
    for figure in drawn:
        figure.tag = "div"
    rows = [
        ("Lean time", parts.lean),
        ("of verified proofs", parts.lean_verified),
        ("of rejected proofs", parts.lean_rejected),
        ("of inconclusive ones", parts.lean_inconclusive),
        ("imports of headers", report.warmth.imports),
        ("audits", parts.audit),
        ("waiting for a slot", parts.queued),
        ("in the worker", parts.total),
        ("latency", parts.latency),
    ]
    warmth = report.warmth
    return _section(
        "Time",
        element("div", *drawn, class_="pair") if drawn else None,
        table(DURATION_HEADS, [duration_row(name, every) for name, every in rows if every.count]),
        element("h3", "Warm and cold"),
        table(
            DURATION_HEADS,
            [
                duration_row("Lean time, header warm", warmth.lean_warm),
                duration_row("Lean time, header cold", warmth.lean_cold),
                duration_row("imports", warmth.imports),
            ],
        ),
        _hint(
            "Lean time is Lean's time for the body of a proof, without the import of its header. A proof is warm if "
            "its header was there already. Latency is from the moment of sending to the answer, the wait on the topic "
            "included; only replay measures it. Answers from the cache are in none of these."
        ),
    )


def slots(report: Report) -> Element:
    """Say how much of what the slots could have worked was Lean's work for an answer."""
    use = report.utilisation
    where = {"run": ", measured by replay", "rows": ", from the first request to the last answer", None: ""}
    rows = [
        ("useful Lean time: run and audit of decided proofs", seconds(use.useful_seconds)),
        ("all of Lean's time, with imports and what was inconclusive", seconds(use.lean_seconds)),
        ("slots", MISSING if use.slots is None else count(use.slots)),
        ("elapsed", seconds(use.elapsed_seconds) + where[use.elapsed_from]),
        ("useful Lean time / (slots x elapsed)", "not known" if use.share is None else percent(use.share)),
    ]
    bar = plots.stacked_bar(
        "Useful Lean time of what the slots could have worked",
        [
            plots.BarPart("useful", round(1000 * min(1.0, use.share)), "fill-accent"),
            plots.BarPart("rest", 1000 - round(1000 * min(1.0, use.share)), "track"),
        ],
    ) if use.share is not None else None  # fmt: skip
    return _section("Use of the slots", bar, table(("", "#"), rows), _hint(use.note) if use.note else None)


def cache(report: Report) -> Element | None:
    """Say what the result cache saved. Without a hit there is nothing to say."""
    part = report.cache
    if not part.hits:
        return None
    return _section(
        "Result cache",
        element(
            "p",
            f"{count(part.hits)} of {count(report.counts.rows)} rows ({percent(part.share)}) were answered from the "
            f"cache: {count(part.verified)} verified, {count(part.rejected)} rejected.",
        ),
        table(
            DURATION_HEADS,
            [duration_row("age of the result", part.age), duration_row("latency of a hit", part.latency)],
        ),
    )


def headers(report: Report) -> Element:
    """Show what each import header costs."""
    part = report.headers
    shown = part.listed[:MAX_SHOWN]
    rows = [
        (
            element("th", element("code", _header(one.header)), class_="wide pre", scope="row"),
            count(one.rows),
            percent(one.verified / one.rows if one.rows else None),
            seconds(one.lean.p50),
            seconds(one.lean.p99),
            seconds(one.lean.total) if one.lean.count else MISSING,
            count(one.imports.count),
            seconds(one.imports.p50),
        )
        for one in shown
    ]
    rest = report.counts.rows - sum(one.rows for one in shown)
    hint = f"{count(rest)} rows have a header that is not listed. " if rest else ""
    if not part.exact:
        hint += "There were so many headers that these figures are lower bounds."
    return _section(
        "Time by header",
        table(("header", "#proofs", "#verified", "#Lean p50", "#p99", "#sum", "#imports", "#import p50"), rows),
        _hint(hint) if hint else None,
    )


def slowest(report: Report) -> Element | None:
    """Show the proofs that took Lean longest."""
    if not report.slowest:
        return None
    rows = [
        (
            element("th", element("code", one.custom_id), class_="id", scope="row"),
            status(one.status),
            element("code", one.reason),
            seconds(one.run_seconds),
            seconds(one.import_seconds) if one.import_seconds else "warm",
        )
        for one in report.slowest
    ]
    return _section("Slowest proofs", table(("custom_id", "status", "reason", "#Lean time", "#import"), rows))


def errors(report: Report) -> Element | None:
    """Show the most frequent errors."""
    part = report.errors
    if not part.listed:
        return None
    shown = part.listed[:MAX_SHOWN]
    rows = [
        (
            element(
                "td",
                one.form or "(no text)",
                element(
                    "details",
                    element("summary", "example"),
                    element("p", element("code", one.example_id)),
                    element("p", element("code", one.example), class_="pre"),
                ),
                class_="wide",
            ),
            element("code", one.reason or "unsent"),
            count(one.count),
        )
        for one in shown
    ]
    rest = report.counts.rows - report.counts.verified - sum(one.count for one in shown)
    hint = (
        "The first error of each proof that is not verified, by its first line; '…' is something quoted, N a number, "
        "?_ a metavariable."
    )
    hint += f" {count(rest)} rows have another error." if rest else ""
    hint += "" if part.exact else " There were so many errors that these counts are lower bounds."
    return _section("Most frequent errors", table(("error", "reason", "#proofs"), rows), _hint(hint))


def _section(name: str, *content: Element | None) -> Element:
    return element("section", element("h2", name), *content)


def _hint(text: str) -> Element:
    return element("p", text, class_="hint")


def _of(counts: dict[str, int], kind: str) -> str:
    return percent(counts[kind] / counts["rows"]) if counts["rows"] else ""


def _rate_row(name: str, rate: Rate) -> tuple[str, ...]:
    between = MISSING if rate.low is None else f"{percent(rate.low)} to {percent(rate.high)}"
    return (name, count(rate.verified), count(rate.of), percent(rate.rate), between)


def _header(header: str | None) -> str:
    return "(not known)" if header is None else header or "(no imports)"
