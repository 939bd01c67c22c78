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
  streamverify schema asyncapi             topics and messages: AsyncAPI 3
  streamverify schema --write schemas        one file for each"""

_SUFFIXES = (".schema.json", ".json")


def schema(
    *,
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE",
            help="proof-request, proof-result, dead-letter, report, comparison, worker-status, overview, workers, "
            "readiness or asyncapi.",
        ),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write a file for each message into this folder.")
    ] = None,
) -> None:
    """Print the schemas of messages, reports and workers, and the AsyncAPI document of the topics, or write them."""
    files = choose(every_schema(), message)
    if write is not None:
        write_files(files, write)
        return
    for text in files.values():
        print_line(text.rstrip("\n"))


def every_schema() -> dict[str, str]:
    """Make the text of each schema and of the AsyncAPI document, by the name of its file."""
    from streamverify.cli.asyncapi import asyncapi_file  # noqa: PLC0415 - keeps --help fast
    from streamverify.core.messages.schemas import schema_files  # noqa: PLC0415
    from streamverify.core.overview.schemas import overview_schema_files  # noqa: PLC0415
    from streamverify.core.reports.schemas import report_schema_files  # noqa: PLC0415

    return schema_files() | report_schema_files() | overview_schema_files() | asyncapi_file()


def choose(files: dict[str, str], message: str | None) -> dict[str, str]:
    """Choose the schema of one message, or all schemas if no message was named.

    Raises:
        InputError: There is no such message.
    """
    if message is None:
        return files
    named = {_name(file): file for file in files}
    if message not in named:
        raise InputError(f"there is no message {message!r}; there are {', '.join(named)}")
    return {named[message]: files[named[message]]}


def _name(file: str) -> str:
    for suffix in _SUFFIXES:
        file = file.removesuffix(suffix)
    return file


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
