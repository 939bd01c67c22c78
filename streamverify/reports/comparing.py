"""Compares two runs: joins their verdicts by custom_id, in a temporary file, so that memory stays flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamverify.core.reports.comparison import REJECTED, VERIFIED, KnownVerdict, Pairs
from streamverify.core.reports.comparison_model import Comparison, Side
from streamverify.core.reports.verdict import encodable
from streamverify.reports.errors import ReportError
from streamverify.reports.making import compact, read_report, report_in
from streamverify.reports.scratch import scratch
from streamverify.reports.verdict_files import read_verdicts

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from streamverify.core.reports.report_model import Report

_TABLES = "ab"
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class _Input:
    """One of the two runs as it was named."""

    name: Path
    report: Report | None
    verdicts: Path | None
    """The file of verdicts; None where the report has the verdicts itself."""


def compare(a: Path, b: Path, *, counted: Callable[[int], None] = lambda _rows: None) -> Comparison:
    """Compare run B to run A.

    Args:
        a: A report (`report.json`, or its folder), or a file of verdicts.
        b: Another.
        counted: Is told now and then how many rows were read, of both runs together.

    Raises:
        ReportError: One of them is not there, is neither, or has changed, or they have no custom_id in common.
    """
    inputs = [_find(each) for each in (a, b)]
    with scratch() as database:
        rows, read = [], 0
        for table, each in zip(_TABLES, inputs, strict=True):
            before = read
            database.execute(
                f"CREATE TABLE {table} (id TEXT PRIMARY KEY, status TEXT, reason TEXT, seconds REAL) WITHOUT ROWID"
            )
            database.execute("BEGIN")
            for row in _rows(each):
                # Of equal ids the last row counts, as a later answer replaces an earlier one; what was sent without an
                # id has no partner.
                if row[0]:
                    database.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)", row)  # noqa: S608 - a, b
                read += 1
                if read % _AT_ONCE == 0:
                    counted(read)
            database.execute("COMMIT")
            rows.append(read - before)
            # A report of yesterday beside a file of today would compare the file with itself.
            _check(each, rows[-1])
        counted(read)
        pairs = Pairs()
        found = database.execute(
            "SELECT id, a.status, a.reason, a.seconds, b.status, b.reason, b.seconds FROM a JOIN b USING (id) "
            "ORDER BY id"
        )
        common = 0
        for custom_id, *values in found:
            common += 1
            pairs.add(custom_id, KnownVerdict(*values[:3]), KnownVerdict(*values[3:]))
        if not common:
            raise ReportError(f"{a} and {b} have no custom_id in common: there is nothing to compare")
        sides = [_side(database, *each) for each in zip(_TABLES, inputs, rows, strict=True)]
    return pairs.comparison(*sides)


def _find(named: Path) -> _Input:
    report = read_report(file := report_in(named))
    if report is None:
        return _Input(named, None, file)
    if report.verdicts.rows is not None:
        return _Input(named, report, None)
    if report.verdicts.file is None:
        raise ReportError(f"{file}: has no verdicts: name the file of verdicts instead of the report")
    verdicts = file.parent / report.verdicts.file
    if not verdicts.is_file():
        raise ReportError(
            f"{file}: a report of more than 100,000 rows, whose verdicts are in {verdicts}, which is not there: name "
            "the file of verdicts instead of the report"
        )
    return _Input(named, report, verdicts)


def _rows(source: _Input) -> Iterable[tuple[str, str | None, str, float | None]]:
    if source.verdicts is not None:
        return map(compact, read_verdicts(source.verdicts))
    if source.report is None or source.report.verdicts.rows is None:
        raise AssertionError(source)
    return source.report.verdicts.rows


def _check(source: _Input, rows: int) -> None:
    if source.report is not None and rows != source.report.counts.rows:
        raise ReportError(
            f"{source.verdicts or source.name}: has {rows:,} rows, and had {source.report.counts.rows:,} when the "
            f"report was made: make it anew (streamverify report {source.verdicts or 'FILE'})"
        )


def _side(database: sqlite3.Connection, table: str, source: _Input, rows: int) -> Side:
    counts = dict(database.execute(f"SELECT status, count(*) FROM {table} GROUP BY status"))  # noqa: S608 - `a` or `b`
    proofs = sum(counts.values())
    report = source.report
    return Side(
        name=encodable(str(source.name)),
        title=None if report is None else report.title,
        rows=rows,
        proofs=proofs,
        verified=counts.get(VERIFIED, 0),
        rejected=counts.get(REJECTED, 0),
        inconclusive=proofs - counts.get(VERIFIED, 0) - counts.get(REJECTED, 0),
        verifiers=[] if report is None else report.environment.verifiers,
    )
