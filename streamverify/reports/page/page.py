"""The page: the sections of a report in their order.

Every list has a bound, and so has every text, so the page has one, too: it stays far below `MAX_PAGE_BYTES`. It loads
nothing and runs nothing; its own Content-Security-Policy allows the one style sheet that stands in it.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from streamverify.reports.page import environment, sections
from streamverify.reports.page.elements import document, element
from streamverify.reports.page.words import count, percent, seconds

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from streamverify.core.reports.report_model import Report

MAX_PAGE_BYTES = 2_000_000

_STAND_INS = {"replay": "recordings of Lean", "synthetic": "the synthetic REPL, which invents its answers"}


def page_of(report: Report) -> str:
    """Make the page of a report."""
    style = files("streamverify.reports.page").joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # Not through `element`, which would make its line breaks and characters safe for a reader: the digest is of these.
    sheet = element("style")
    sheet.text = style
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{report.title}: verdicts"),
        sheet,
    )
    body = element(
        "body",
        _header(report),
        _notice(report),
        element(
            "main",
            _tiles(report),
            sections.verdicts(report),
            sections.pass_at_k(report),
            sections.times(report),
            sections.slots(report),
            sections.cache(report),
            sections.headers(report),
            sections.slowest(report),
            sections.errors(report),
            environment.environment(report),
        ),
        element(
            "footer",
            element(
                "p",
                f"Made by streamverify {report.environment.streamverify} at {report.made_at}. The same figures, and "
                "more rows of each table, are in ",
                element("code", "report.json"),
                " beside this page. Intervals are at 95 %. Percentiles are within 1 % of the true value; counts, sums, "
                "means and maxima are exact.",
            ),
        ),
    )
    return document("en", head, body)


def _header(report: Report) -> Element:
    said = []
    if report.run is not None:
        said += [report.run.source] if report.run.source != report.title else []
        said += [f"started {report.run.started_at}"] if report.run.started_at else []
    if len(report.environment.runs) == 1:
        said.append(f"run {report.environment.runs[0]}")
    said += [_verifier(report)] if report.environment.verifiers else []
    return element("header", element("h1", report.title), element("p", " · ".join(said), class_="subtitle"))


def _verifier(report: Report) -> str:
    first = report.environment.verifiers[0]
    parts = [f"Lean {first.lean_version}" if first.lean_version else f"verifier {first.kind or 'unknown'}"]
    if first.mathlib_version:
        parts.append(f"Mathlib {first.mathlib_version}")
    more = len(report.environment.verifiers) - 1
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _notice(report: Report) -> Element | None:
    """Say what must not be overlooked: who answered, if it was not Lean, and that the run is not complete."""
    said = []
    kinds = {row.kind for row in report.environment.verifiers if row.kind not in {"lean", None}}
    if kinds:
        named = " and ".join(_STAND_INS.get(str(kind), f"the stand-in {kind}") for kind in sorted(map(str, kinds)))
        said.append(f"Answers in this report come from {named}: no Lean has checked these proofs.")
    if report.run is not None and not report.run.complete:
        said.append("The run was not finished: this is what had been answered.")
    if not report.counts.rows:
        said.append("There are no verdicts.")
    return element("p", " ".join(said), class_="notice") if said else None


def _tiles(report: Report) -> Element:
    """Show the four figures that a reader looks for first."""
    rate, times, use = report.pass_rate.of_all, report.times, report.utilisation
    between = f"95 % interval {percent(rate.low)} to {percent(rate.high)}" if rate.low is not None else "no rows"
    lean = f"p90 {seconds(times.lean.p90)}, p99 {seconds(times.lean.p99)}" if times.lean.count else "Lean ran no proof"
    answered = report.counts.rows - report.counts.unsent
    per_second = f"{answered / use.elapsed_seconds:,.3g} answers per second" if use.elapsed_seconds else "not known"
    busy = f"{percent(use.share)} of {use.slots} slots" if use.share is not None else "share of slots not known"
    return element(
        "div",
        _tile("Verified", percent(rate.rate), between),
        _tile("Proofs", count(report.counts.rows), f"{count(report.counts.verified)} verified"),
        _tile("Lean time, median", seconds(times.lean.p50), lean),
        _tile("Elapsed", seconds(use.elapsed_seconds), f"{per_second}; {busy}"),
        class_="tiles",
    )


def _tile(name: str, figure: str, said: str) -> Element:
    return element("div", element("h2", name), element("p", figure, class_="figure"), element("p", said), class_="tile")
