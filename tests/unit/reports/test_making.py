"""Reports of files of verdicts: what is read, what is written, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamverify.core.messages.schemas import schema_files
from streamverify.core.reports.report_model import REPORT_VERSION, Run
from streamverify.reports.comparing import compare
from streamverify.reports.errors import ReportError
from streamverify.reports.making import MAX_ROWS_WITHIN, make_report, read_report, report_in
from streamverify.reports.verdict_files import read_verdicts

if TYPE_CHECKING:
    from pathlib import Path


def verdict(name: str, status: str | None = "verified", reason: str | None = "ok", **others: Any) -> dict[str, Any]:
    return {"custom_id": name, "status": status, "reason": reason, "run_seconds": 1.0, "import_seconds": 0.0} | others


def write_jsonl(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


ROWS = [
    verdict("a", run_seconds=1.0, group="p", latency_seconds=2.0, source_timestamp=1_000_000),
    verdict("b", "rejected", "lean_error", run_seconds=3.0, import_seconds=7.0, group="p", latency_seconds=12.0,
            source_timestamp=1_001_000, messages=[{"severity": "error", "text": "unknown 'x'"}]),
    verdict("c", "inconclusive", "timeout", run_seconds=60.0, error="Lean ran longer than 60 s.", group="q"),
    verdict("d", cached=True, cached_age_seconds=9.0, latency_seconds=0.1, group="q"),
    verdict("e", None, None, run_seconds=None, import_seconds=None, error="has no proof"),
]  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_the_same_rows_give_the_same_report_in_both_forms(form: str, tmp_path: Path) -> None:
    file = tmp_path / f"v.{form}"
    if form == "jsonl":
        write_jsonl(file, ROWS)
    else:
        every: dict[str, Any] = dict.fromkeys(name for row in ROWS for name in row)
        pq.write_table(pa.Table.from_pylist([every | row for row in ROWS]), file)

    report = make_report(file, tmp_path / "out", slots=2).report

    assert report.counts.model_dump() == {"rows": 5, "verified": 2, "rejected": 1, "inconclusive": 1, "unsent": 1}
    assert (report.pass_rate.of_all.of, report.pass_rate.of_decided.of) == (5, 3)
    assert [(one.status, one.reason, one.count) for one in report.outcomes] == [
        ("verified", "ok", 2), ("rejected", "lean_error", 1), ("inconclusive", "timeout", 1), (None, "unsent", 1),
    ]  # fmt: skip
    # What came from the cache is in no time but the cache's own.
    assert report.times.lean.total == 64.0
    assert report.times.latency.total == 14.0
    assert (report.cache.hits, report.cache.latency.total, report.cache.age.total) == (1, 0.1, 9.0)
    assert (report.warmth.warm, report.warmth.cold, report.warmth.imports.total) == (2, 1, 7.0)
    # The time-out's minute decided nothing. From 1000 s to 1001 s + 12 s.
    use = report.utilisation
    assert (use.useful_seconds, use.lean_seconds, use.elapsed_seconds, use.elapsed_from) == (4.0, 71.0, 13.0, "rows")
    assert use.share == pytest.approx(4 / 26)
    assert report.pass_at_k is not None
    assert (report.pass_at_k.problems, report.pass_at_k.undecided) == (2, 1)
    assert [(one.k, one.estimate) for one in report.pass_at_k.estimates] == [(1, 0.5), (2, 1.0)]
    assert [one.custom_id for one in report.slowest] == ["c", "b", "a"]
    assert {(one.reason, one.form) for one in report.errors.listed} == {
        ("lean_error", "unknown '…'"), ("timeout", "Lean ran longer than N s."), ("", "has no proof"),
    }  # fmt: skip
    assert read_report(tmp_path / "out" / "report.json") == report
    page = (tmp_path / "out" / "report.html").read_text()
    for shown in ("lean_error", "unknown '…'", "pass@2", "v." + form):
        assert shown in page


def test_columns_of_ours_are_found_beside_those_of_the_data_set(tmp_path: Path) -> None:
    rows = [{"status": "open", "custom_id": "x", "verdict_status": "verified", "reason": "ok"}]

    [found] = read_verdicts(write_jsonl(tmp_path / "v.jsonl", rows))

    assert (found.status, found.custom_id) == ("verified", "x")


def test_superseded_attempts_refuse_pass_at_k(tmp_path: Path) -> None:
    rows = [verdict("a", group="p"), verdict("b", "inconclusive", "superseded", superseded_by="a", group="p")]

    part = make_report(write_jsonl(tmp_path / "v.jsonl", rows), tmp_path).report.pass_at_k

    assert part is not None
    assert part.estimates == []
    assert "1 of 1 problems" in (part.refused or "")
    assert "No estimate" in (tmp_path / "report.html").read_text()


def test_a_problem_is_a_group_of_one_run_wherever_its_rows_are(tmp_path: Path) -> None:
    rows = [verdict(f"{run}{group}{n}", group=group, run=run) for n in range(3) for group in "pq" for run in "AB"]

    part = make_report(write_jsonl(tmp_path / "v.jsonl", rows), tmp_path).report.pass_at_k

    assert part is not None
    assert (part.problems, part.fewest, part.most) == (4, 3, 3)


def test_the_run_says_how_long_it_took_and_that_it_was_not_finished(tmp_path: Path) -> None:
    run = Run(source="hf://owner/name", elapsed_seconds=8.0, complete=False, settings={"--timeout": "60"})

    report = make_report(write_jsonl(tmp_path / "v.jsonl", ROWS), tmp_path, run=run, slots=1).report

    assert (report.utilisation.elapsed_seconds, report.utilisation.elapsed_from) == (8.0, "run")
    page = (tmp_path / "report.html").read_text()
    assert "not finished" in page
    assert "--timeout" in page


def test_answers_of_a_stand_in_are_not_taken_for_lean_s(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "v.jsonl", [verdict("a", verifier_kind="synthetic")])

    make_report(tmp_path / "v.jsonl", tmp_path)

    assert "no Lean has checked these proofs" in (tmp_path / "report.html").read_text()


def test_many_rows_are_not_kept_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamverify.reports.making.MAX_ROWS_WITHIN", 2)
    (tmp_path / "in").mkdir()
    file = write_jsonl(tmp_path / "in" / "v.jsonl", ROWS)

    verdicts = make_report(file, tmp_path / "out").report.verdicts

    assert MAX_ROWS_WITHIN == 100_000
    assert (verdicts.rows, verdicts.file) == (None, "../in/v.jsonl")


def test_a_half_of_a_surrogate_pair_ends_no_report(tmp_path: Path) -> None:
    row = verdict("a\ud800", "rejected", "lean_error", error="\udfff", header="\ud800", notes={"deep": "\ud800"})
    file = write_jsonl(tmp_path / "v.jsonl", [row, verdict("b")])

    report = make_report(file, tmp_path, title="\ud800").report

    assert report.counts.rows == 2
    assert compare(file, report_in(tmp_path)).common == 2


def test_results_as_they_are_on_the_topic_are_verdicts_too(tmp_path: Path) -> None:
    [example] = json.loads(schema_files()["proof-result.schema.json"])["examples"]
    file = write_jsonl(tmp_path / "results.jsonl", [example])

    report = make_report(file, tmp_path).report

    assert report.counts.rejected == 1
    assert report.times.lean.total == example["timings"]["run"]
    assert report.errors.listed[0].form == "unsolved goals"
    write_jsonl(
        file, [example | {f"verdict_{name}": value for name, value in verdict("x").items()} | {"verifier_kind": "lean"}]
    )
    assert make_report(file, tmp_path).report.counts.verified == 1
    write_jsonl(file, [example | {"status": 5}])
    with pytest.raises(ReportError, match=r"results.jsonl:1: no result"):
        make_report(file, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "no JSON"),
        ("[1]\n", "no JSON object"),
        ('{"a": 1}\n', "has no column 'custom_id'"),
        ('{"custom_id": "a", "status": "verified"}\n', "has no column 'reason'"),
        ("PAR1 but not Parquet", "no Parquet that can be read"),
    ],
)
def test_what_has_no_verdicts_is_refused(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "v"
    file.write_text(text)

    with pytest.raises(ReportError, match=said) as refused:
        make_report(file, tmp_path / "out")

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ReportError, match="file"):
        make_report(write_jsonl(tmp_path / "v.jsonl", ROWS), tmp_path / "file")


def test_a_report_with_line_breaks_is_still_read(tmp_path: Path) -> None:
    written = make_report(write_jsonl(tmp_path / "v.jsonl", ROWS), tmp_path)
    written.json.write_text(json.dumps(json.loads(written.json.read_text()), indent=2))

    assert read_report(report_in(tmp_path)) == written.report


def test_a_report_of_another_version_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    written = make_report(write_jsonl(tmp_path / "v.jsonl", ROWS), tmp_path)
    value = json.loads(written.json.read_text())
    written.json.write_text(json.dumps(value | {"report_version": REPORT_VERSION + 1}))
    with pytest.raises(ReportError, match="a report of version 2"):
        read_report(written.json)
    written.json.write_text(json.dumps(value | {"counts": 5}))
    with pytest.raises(ReportError, match="damaged report: counts"):
        read_report(written.json)


def test_what_is_no_report_is_none(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", "{" * 5000, '{"kind": "other"}', "PAR1"):
        (tmp_path / "x").write_text(text)
        assert read_report(tmp_path / "x") is None
    with pytest.raises(ReportError, match="a folder without report"):
        report_in(tmp_path)
    with pytest.raises(ReportError, match="No such file"):
        read_report(tmp_path / "nothing")
