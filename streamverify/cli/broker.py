"""`streamverify broker`."""

from __future__ import annotations

import contextlib
import time
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
    """Run a broker in memory until Ctrl-C or SIGTERM, to try things out without Apache Kafka.

    It serves one worker, and forgets everything when it ends. For more use Apache Kafka: `docker compose up kafka`, or
    without Docker `deploy/kafka/kafka.py run --port 9092` of the source.
    """
    # To be told to stop is how it ends: that is no interruption.
    with contextlib.suppress(KeyboardInterrupt), sigterm_interrupts():
        _serve(as_json=as_json)


def _serve(*, as_json: bool) -> None:
    from streamverify.bus.embedded import LIMITS, EmbeddedBroker  # noqa: PLC0415 - keeps --help fast

    with EmbeddedBroker() as running:
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
            # Not `signal.pause`: a signal that comes just before it is noticed only with the next one.
            time.sleep(0.2)
