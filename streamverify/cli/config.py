"""`streamverify config`."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from streamverify.cli.options import EVERYTHING, with_settings
from streamverify.cli.output import print_json, stdout
from streamverify.settings import DEFAULT_FILE, PREFIX, Settings

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
    """Print the effective settings and where each comes from; secrets are hidden. Reads, changes nothing."""
    flags = {name for name in EVERYTHING if context.params.get(name) is not None}
    sources = find_sources(flags, os.environ, _names_in_file(context.params.get("config")))
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
    """Where each setting comes from: `flag`, `environment`, `file` or `default`.

    Args:
        flags: The settings given on the command line.
        environment: The process's.
        in_file: The keys of the settings file.
    """
    return {name: _source(name, flags, environment, in_file) for name in EVERYTHING}


def _source(name: str, flags: Collection[str], environment: Mapping[str, str], in_file: Collection[str]) -> str:
    if name in flags:
        return "flag"
    if environment.get(f"{PREFIX}{name.upper()}"):
        return "environment"
    return "file" if name in in_file else "default"


def _names_in_file(named: Path | None) -> set[str]:
    file = named or Path(os.environ.get(f"{PREFIX}CONFIG") or DEFAULT_FILE)
    # That it is there and is TOML was found when the settings were loaded.
    return set(tomllib.loads(file.read_text("utf-8"))) if file.exists() else set()


def _shown(value: Any) -> str | int | float | None:
    """A value for print and JSON; of a secret, only that there is one."""
    if isinstance(value, SecretStr | Path):
        return str(value)
    shown: str | int | float | None = value
    return shown
