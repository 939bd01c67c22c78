"""`streamverify router`."""

from __future__ import annotations

import typer

from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.services import LOG, extra, log_as
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

EXAMPLES = """\
Examples
  streamverify router
  streamverify router --bootstrap-servers kafka:9092

For producers that cannot choose a partition by header: they write to the
ingest topic, and the router forwards to the request topic.
Its page, at / of the port that it logs (9464 if that is free), shows how
often each header came. You may start more than one: Kafka divides the
partitions among them. SIGTERM or Ctrl-C forwards the records in hand and
ends."""

_SETTINGS = (
    *CONNECTION,
    "group_id",
    "group_instance_id",
    "ingest_topic",
    "request_topic",
    "dlq_topic",
    "session_timeout_ms",
    "drain_timeout",
    "http_host",
    "http_port",
    *LOG,
)


@with_settings(*_SETTINGS)
def router(*, settings: Settings) -> None:
    """Forward proofs from the ingest topic to the request topic, each to a partition where its header is warm.

    Values, Kafka headers and timestamps stay as they are; the key becomes the fingerprint of the imports. A record is
    committed after the broker has its copy, so nothing is lost.
    """
    with extra("router", "the router needs Faust", "faust", "mode"):
        from streamverify.router.router import run_router  # noqa: PLC0415 - keeps --help fast
    log_as("router", settings)
    raise typer.Exit(run_router(settings))
