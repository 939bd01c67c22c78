"""Every command of the application with its parameters, and how a test runs one in this process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

from streamverify.cli.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = typer.main.get_command(make_app())


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str


@cache
def all_commands() -> dict[str, Any]:
    """Every command by its name, such as `topics create`."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))
        if not hasattr(command, "commands"):
            yield " ".join(path), command

    return dict(walk(ROOT, ()))


def options_of(command: str) -> dict[str, Any]:
    """The options of a command by their long flags; Typer's `--help` is none of ours."""
    parameters = all_commands()[command].params
    return {
        next(flag for flag in parameter.opts if flag.startswith("--")): parameter
        for parameter in parameters
        if parameter.param_type_name == "option" and parameter.name != "help"
    }


def arguments_of(command: str) -> list[Any]:
    """The positional parameters of a command."""
    return [parameter for parameter in all_commands()[command].params if parameter.param_type_name == "argument"]


def invoke(*arguments: str) -> Ran:
    """Run `streamverify ARGUMENT...` in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            ROOT.main(args=list(arguments), prog_name="streamverify")
        except SystemExit as ended:
            code = ended.code
    return Ran(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())
