"""`streamverify worker`."""

from __future__ import annotations

import asyncio

import typer

from streamverify.cli.options import WORKER, with_settings
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

EXAMPLES = """\
Examples
  streamverify worker             with the Lean that setup_lean.sh installed
  streamverify worker --bootstrap-servers kafka:9092 --slots 8
  streamverify worker --repl replay --require checked
  streamverify worker --repl "lake env repl" --lean-project ~/project

Start as many as you like: Kafka divides the partitions among the workers of
a group (--group-id). Give each a --group-instance-id that it keeps over
restarts: then the others need not wait while one restarts.

SIGTERM or Ctrl-C drains: running proofs are finished and committed. A second
signal ends the worker at once."""


@with_settings(*WORKER)
def worker(*, settings: Settings) -> None:
    """Read proofs from the request topic, have Lean check them, write a verdict for each to the result topic.

    A proof is committed after its verdict is on the topic, so nothing is lost, whatever crashes in between. The worker
    runs until it is told to stop.
    """
    from streamverify.logs import configure  # noqa: PLC0415 - keeps --help fast
    from streamverify.worker.lifecycle import run_worker  # noqa: PLC0415 - keeps --help fast

    name = "-".join(("worker", *filter(None, [settings.group_instance_id])))
    configure(settings.log_level, settings.log_format, log_dir=settings.log_dir, name=name)
    raise typer.Exit(asyncio.run(run_worker(settings)))
