"""`streamverify export`."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import SpinnerColumn, TextColumn

from streamverify.cli.checks import not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.interrupted import say_how_far
from streamverify.cli.options import RESULTS, with_settings
from streamverify.cli.output import plural, print_json, print_line
from streamverify.cli.progress import kept_showing, progress_bar
from streamverify.cli.selection_options import SelectionFlags, with_selection
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.core.messages.selection import ResultSelection
    from streamverify.replay.result_export import Exported

EXAMPLES = """\
Examples
  streamverify export --output verdicts.parquet
  streamverify export --run tuesday --since 2h --output tuesday.jsonl
  streamverify export --reason timeout --prefix minif2f/ --output slow.jsonl
  streamverify export --all --output everything.parquet

The columns are those of `streamverify replay --output`. Of each custom_id
the newest verdict is written, by the time of its request; --status and
--reason select among these. --all writes every result that the topic keeps.
The file appears when it is complete. Any number of results fits into memory."""


@with_settings(*RESULTS)
@with_selection
def export(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    given: SelectionFlags,
    output: Annotated[
        Path, typer.Option(metavar="FILE", callback=not_empty, help="File to write: .parquet or .jsonl.")
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="Write every result, not only the newest of each custom_id.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")] = False,
) -> None:
    """Write the verdicts on the result topic, or some of them, to a file. Joins no consumer group."""
    from streamverify.core.datasets.columns import printable  # noqa: PLC0415 - keeps --help fast
    from streamverify.datasets.writers import check_output  # noqa: PLC0415 - keeps --help fast
    from streamverify.replay.result_export import Exported  # noqa: PLC0415 - keeps --help fast

    wanted = given.selection()
    check_output(output)
    if output.exists() and not overwrite:
        raise InputError(f"--output {printable(str(output))} is there: --overwrite replaces it")
    report = Exported()
    with say_how_far(lambda: f"{plural(report.read, 'result')} read; no file was written" if report.read else ""):
        asyncio.run(_export(settings, wanted, output, report, everything=everything))
    if as_json:
        print_json({"output": str(output), "read": report.read, "rows": report.written, "statuses": report.statuses})
        return
    counts = ", ".join(f"{count:,} {status}" for status, count in sorted(report.statuses.items(), reverse=True))
    print_line(f"{plural(report.written, 'verdict')} written to {output}{': ' * bool(counts)}{counts}")


async def _export(
    settings: Settings, wanted: ResultSelection, output: Path, report: Exported, *, everything: bool
) -> None:
    from streamverify.replay.result_export import export as write  # noqa: PLC0415 - keeps --help fast

    with progress_bar(SpinnerColumn(), TextColumn("{task.fields[said]}")) as progress:
        task = progress.add_task("", said="")
        async with kept_showing(
            lambda: progress.update(task, said=f"{report.read:,} read, {report.written:,} written")
        ):
            await write(settings, wanted, output, every=everything, report=report)
