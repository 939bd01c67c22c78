"""Two runs compared: by reports, by files of verdicts, and by one of each."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from streamverify.reports.comparing import compare
from streamverify.reports.errors import ReportError
from streamverify.reports.making import make_report

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, rows: list[tuple[Any, ...]]) -> Path:
    names = ("custom_id", "status", "reason", "run_seconds", "cached")
    file.write_text("".join(json.dumps(dict(zip(names, row, strict=False))) + "\n" for row in rows))
    return file


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    draw = random.Random(1)  # noqa: S311 - no key
    a: list[tuple[Any, ...]] = []
    b: list[tuple[Any, ...]] = []
    for number in range(60):
        seconds = draw.lognormvariate(0, 1)
        a.append((f"p{number}", "verified", "ok", seconds))
        b.append((f"p{number}", "verified", "ok", seconds * draw.uniform(1.3, 1.9)))
    a += [("lost", "verified", "ok", 1.0), ("gained", "rejected", "lean_error", 1.0), ("only a", "verified", "ok", 1.0)]
    b += [("lost", "rejected", "sorry", 1.0), ("gained", "verified", "ok", 1.0), ("only b", "verified", "ok", 1.0)]
    a += [("slow", "verified", "ok", 2.0), ("hit", "verified", "ok", 2.0), ("late", "verified", "ok", 2.0)]
    b += [
        ("slow", "verified", "ok", 50.0),
        ("hit", "verified", "ok", 0.1, True),
        ("late", "inconclusive", "timeout", 60.0),
    ]
    return write(tmp_path / "a.jsonl", a), write(tmp_path / "b.jsonl", b)


def test_two_files_two_reports_and_one_of_each_compare_alike(runs: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = runs
    reports = [make_report(file, tmp_path / file.stem) for file in runs]
    by_files = compare(a, b)
    by_reports = compare(reports[0].json, reports[1].json.parent)
    mixed = compare(reports[0].json, b)

    assert by_files.verdicts == by_reports.verdicts == mixed.verdicts
    assert by_files.times == by_reports.times == mixed.times
    assert (by_files.common, by_files.only_a, by_files.only_b) == (65, 1, 1)
    assert by_reports.a.title == "a.jsonl"
    assert by_files.a.title is None


def test_reports_are_compared_without_any_other_file(runs: tuple[Path, Path], tmp_path: Path) -> None:
    for file in runs:
        make_report(file, tmp_path / file.stem).json.rename(tmp_path / f"{file.stem}.json")
        file.unlink()

    assert compare(tmp_path / "a.json", tmp_path / "b.json").common == 65


def test_it_says_which_verdicts_changed(runs: tuple[Path, Path]) -> None:
    verdicts = compare(*runs).verdicts

    assert [(one.custom_id, one.a_reason, one.b_reason) for one in verdicts.listed] == [
        ("gained", "lean_error", "ok"), ("late", "ok", "timeout"), ("lost", "ok", "sorry"),
    ]  # fmt: skip
    # A time-out is no rejection: it takes no part in the test.
    assert (verdicts.changed, verdicts.decided_in_both, verdicts.gained, verdicts.lost) == (3, 64, 1, 1)
    assert (verdicts.p_value, verdicts.found) == (1.0, "none")


def test_it_says_what_got_slower_and_how_sure_that_is(runs: tuple[Path, Path]) -> None:
    times = compare(*runs).times

    # Neither the hit nor the time-out is among them.
    assert times.pairs == 63
    assert times.found == "slower"
    assert times.ratio is not None
    assert times.low is not None
    assert times.high is not None
    assert 1 < times.low < times.ratio < times.high
    assert times.slower[0].custom_id == "slow"
    reverse = compare(*reversed(runs)).times
    assert reverse.found == "faster"
    assert reverse.ratio == pytest.approx(1 / times.ratio)


def test_a_run_does_not_differ_from_itself(runs: tuple[Path, Path]) -> None:
    a, _ = runs
    found = compare(a, a)
    assert (found.verdicts.changed, found.times.ratio, found.times.found) == (0, 1.0, "none")


def test_of_equal_ids_the_last_row_counts(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", [("x", "inconclusive", "timeout", 1.0), ("x", "verified", "ok", 1.0)])
    b = write(tmp_path / "b.jsonl", [("x", "verified", "ok", 1.0)])
    found = compare(a, b)
    assert (found.a.rows, found.a.proofs, found.verdicts.changed) == (2, 1, 0)


def test_what_cannot_be_compared_is_refused(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = runs
    with pytest.raises(ReportError, match="no custom_id in common"):
        compare(a, write(tmp_path / "c.jsonl", [("elsewhere", "verified", "ok", 1.0)]))
    with pytest.raises(ReportError, match="No such file"):
        compare(a, tmp_path / "nothing.json")
    monkeypatch.setattr("streamverify.reports.making.MAX_ROWS_WITHIN", 2)
    large = make_report(b, tmp_path / "large").json
    assert compare(a, large).common == 65
    with b.open("a") as file:
        file.write('{"custom_id": "more", "status": "verified", "reason": "ok"}\n')
    with pytest.raises(ReportError, match="has 67 rows, and had 66 when"):
        compare(a, large)
    b.unlink()
    with pytest.raises(ReportError, match="which is not there"):
        compare(a, large)
