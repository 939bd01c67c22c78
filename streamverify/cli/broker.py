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
    """Run the embedded broker, to try things out without Apache Kafka, until Ctrl-C.

    It lives in memory and serves one worker. For real work, use Apache Kafka: `docker compose up`.
    """
    from streamverify.bus.embedded import LIMITS, EmbeddedBroker  # noqa: PLC0415 - keeps --help fast

    with sigterm_interrupts(), EmbeddedBroker() as running:
        if as_json:
            print_json({"bootstrap_servers": running.bootstrap_servers, "limits": list(LIMITS)})
        else:
            _introduce(running.bootstrap_servers, LIMITS)
        while True:
            signal.pause()


def _introduce(address: str, limits: tuple[str, ...]) -> None:
    console = stdout()
    console.print(f"The embedded broker listens on [bold]{address}[/]. Ctrl-C ends it. For other terminals:\n")
    console.print(f"  export STREAMVERIFY_BOOTSTRAP_SERVERS={address}\n")
    for limit in limits:
        remark(limit, label="limit")
