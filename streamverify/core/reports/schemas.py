"""JSON Schemas of a report and of a comparison. Their examples are made by the code that makes reports."""

from __future__ import annotations

from streamverify.core.messages.schemas import as_files, model_schema
from streamverify.core.reports.comparison import KnownVerdict, Pairs
from streamverify.core.reports.comparison_model import COMPARISON_VERSION, Comparison, Side
from streamverify.core.reports.pass_at_k import Problems
from streamverify.core.reports.report_model import REPORT_VERSION, Report, Verdicts
from streamverify.core.reports.summary import Facts, ProblemGroups, summarize
from streamverify.core.reports.tally import Tally
from streamverify.core.reports.verdict import verdict_of


def report_schema_files() -> dict[str, str]:
    """Make the text of each schema of reports in the folder `schemas`, by the name of its file."""
    return as_files(
        {
            "report": model_schema("report", Report, REPORT_VERSION, _report()),
            "comparison": model_schema("comparison", Comparison, COMPARISON_VERSION, _comparison()),
        }
    )


def _report() -> Report:
    tally = Tally()
    good = {"custom_id": "p1#0", "status": "verified", "reason": "ok", "assurance": "audited", "run_seconds": 1.5}
    wrong = {"custom_id": "p1#1", "status": "rejected", "reason": "lean_error", "run_seconds": 0.25}
    error = {"severity": "error", "line": 3, "column": 2, "text": "unknown identifier 'foo'"}
    tally.add(verdict_of({**good, "verifier_kind": "lean", "header": "import Mathlib"}))
    tally.add(verdict_of({**wrong, "verifier_kind": "lean", "header": "import Mathlib", "messages": [error]}))
    rows = [("p1#0", "verified", "ok", 1.5), ("p1#1", "rejected", "lean_error", 0.25)]
    facts = Facts("samples.jsonl", "2026-01-31T12:00:00Z", "0.1.0", Verdicts(file="verdicts.jsonl", rows=list(rows)))
    return summarize(tally, ProblemGroups({Problems(2, 1): 1}), facts)


def _comparison() -> Comparison:
    pairs = Pairs()
    pairs.add("p1#0", KnownVerdict("verified", "ok", 1.5), KnownVerdict("verified", "ok", 1.0))
    pairs.add("p1#1", KnownVerdict("rejected", "lean_error", 0.25), KnownVerdict("verified", "ok", 0.5))
    a = Side(name="a", title="monday", rows=2, proofs=2, verified=1, rejected=1, inconclusive=0, verifiers=[])
    return pairs.comparison(a, a.model_copy(update={"name": "b", "title": "tuesday", "verified": 2, "rejected": 0}))
