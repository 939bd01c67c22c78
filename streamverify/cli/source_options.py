"""The flags of a command that reads a data set: its file, columns and rows, and the fields of each request."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from streamverify.cli.checks import ColumnName, finite, not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.options import with_flags
from streamverify.core.messages.assurance import Require  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.datasets.dataset import SourceOptions

_COLUMNS = "Columns of the data set (guessed where their names are well known)"
_ROWS = "Rows of the data set"
_REQUESTS = "Requests"


@dataclass(frozen=True, kw_only=True)
class SourceFlags:
    """The data set that the command line describes. A field is a flag; it has that flag's name and default."""

    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            callback=not_empty,
            help=escape("JSONL, JSON, CSV, Parquet, a folder, hf://owner/name[@revision][/split], or - for stdin."),
        ),
    ]
    form: Annotated[
        Literal["jsonl", "json", "csv", "tsv", "parquet", "lean"] | None,
        typer.Option("--format", rich_help_panel=_COLUMNS, help="Format of the source, whatever its name ends in."),
    ] = None
    id_column: Annotated[str | None, ColumnName(_COLUMNS, "The column of the custom_id.")] = None
    proof_column: Annotated[
        str | None, ColumnName(_COLUMNS, "The column of the proof; a list is as many attempts.")
    ] = None
    statement_column: Annotated[
        str | None, ColumnName(_COLUMNS, "The column of the statement that was to be proved.")
    ] = None
    header_column: Annotated[str | None, ColumnName(_COLUMNS, "The column of the imports.")] = None
    theorem_column: Annotated[str | None, ColumnName(_COLUMNS, "The column of the name of the theorem.")] = None
    group_column: Annotated[
        str | None, ColumnName(_COLUMNS, "The column of the problem, the same for all attempts at it.")
    ] = None
    header: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            callback=not_empty,
            rich_help_panel=_COLUMNS,
            help="The imports of each proof, such as 'import Mathlib'.",
        ),
    ] = None
    completions: Annotated[
        bool,
        typer.Option(
            "--completions", rich_help_panel=_COLUMNS, help="The proof is the last code block of a model's answer."
        ),
    ] = False
    continues: Annotated[
        bool,
        typer.Option(
            "--continue-statement", rich_help_panel=_COLUMNS, help="The proof continues the statement, after its :="
        ),
    ] = False
    guess: Annotated[
        bool, typer.Option("--guess/--no-guess", rich_help_panel=_COLUMNS, help="Guess columns that are not named.")
    ] = True
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            callback=not_empty,
            rich_help_panel=_ROWS,
            help="Only these rows: level=hard; repeatable.",
        ),
    ] = None
    shuffle: Annotated[bool, typer.Option("--shuffle", rich_help_panel=_ROWS, help="Mix the rows.")] = False
    seed: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=_ROWS, help="Seed of the order of --shuffle; default 0.")
    ] = None
    offset: Annotated[int, typer.Option(min=0, metavar="N", rich_help_panel=_ROWS, help="Leave out N rows.")] = 0
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", rich_help_panel=_ROWS, help="Stop after N rows.")] = (
        None
    )
    repeat: Annotated[
        int,
        typer.Option(min=1, metavar="N", rich_help_panel=_ROWS, help="Replay all rows N times; ids end in @1 ... @N."),
    ] = 1
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            callback=finite,
            rich_help_panel=_REQUESTS,
            help="Seconds that Lean may run on each proof.",
        ),
    ] = None
    require: Annotated[
        Require | None,
        typer.Option(rich_help_panel=_REQUESTS, help="Assurance that a proof needs to be verified."),
    ] = None
    disable_cache: Annotated[
        bool,
        typer.Option("--disable-cache", rich_help_panel=_REQUESTS, help="Use no cached result and no warm header."),
    ] = False
    infotree: Annotated[
        Literal["full", "tactics", "original", "substantive"] | None,
        typer.Option(rich_help_panel=_REQUESTS, help="Have Lean make infotrees; they are on the result topic alone."),
    ] = None
    all_tactics: Annotated[
        bool,
        typer.Option(
            "--all-tactics",
            rich_help_panel=_REQUESTS,
            help="Have Lean list every tactic; also on the result topic alone.",
        ),
    ] = False
    run: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", callback=not_empty, rich_help_panel=_REQUESTS, help="Name of this run; default: a new one."
        ),
    ] = None

    def options(self) -> SourceOptions:
        """Make the options of the data set.

        Raises:
            InputError: A flag is wrong, or contradicts another.
        """
        from streamverify.cli.overrides import check_fields  # noqa: PLC0415 - keeps --help fast
        from streamverify.datasets.dataset import SourceOptions  # noqa: PLC0415 - keeps --help fast

        if self.seed is not None and not self.shuffle:
            raise InputError("--seed needs --shuffle: it chooses the order")
        request: dict[str, Any] = {
            name: value
            for name, value in (
                ("timeout", self.timeout),
                ("require", self.require),
                ("disable_cache", self.disable_cache or None),
                ("infotree_type", self.infotree),
                ("all_tactics", self.all_tactics or None),
                ("run", self.run),
            )
            if value is not None
        }
        check_fields(request)
        request.pop("run", None)  # the replay's own
        ours = {each.name for each in fields(SourceOptions)} - {"request", "where", "seed", "keep_columns"}
        return SourceOptions(
            **{name: getattr(self, name) for name in ours if hasattr(self, name)},
            where=tuple(self.where or ()),
            seed=self.seed or 0,
            request=request,
        )


with_source = with_flags(SourceFlags)
"""Give a command these flags; it gets them as its argument `given`."""
