"""`streamverify config`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from streamverify.cli.options import EVERYTHING, with_settings
from streamverify.cli.output import print_json, stdout
from streamverify.settings import PREFIX, Settings, names_in_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

EXAMPLES = """\
Examples
  streamverify config               every setting and where it comes from
  streamverify config --slots 4     what a worker with this flag would use
  streamverify config --json | jq .settings.repl

A setting is an environment variable (STREAMVERIFY_SLOTS=4), a key of
streamverify.toml (slots = 4), or a flag (--slots 4). Flags win over the
environment, the environment wins over the file."""


@with_settings(*EVERYTHING)
def config(
    *,
    context: typer.Context,
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print settings and sources as one line of JSON.")] = False,
) -> None:
    """Print the effective settings and where each comes from. Secrets are hidden, and nothing is changed."""
    flags = {name for name in EVERYTHING if context.params.get(name) is not None}
    sources = find_sources(flags, os.environ, names_in_file(context.params.get("config")))
    shown = {name: _shown(getattr(settings, name)) for name in EVERYTHING}
    if as_json:
        print_json({"settings": shown, "sources": sources})
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for name, value in shown.items():
        style = "dim" if sources[name] == "default" else ""
        table.add_row(name, escape("" if value is None else str(value)), sources[name], style=style)
    stdout().print(table)


def find_sources(flags: Collection[str], environment: Mapping[str, str], in_file: Collection[str]) -> dict[str, str]:
    """Find where each setting comes from: `flag`, `environment`, `file` or `default`.

    Args:
        flags: The settings given on the command line.
        environment: The environment of the process.
        in_file: The keys of the settings file.
    """
    sources = {}
    for name in EVERYTHING:
        if name in flags:
            sources[name] = "flag"
        elif environment.get(f"{PREFIX}{name.upper()}"):
            sources[name] = "environment"
        else:
            sources[name] = "file" if name in in_file else "default"
    return sources


def _shown(value: Any) -> str | int | float | None:
    """Make a value that can be printed and written as JSON; of a secret it shows only that there is one."""
    if isinstance(value, SecretStr | Path):
        return str(value)
    shown: str | int | float | None = value
    return shown
