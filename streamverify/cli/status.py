"""`streamverify status`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.addresses import addresses
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import print_json, print_line, printable
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.core.overview.model import Readiness

EXAMPLES = """\
Examples
  streamverify status                     is the group of --group-id ready?
  streamverify status --url 9464          is the process on this port ready?
  streamverify status --url prover-3:9464 && echo yes

Exit codes, for probes
  0   ready
  1   not ready: it starts, waits for its partitions, drains, or has no
      broker; of a group: partitions move, are with nobody, or with a worker
      that is not ready or does not answer
  2   wrong usage
  3   nobody is there: no process of streamverify answers at the address; no
      worker is in the group
  4   no Kafka broker, or no topic (not with --url, which asks no broker)"""

EXIT_CODES = {"ready": 0, "not_ready": 1, "nobody": 3}


@with_settings(*CONNECTION, "request_topic", "group_id")
def status(
    *,
    settings: Settings,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Ask one process (worker, router, table, gateway) instead of the group: http://HOST:PORT, HOST:PORT, "
            "or the PORT on this machine.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as one line of JSON.")] = False,
) -> None:
    """Say by the exit code whether a group of workers, or one process, is ready. For probes and scripts."""
    [address] = addresses([url]) if url is not None else [None]
    found = asyncio.run(_ask(settings, address))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_line(f"{found.state.replace('_', ' ')}: {'group ' if address is None else ''}{found.of}")
        for reason in found.why:
            print_line(f"  {' '.join(printable(reason).split())}")
    raise typer.Exit(EXIT_CODES[found.state])


async def _ask(settings: Settings, address: str | None) -> Readiness:
    from streamverify.overview.watch import Watch, process_state  # noqa: PLC0415 - keeps --help fast

    if address is not None:
        return await process_state(address)
    async with Watch(settings) as watch:
        return await watch.readiness()
