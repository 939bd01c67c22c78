"""Kinds of options that are numbers, each with what makes one impossible."""

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
    return typer.Option(metavar="SECONDS", min=above, help=help, callback=_finite)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number of seconds")
    return value
