"""Options whose values are checked beyond what Typer checks, and flags that several commands have."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer


def Duration(help: str, *, above: float = 0.0) -> Any:  # noqa: N802, A002 - reads like typer.Option, which it makes
    """Make an option for a number of seconds. It refuses infinity, and NaN, which passes Typer's comparison.

    Args:
        help: The help of the option.
        above: The least value.
    """
    return typer.Option(metavar="SECONDS", min=above, help=help, callback=finite)


def ColumnName(panel: str, help: str) -> Any:  # noqa: N802, A002 - as above
    """Make an option for the name of a column of the input, in a panel of the command's help."""
    return typer.Option(metavar="COLUMN", callback=not_empty, rich_help_panel=panel, help=help)


def finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, for an option that is any other number."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value


def not_empty(value: Any) -> Any:
    """Refuse an empty text (or one in a list), which names nothing: often it is a shell variable that is not set."""
    texts = value if isinstance(value, list) else [value]
    if any(text is not None and not str(text).strip() for text in texts):
        raise typer.BadParameter("it is empty")
    return value


Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only results before this time.")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", callback=not_empty, help="Only this custom_id; repeatable.")
]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Only custom_ids that begin so.")]
Run = Annotated[str | None, typer.Option(metavar="NAME", callback=not_empty, help="Only results of this run.")]
