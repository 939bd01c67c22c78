"""`streamverify table`."""

from __future__ import annotations

import typer

from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.services import LOG, extra, log_as
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

EXAMPLES = """\
Examples
  streamverify table
  streamverify table --http-port 9500 --advertised-url http://10.0.0.7:9500
  curl localhost:9464/results/my-proof
  curl 'localhost:9464/results?prefix=run7/&reason=timeout&limit=50'

At the port that it logs (9464 if that is free), /results/ID has one result,
and /results lists all of them in pages: JSON for programs, HTML for browsers.
You may start more than one: Kafka divides the partitions among them, and each
of them answers for all.
It asks for no password: let only those reach it who may see the results.
SIGTERM or Ctrl-C ends it."""

_SETTINGS = (
    *CONNECTION,
    "group_id",
    "group_instance_id",
    "result_topic",
    "session_timeout_ms",
    "drain_timeout",
    "http_host",
    "http_port",
    "advertised_url",
    *LOG,
)


@with_settings(*_SETTINGS)
def table(*, settings: Settings) -> None:
    """Keep the newest result of each custom_id in memory, and show it over HTTP.

    The result topic stays the store: a result that the topic no longer has disappears here, too.
    """
    with extra("table", "the results table needs Faust", "faust", "mode", "sortedcontainers"):
        from streamverify.table.table import run_table  # noqa: PLC0415 - keeps --help fast
    log_as("table", settings)
    raise typer.Exit(run_table(settings))
