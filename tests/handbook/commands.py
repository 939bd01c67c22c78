"""The page of all commands: what each does, its own options, and what it prints, recorded from a real run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.text import Text
from support import ROOT

from streamverify.cli.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = ROOT / "tests" / "data" / "transcripts.json"
"""For each command the runs that the page shows; `make transcripts` records them anew (tests/handbook/record.py)."""
_SETTINGS = "Settings (flag over environment over streamverify.toml)"
_BEGINNING = """\
Every command of streamverify, with its own options and what it prints. Each also has the flags of the
[settings](settings.md) that it uses; `--help` lists them. What is printed here was recorded on a real Kafka with a
stand-in for Lean.
"""


class Run(NamedTuple):
    """One run of a command: the line as typed, what it printed on the terminal, and its exit code."""

    line: str
    output: str
    exit_code: int


class Command(NamedTuple):
    """A command without commands of its own; `words` is what stands after `streamverify`."""

    words: str
    about: str
    options: list[tuple[str, str]]


def commands() -> list[Command]:
    """Every command of the program, in the order of its help."""
    return list(_leaves(typer.main.get_command(make_app()), ()))


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[Command]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*words, name))
        return
    own = [item for item in command.params if getattr(item, "rich_help_panel", None) != _SETTINGS]
    options = [(_spelling(item), _plain(item.help or "")) for item in own if item.name != "help"]
    yield Command(" ".join(words), _plain(" ".join(command.help.split())), options)


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _plain(text: str) -> str:
    return Text.from_markup(text).plain.replace("|", "\\|")


def recorded() -> dict[str, list[Run]]:
    """The runs that were recorded, by the words of their command."""
    runs = json.loads(RECORDED.read_text("utf-8")) if RECORDED.exists() else {}
    return {words: [Run(**run) for run in of_one] for words, of_one in runs.items()}


def commands_page() -> str:
    """Make the page."""
    runs = recorded()
    return _BEGINNING + "".join(_section(command, runs.get(command.words, [])) for command in commands())


def _section(command: Command, runs: list[Run]) -> str:
    rows = "".join(f"| {spelling} | {meaning} |\n" for spelling, meaning in command.options)
    table = f"\n| option | what it does |\n|---|---|\n{rows}" if rows else ""
    shown = "".join(_shown(run) for run in runs)
    return f"\n## streamverify {command.words}\n\n{_wrapped(command.about)}\n{table}{shown}"


def _shown(run: Run) -> str:
    ended = f"\n[exit code {run.exit_code}]" if run.exit_code else ""
    return f"\n```text\n$ {run.line}\n{run.output.rstrip()}{ended}\n```\n"


def _wrapped(text: str) -> str:
    return "\n".join(re.findall(r"\S.{0,115}(?=\s|$)", text))
