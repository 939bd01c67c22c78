"""`streamverify config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from streamverify.cache.store import without_password
from streamverify.cli.options import EVERYTHING, with_settings
from streamverify.cli.output import print_json, stdout
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

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
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print settings and sources as one line of JSON.")] = False,
) -> None:
    """Print the effective settings and where each comes from. Secrets are hidden, and nothing is changed."""
    sources = {name: settings.origins.place(name) for name in EVERYTHING}
    shown = {name: _shown(getattr(settings, name)) for name in EVERYTHING}
    # The only setting that is no secret as a whole, and may have a password in its URL.
    shown["cache"] = without_password(settings.cache)
    if as_json:
        print_json({"settings": shown, "sources": sources})
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for name, value in shown.items():
        style = "dim" if sources[name] == "default" else ""
        table.add_row(name, escape("" if value is None else str(value)), sources[name], style=style)
    stdout().print(table)


def _shown(value: Any) -> str | int | float | None:
    """Make a value that can be printed and written as JSON; of a secret it shows only that there is one."""
    if isinstance(value, SecretStr | Path):
        return str(value)
    shown: str | int | float | None = value
    return shown
