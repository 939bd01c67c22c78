"""The application: it lists the commands, and turns an error into a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from streamverify.cli.errors import InputError, ReaderGone
from streamverify.cli.options import logging_wanted
from streamverify.cli.output import epilog, error_line
from streamverify.core.errors import RefusedRequest, StreamVerifyError, UndecodableRequest
from streamverify.logs import configure
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_CODES = """\
Exit codes
  0    done; also a worker, router, table, gateway, broker or top that was
       told to stop (SIGTERM or Ctrl-C)
  1    a proof was rejected (verify); a topic is not as it should be (topics
       create); not ready (status)
  2    wrong usage, a wrong setting, input that is no request, or an output
       that cannot be written
  3    a proof is inconclusive or still unanswered (verify); a request is no
       longer on its topic (retry); no process answers, or the group has no
       worker (status)
  4    no Kafka broker, no topic, or no REPL
  5    the worker could not go on and ended itself; its supervisor starts it
       again
  6    a worker, router or table: another took its name (--group-instance-id)
  70   a bug of streamverify
  130  interrupted by Ctrl-C (demo: or SIGTERM); a worker, router, table or
       gateway: by a second signal, or its drain limit"""

EXAMPLES = """\
Start here
  streamverify demo               a broker, a worker and some proofs
  streamverify doctor             what this machine lacks, and what to do
  streamverify topics create      on your Kafka
  streamverify worker             read proofs, write verdicts
  streamverify verify proof.lean  what Lean says, with the line it means"""

_EXIT_BUG = 70
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""The exception of Typer for any wrong usage. It has no public name, and in older versions another home."""


class CommandGroup(TyperGroup):
    """Ends a command with one clear line and the exit code of the error. Only a bug shows a traceback."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments of the group; `--help` and `--version` are answered here."""
        with _errors_as_lines():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        # Before anything can log: structlog's default would log to stdout, which is for answers.
        configure(*logging_wanted(os.environ))
        with _errors_as_lines():
            return super().invoke(ctx)


@contextmanager
def _errors_as_lines() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            # What is still in a buffer is the answer, too: it may turn out now that it cannot be written.
            sys.stdout.flush()
    except ReaderGone:
        raise typer.Exit(ReaderGone.exit_code) from None
    except StreamVerifyError as error:
        error_line(str(error))
        raise typer.Exit(exit_code(error)) from None
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise  # Typer shows the help
        error_line(usage_error(error))
        raise typer.Exit(InputError.exit_code) from None
    except (typer.Exit, typer.Abort):
        raise  # the ways in which Typer ends a command are exceptions, too, and no bug
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends as one line and a code of its own
        traceback.print_exception(error)
        error_line(f"this is a bug of streamverify, please report it: {type(error).__name__}: {error}")
        raise typer.Exit(_EXIT_BUG) from None


_WORDS_OF_PYDANTIC = {
    ": Value error, ": ": ",
    ": Input should be ": ": must be ",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
}
"""Words of pydantic's messages that Typer passes on, and the words that a person reads instead."""


def usage_error(error: Any) -> str:
    """Word one of Typer's errors as one line, with where to read more."""
    said = " ".join(error.format_message().split()).rstrip(".")
    for theirs, ours in _WORDS_OF_PYDANTIC.items():
        said = said.replace(theirs, ours)
    return said if error.ctx is None else f"{said} (see `{error.ctx.command_path} --help`)"


COMMANDS = (
    "worker",
    "router",
    "table",
    "serve",
    "gateway",
    "produce",
    "results",
    "replay",
    "export",
    "verify",
    "retry",
    "topics",
    "dlq",
    "cancel",
    "delete",
    "offsets",
    "top",
    "workers",
    "status",
    "broker",
    "demo",
    "doctor",
    "config",
    "report",
    "schema",
)
"""The commands in the order of the help. Each is a function of its name, in the module of that name in this folder."""

GROUPS = {
    "topics": ("Create the topics, or describe them.", {"create": "create", "describe": "describe"}),
    "dlq": (
        "List the dead letters, show one, or send them again.",
        {"list": "list_letters", "show": "show", "replay": "replay"},
    ),
}
"""Of the commands those with commands of their own: the help, and the function of each."""


def _version(given: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if given:
        typer.echo(f"streamverify {__version__}")
        raise typer.Exit


def _root(
    *,
    _version_wanted: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def commands_for(arguments: Sequence[str]) -> Sequence[str]:
    """Return the commands that have to be imported for a command line: the one that it names, else all."""
    # To import all of them takes a third of the time of a short command.
    # The options of the program itself take no value, so the first word that is no option is the command.
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    return [named] if named in COMMANDS else COMMANDS


def make_app(commands: Sequence[str] = COMMANDS) -> typer.Typer:
    """Make the application with some of the commands, whose modules are imported for it."""
    app = typer.Typer(
        name="streamverify",
        cls=CommandGroup,
        help="Verify Lean 4 proofs from a Kafka topic, and write a verdict for each to another topic.",
        epilog=epilog(EXAMPLES, EXIT_CODES),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in commands:
        module = import_module(f"streamverify.cli.{name}")
        described = epilog(module.EXAMPLES)
        if name not in GROUPS:
            command = getattr(module, name)
            app.command(name, help=_unwrapped(command), epilog=described)(command)
            continue
        words, functions = GROUPS[name]
        group = typer.Typer(help=words, no_args_is_help=True, epilog=described, rich_markup_mode="rich")
        for each, function in functions.items():
            command = getattr(module, function)
            group.command(each, help=_unwrapped(command), epilog=described)(command)
        app.add_typer(group, name=name)
    return app


def _unwrapped(command: Any) -> str:
    """Make the help of a command from its docstring: a line for each paragraph, which the terminal wraps at its width.

    Typer would keep the line breaks of all paragraphs but the first.
    """
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.__doc__ or "").split("\n\n"))


def exit_code(error: StreamVerifyError) -> int:
    """Choose the exit code for an error. It is never 1, which says that Lean rejected a proof."""
    if error.exit_code != 1:
        return error.exit_code
    return 2 if isinstance(error, RefusedRequest | UndecodableRequest) else _EXIT_BUG
