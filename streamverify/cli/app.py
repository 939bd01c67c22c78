"""The application: it lists the commands, and turns an error into a line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from streamverify.cli import (
    broker,
    config,
    delete,
    demo,
    dlq,
    doctor,
    export,
    gateway,
    offsets,
    produce,
    replay,
    report,
    results,
    retry,
    router,
    schema,
    serve,
    status,
    table,
    top,
    topics,
    verify,
    worker,
    workers,
)
from streamverify.cli.errors import InputError, ReaderGone
from streamverify.cli.options import logging_wanted
from streamverify.cli.output import epilog, error_line
from streamverify.core.errors import RefusedRequest, StreamVerifyError, UndecodableRequest
from streamverify.logs import configure
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXIT_CODES = """\
Exit codes
  0    done; also a worker, router, table, gateway, broker or top that was
       told to stop (SIGTERM or Ctrl-C)
  1    a proof was rejected (verify); a topic is not as it should be (topics
       create); not ready (status)
  2    wrong usage, a wrong setting, input that is no request, or an output
       that cannot be written
  3    a proof is inconclusive or still unanswered (verify); a request is no
       longer on its topic (retry); nobody is there (status)
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
"""What Typer raises for any wrong usage. It has no public name, and in older versions another home."""


class Group(TyperGroup):
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
        raise
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
"""What Typer passes on of pydantic's messages, and what a person is told instead."""


def usage_error(error: Any) -> str:
    """Word one of Typer's errors as one line, with where to read more."""
    said = " ".join(error.format_message().split()).rstrip(".")
    for theirs, ours in _WORDS_OF_PYDANTIC.items():
        said = said.replace(theirs, ours)
    return said if error.ctx is None else f"{said} (see `{error.ctx.command_path} --help`)"


app = typer.Typer(
    name="streamverify",
    cls=Group,
    help="Verify Lean 4 proofs from a Kafka topic, and write a verdict for each to another topic.",
    epilog=epilog(EXAMPLES, EXIT_CODES),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(given: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if given:
        typer.echo(f"streamverify {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version_wanted: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _add(to: typer.Typer, name: str, command: Callable[..., None], examples: str) -> None:
    to.command(name, epilog=epilog(examples))(command)


_topics = typer.Typer(
    help="Create the topics, or describe them.",
    no_args_is_help=True,
    epilog=epilog(topics.EXAMPLES),
    rich_markup_mode="rich",
)
_dlq = typer.Typer(
    help="List the dead letters, show one, or send them again.",
    no_args_is_help=True,
    epilog=epilog(dlq.EXAMPLES),
    rich_markup_mode="rich",
)
_add(app, "worker", worker.worker, worker.EXAMPLES)
_add(app, "router", router.router, router.EXAMPLES)
_add(app, "table", table.table, table.EXAMPLES)
_add(app, "serve", serve.serve, serve.EXAMPLES)
_add(app, "gateway", gateway.gateway, gateway.EXAMPLES)
_add(app, "produce", produce.produce, produce.EXAMPLES)
_add(app, "results", results.results, results.EXAMPLES)
_add(app, "replay", replay.replay, replay.EXAMPLES)
_add(app, "export", export.export, export.EXAMPLES)
_add(app, "verify", verify.verify, verify.EXAMPLES)
_add(app, "retry", retry.retry, retry.EXAMPLES)
app.add_typer(_topics, name="topics")
_add(_topics, "create", topics.create, topics.EXAMPLES)
_add(_topics, "describe", topics.describe, topics.EXAMPLES)
app.add_typer(_dlq, name="dlq")
_add(_dlq, "list", dlq.list_letters, dlq.EXAMPLES)
_add(_dlq, "show", dlq.show, dlq.EXAMPLES)
_add(_dlq, "replay", dlq.replay, dlq.EXAMPLES)
_add(app, "delete", delete.delete, delete.EXAMPLES)
_add(app, "offsets", offsets.offsets, offsets.EXAMPLES)
_add(app, "top", top.top, top.EXAMPLES)
_add(app, "workers", workers.workers, workers.EXAMPLES)
_add(app, "status", status.status, status.EXAMPLES)
_add(app, "broker", broker.broker, broker.EXAMPLES)
_add(app, "demo", demo.demo, demo.EXAMPLES)
_add(app, "doctor", doctor.doctor, doctor.EXAMPLES)
_add(app, "config", config.config, config.EXAMPLES)
_add(app, "report", report.report, report.EXAMPLES)
_add(app, "schema", schema.schema, schema.EXAMPLES)


def exit_code(error: StreamVerifyError) -> int:
    """Choose the exit code for an error. It is never 1, which says that Lean rejected a proof."""
    if error.exit_code != 1:
        return error.exit_code
    return 2 if isinstance(error, RefusedRequest | UndecodableRequest) else _EXIT_BUG
