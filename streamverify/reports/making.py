"""Makes a report of a file of verdicts, and writes and reads `report.json`."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from streamverify.core.reports.report_model import REPORT_VERSION, Machine, Report, Run, Verdicts
from streamverify.core.reports.summary import Facts, summarize
from streamverify.core.reports.tally import Tally
from streamverify.core.reports.verdict import encodable
from streamverify.reports.errors import ReportError
from streamverify.reports.page.page import page_of
from streamverify.reports.scratch import GroupCounts, scratch
from streamverify.reports.verdict_files import read_verdicts
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamverify.core.reports.verdict import VerdictRow

JSON_NAME, PAGE_NAME = "report.json", "report.html"
MAX_ROWS_WITHIN = 100_000
"""Rows up to which a report has each row's verdict itself, so that it can be compared without any other file."""

KIND = "streamverify-report"
_MICROSECOND = 6
_LARGEST = 256 * 1024 * 1024


class Written(NamedTuple):
    """A report, and the files in which it stands."""

    report: Report
    json: Path
    page: Path


def make_report(  # noqa: PLR0913 - what no row says
    verdicts: Path,
    folder: Path,
    *,
    run: Run | None = None,
    machine: Machine | None = None,
    slots: int | None = None,
    title: str | None = None,
    counted: Callable[[int], None] = lambda _rows: None,
) -> Written:
    """Read a file of verdicts and write `report.json` and `report.html` into a folder.

    Args:
        verdicts: Parquet or JSONL, as `replay --output` and `export --output` write it.
        folder: Where the report goes; it is made if it is not there.
        run: What replay did, if it was replay.
        machine: Where it did so.
        slots: REPLs that could run at once, in all workers together.
        title: A name for people; the file's if there is none.
        counted: Is told now and then how many rows were read.

    Raises:
        ReportError: The file cannot be read or has no verdicts, or the folder cannot be written to.
    """
    tally = Tally()
    rows: list[tuple[str, str | None, str, float | None]] = []
    with scratch() as database:
        attempts = GroupCounts(database)
        for verdict in read_verdicts(verdicts):
            tally.add(verdict)
            attempts.add(verdict)
            # One more than may be within, so that it is known below that there are too many.
            if len(rows) <= MAX_ROWS_WITHIN:
                rows.append(compact(verdict))
            if tally.rows % 10_000 == 0:
                counted(tally.rows)
        groups = attempts.groups()
    counted(tally.rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = os.path.relpath(verdicts.resolve(), folder.resolve())
        report = summarize(
            tally,
            groups,
            Facts(
                title=encodable(title or verdicts.name),
                made_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                version=__version__,
                verdicts=Verdicts(
                    file=encodable(Path(beside).as_posix()), rows=rows if len(rows) <= MAX_ROWS_WITHIN else None
                ),
                run=run,
                machine=machine,
                slots=slots,
            ),
        )
        # JSON first: whoever sees the page can have its figures.
        _write(folder / JSON_NAME, report.model_dump_json() + "\n")
        _write(folder / PAGE_NAME, page_of(report))
    except OSError as error:
        raise ReportError(f"{error.filename or folder}: {error.strerror or error}") from None
    return Written(report, folder / JSON_NAME, folder / PAGE_NAME)


def report_in(named: Path) -> Path:
    """Find the file that is meant: of a folder its `report.json`.

    Raises:
        ReportError: The folder has none.
    """
    try:
        if not named.is_dir():
            return named
        if (named / JSON_NAME).exists():
            return named / JSON_NAME
    except OSError as error:
        raise ReportError(f"{named}: {error.strerror or error}") from None
    raise ReportError(f"{named}: a folder without {JSON_NAME}")


def read_report(file: Path) -> Report | None:
    """Read a report that was written earlier.

    Returns:
        The report; None where the file is something else, such as a file of verdicts.

    Raises:
        ReportError: There is no such file, or it is a report that this version cannot read.
    """
    try:
        with file.open("rb") as opened:
            if opened.read(64).lstrip()[:1] != b"{":
                return None
            opened.seek(0)
            # A report is one line; a line of a file of verdicts is read as well, and is no report.
            text = opened.readline(_LARGEST)
            if not text.rstrip().endswith(b"}"):
                text += opened.read(_LARGEST)  # somebody has put line breaks into it
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror or error}") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("kind") != KIND:
        return None
    version = value.get("report_version")
    if version != REPORT_VERSION:
        raise ReportError(
            f"{file}: a report of version {version!r}; this streamverify reads version {REPORT_VERSION}: "
            "make it anew from its file of verdicts (streamverify report FILE)"
        )
    try:
        return Report.model_validate(value)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise ReportError(f"{file}: a damaged report: {where}: {error.errors()[0]['msg']}") from None


def compact(verdict: VerdictRow) -> tuple[str, str | None, str, float | None]:
    """Reduce a verdict to what a comparison needs: custom_id, status, reason, and Lean's seconds where Lean ran."""
    seconds = round(verdict.run_seconds or 0.0, _MICROSECOND) if verdict.ran else None
    return (verdict.custom_id, verdict.status, verdict.reason, seconds)


def _write(file: Path, text: str) -> None:
    """Write a file at once: whoever looks at it sees the old one or the new one, and never a half."""
    data = text.encode("utf-8", "replace")
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(name).chmod(0o644)  # a temporary file is for its owner alone
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
