"""What makes the value of an option impossible that Typer would take."""

from __future__ import annotations

import math
from typing import Any

import typer


def Duration(help: str, *, above: float = 0.0) -> Any:  # noqa: N802, A002 - reads like typer.Option, which it makes
    """Make an option for a number of seconds; NaN, which every comparison lets pass, is none, and infinity neither.

    Args:
        help: What it is for.
        above: The least value.
    """
    return typer.Option(metavar="SECONDS", min=above, help=help, callback=finite)


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
