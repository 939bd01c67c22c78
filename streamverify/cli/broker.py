"""`streamverify broker`."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from streamverify.cli.output import print_json, remark, sigterm_interrupts, stdout

EXAMPLES = """\
Example
  streamverify broker              prints its address, and what to export

In two other terminals, after that export:
  streamverify worker --repl synthetic --require checked
  streamverify verify proof.lean"""


def broker(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one line of JSON.")] = False,
) -> None:
    """Run a broker in memory until Ctrl-C, to try things out without Apache Kafka.

    It serves one worker, and forgets everything when it ends. For real work use Apache Kafka: `docker compose up`.
    """
    from streamverify.bus.embedded import LIMITS, EmbeddedBroker  # noqa: PLC0415 - keeps --help fast

    with sigterm_interrupts(), EmbeddedBroker() as running:
        if as_json:
            print_json({"bootstrap_servers": running.bootstrap_servers, "limits": list(LIMITS)})
        else:
            console = stdout()
            console.print(f"The embedded broker listens on [bold]{running.bootstrap_servers}[/]. Ctrl-C ends it.")
            console.print("In other terminals:\n")
            console.print(f"  export STREAMVERIFY_BOOTSTRAP_SERVERS={running.bootstrap_servers}\n")
            for limit in LIMITS:
                remark(limit, label="limit")
        while True:
            signal.pause()
