"""`streamverify report`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.checks import not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.output import plural, print_line, remark, say_who_answered, stderr
from streamverify.cli.report_text import comparison_lines, report_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamverify.core.reports.comparison_model import Comparison
    from streamverify.core.reports.report_model import Report

EXAMPLES = """\
Examples
  streamverify report verdicts.parquet --output report
  streamverify report verdicts.jsonl --slots 16 --title 'miniF2F, Tuesday'
  streamverify report monday/report.json tuesday/report.json
  streamverify report monday.parquet tuesday.parquet --json | jq .verdicts

One file of verdicts (replay --output, export --output) is made into a folder
with report.json and report.html. Two of them, or two reports, are compared:
which verdicts changed, and what got slower in the second."""


def report(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="A file of verdicts, a report.json, or the folder of a report; two are compared."
        ),
    ],
    output: Annotated[
        str | None,  # not a Path, for which an empty text is the current folder
        typer.Option(
            metavar="DIR",
            callback=not_empty,
            help="Write the report into this folder. Default: NAME-report, of a file NAME.",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", callback=not_empty, help="The title of the report.")
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="REPLs that could run at once, in all workers together."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report or the comparison as JSON.")] = False,
) -> None:
    """Make a report of a file of verdicts, or compare two runs. Needs no Kafka."""
    if len(files) > 2:  # noqa: PLR2004 - run A and run B
        raise InputError(f"one file is made into a report, two are compared; {len(files)} were named")
    if len(files) == 2:  # noqa: PLR2004
        if output is not None or title is not None or slots is not None:
            raise InputError("--output, --title and --slots are for one file; two are compared")
        from streamverify.reports.comparing import compare  # noqa: PLC0415 - keeps --help fast

        with say_how_far(lambda: "", "nothing was compared"), _rows_read() as counted:
            compared = compare(*files, counted=counted)
        _print(compared, comparison_lines(compared), as_json=as_json)
    else:
        _show_report(files[0], None if output is None else Path(output), title, slots, as_json=as_json)


def _show_report(file: Path, output: Path | None, title: str | None, slots: int | None, *, as_json: bool) -> None:
    """Make the report of a file of verdicts, or show one that is there."""
    from streamverify.reports.making import make_report, read_report, report_in  # noqa: PLC0415 - keeps --help fast

    found = read_report(report_in(file))
    if found is None:
        folder = output or Path(f"{file.stem}-report")
        with say_how_far(lambda: "", "nothing was written"), _rows_read() as counted:
            written = make_report(file, folder, title=title, slots=slots, counted=counted)
        found = written.report
        remark(f"written: {written.page} and {written.json}")
        say_who_answered([verifier.kind for verifier in found.environment.verifiers])
    elif output is not None or title is not None or slots is not None:
        verdicts = f", {found.verdicts.file}" if found.verdicts.file else ""
        raise InputError(f"{file} is a report already: --output, --title and --slots take its verdicts{verdicts}")
    _print(found, report_lines(found), as_json=as_json)


@contextmanager
def _rows_read() -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many rows were read: ten million take minutes."""
    with stderr().status("reading") as status:
        yield lambda rows: status.update(f"reading: {plural(rows, 'row')}")


def _print(found: Report | Comparison, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        print_line(found.model_dump_json())
        return
    for line in lines:
        print_line(line)
