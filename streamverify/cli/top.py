"""`streamverify top`."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.addresses import Urls, addresses
from streamverify.cli.errors import InputError
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import print_json, sigterm_interrupts, stdout
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.core.overview.model import Overview

EXAMPLES = """\
Examples
  streamverify top                       of the group of --group-id; q ends it
  streamverify top --once                one look, as text
  streamverify top --once --json         the same for a program
  streamverify top --url prover-3:9464   a worker that its group does not name

Kafka names the members of the group, and the address that each has told its
group; there top asks each member, over HTTP, what it does.
docs/top.md explains each word and number."""


@with_settings(*CONNECTION, "request_topic", "dlq_topic", "group_id")
def top(
    *,
    settings: Settings,
    once: Annotated[bool, typer.Option("--once", help="Look once, print, and end; also without a terminal.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once, or without a terminal: print one line of JSON.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.5, max=3600.0, metavar="SECONDS", help="Seconds between two looks.")
    ] = 2.0,
    url: Urls = None,
) -> None:
    """Show what the workers of a group do: slots, rates, lag, the oldest proof, dead letters. Changes nothing."""
    urls = addresses(url)
    if math.isnan(interval):
        raise InputError("--interval must be a number of seconds, not nan")
    # Where nobody watches, or the terminal has no way to move its cursor, one look is all that can be shown.
    can_draw = sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}
    if once or as_json or not can_draw:
        overview = asyncio.run(_look(settings, urls))
        if as_json:
            print_json(overview.model_dump(mode="json"))
        else:
            _print(overview)
        return
    from streamverify.cli.top_live import show  # noqa: PLC0415 - keeps --help fast

    # To be told to stop is how it ends: that is no interruption.
    with contextlib.suppress(KeyboardInterrupt), sigterm_interrupts():
        asyncio.run(show(settings, urls, interval))


async def _look(settings: Settings, urls: list[str]) -> Overview:
    from streamverify.overview.watch import Watch  # noqa: PLC0415 - keeps --help fast

    async with Watch(settings, urls) as watch:
        return await watch.once()


def _print(overview: Overview) -> None:
    from streamverify.cli.top_view import draw  # noqa: PLC0415 - keeps --help fast

    console = stdout()
    for line in draw(overview, console.width):
        console.print(line, soft_wrap=True)
