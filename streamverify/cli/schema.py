"""`streamverify schema`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated

import typer

from streamverify.cli.errors import InputError
from streamverify.cli.output import print_line

EXAMPLES = """\
Examples
  streamverify schema                        all schemas
  streamverify schema proof-request > request.json
  streamverify schema report                 of a report.json
  streamverify schema --write schemas        one file for each"""

_SUFFIX = ".schema.json"


def schema(
    *,
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="[MESSAGE]",
            help="proof-request, proof-result, dead-letter, report, comparison, worker-status, overview, workers or "
            "readiness.",
        ),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write a file for each message into this folder.")
    ] = None,
) -> None:
    """Print the JSON Schemas of the messages on the topics, of reports and of workers, or write them to files."""
    files = choose(every_schema(), message)
    if write is not None:
        write_files(files, write)
        return
    for text in files.values():
        print_line(text.rstrip("\n"))


def every_schema() -> dict[str, str]:
    """Make the text of each schema, by the name of its file."""
    from streamverify.core.messages.schemas import schema_files  # noqa: PLC0415 - keeps --help fast
    from streamverify.core.overview.schemas import overview_schema_files  # noqa: PLC0415
    from streamverify.core.reports.schemas import report_schema_files  # noqa: PLC0415

    return schema_files() | report_schema_files() | overview_schema_files()


def choose(files: dict[str, str], message: str | None) -> dict[str, str]:
    """Choose the schema of one message, or all schemas if no message was named.

    Raises:
        InputError: There is no such message.
    """
    if message is None:
        return files
    name = f"{message}{_SUFFIX}"
    if name not in files:
        known = ", ".join(file.removesuffix(_SUFFIX) for file in files)
        raise InputError(f"there is no message {message!r}; there are {known}")
    return {name: files[name]}


def write_files(files: dict[str, str], folder: Path) -> None:
    """Write the files that differ from those in the folder, and print which.

    Raises:
        InputError: The folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = folder / name
            current = file.exists() and file.read_text("utf-8") == text
            if not current:
                file.write_text(text, "utf-8")
            print_line(f"{'current' if current else 'written'} {file}")
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from None
