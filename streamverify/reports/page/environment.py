"""The section of the page that says what answered, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.reports.page.elements import element
from streamverify.reports.page.tables import facts, table
from streamverify.reports.page.words import MISSING, count, seconds, size

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from streamverify.core.reports.report_model import Report

_MAX_SHOWN = 20


def environment(report: Report) -> Element:
    """Say what a reader needs to measure the same again."""
    part = report.environment
    verifiers = table(
        ("verifier", "Lean", "REPL", "Mathlib", "policy", "#rows"),
        [
            (
                row.kind or "?",
                row.lean_version or MISSING,
                row.repl_version or MISSING,
                row.mathlib_version or MISSING,
                row.policy_version or MISSING,
                count(row.rows),
            )
            for row in part.verifiers[:_MAX_SHOWN]
        ],
    )
    more = len(part.verifiers) - _MAX_SHOWN
    assurances = ", ".join(f"{count(rows)} {name}" for name, rows in list(part.assurances.items())[:_MAX_SHOWN])
    workers = count(part.workers) if part.workers_exact else f"more than {count(part.workers)}"
    machine = part.machine
    pairs: list[tuple[str, Element | str | None]] = [
        ("assurance of the verified", assurances or None),
        ("workers that answered", workers),
        ("runs", ", ".join(part.runs[:_MAX_SHOWN]) or None),
        ("streamverify", part.streamverify),
    ]
    if machine is not None:
        cores = f"{machine.cores} cores" if machine.cores else None
        memory = size(machine.memory_bytes) if machine.memory_bytes else None
        kind = ", ".join(each for each in (machine.processor, cores, memory) if each)
        pairs += [("machine of replay", kind), ("system", f"{machine.system}, Python {machine.python}")]
    run = report.run
    if run is not None:
        pairs += [
            ("data set", run.source),
            ("started", run.started_at),
            ("finished", run.finished_at),
            ("elapsed", None if run.elapsed_seconds is None else seconds(run.elapsed_seconds)),
        ]
    settings = None
    if run is not None and run.settings:
        settings = element(
            "details",
            element("summary", f"{count(len(run.settings))} options and settings"),
            facts([(name, element("code", value)) for name, value in run.settings.items()]),
        )
    return element(
        "section",
        element("h2", "Environment"),
        verifiers if part.verifiers else None,
        element("p", f"{count(more)} more are in report.json.", class_="hint") if more > 0 else None,
        element("h3", "Run"),
        facts(pairs),
        settings,
    )
