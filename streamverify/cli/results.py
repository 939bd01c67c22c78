"""`streamverify results`."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.errors import InputError
from streamverify.cli.options import RESULTS, with_settings
from streamverify.cli.output import plural, print_line, print_result, remark, stdout
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamverify.core.messages.models import ProofResult

EXAMPLES = """\
Examples
  streamverify results               the newest verdict of each custom_id
  streamverify results --since 10m   (s, m, h, d, or 1h30m)
  streamverify results --since 2026-01-31T08:00:00Z --json
  streamverify results -f --json | jq -c 'select(.status == "rejected")'

The table has one row for each custom_id: the verdict on its newest request.
--json and --follow print every result on the topic, repeats included.
--follow goes on until Ctrl-C."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_since(text: str) -> datetime:
    """Read an RFC 3339 time, or a length of time before now (`10m`, `1h30m`).

    Raises:
        InputError: The text is neither.
    """
    word = text.strip()
    try:
        if _DURATION.fullmatch(word):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word))
            return datetime.now(UTC) - timedelta(seconds=seconds)
        moment = datetime.fromisoformat(word)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(
            f"--since: {text!r} is neither a time with its zone (2026-01-31T08:00:00Z) "
            "nor a length of time (10m, 1h30m)"
        )
    return moment


@with_settings(*RESULTS)
def results(
    *,
    settings: Settings,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Show only results since this time: RFC 3339, or a length of time such as 10m."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new results until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each result as a line of JSON.")] = False,
) -> None:
    """Show the verdicts on the result topic. Joins no consumer group, so no other reader misses a record."""
    moment = None if since is None else parse_since(since)
    asyncio.run(_results(settings, moment, follow=follow, as_json=as_json))


async def _results(settings: Settings, since: datetime | None, *, follow: bool, as_json: bool) -> None:
    from streamverify.client import AsyncClient  # noqa: PLC0415 - keeps --help fast

    async with AsyncClient(settings) as client:
        read = client.results(since, follow=follow)
        if as_json:
            async for result in read:
                print_result(result)
        elif follow:
            await _follow(read)
        else:
            await _table(read, settings.result_topic)


async def _follow(read: AsyncIterator[ProofResult]) -> None:
    from streamverify.cli.render import first_message, headline  # noqa: PLC0415 - keeps --help fast

    console = stdout()
    async for result in read:
        console.print(headline(result).append(f"  {first_message(result)}", "not bold default"), soft_wrap=True)


async def _table(read: AsyncIterator[ProofResult], topic: str) -> None:
    from streamverify.cli.render import Row, result_table  # noqa: PLC0415 - keeps --help fast
    from streamverify.client import supersedes  # noqa: PLC0415 - keeps --help fast

    rows: dict[str, tuple[ProofResult, Row]] = {}
    async for result in read:
        known = rows.get(result.custom_id)
        if known is None or supersedes(result, known[0]):
            # Lean's answer takes most of the memory, and the row has all that the table shows of it.
            rows[result.custom_id] = (result.model_copy(update={"response": None}), Row.of(result))
    if not rows:
        remark(f"no results on {topic} yet")
        return
    console = stdout()
    console.print(result_table((row for _, row in rows.values()), console.width))
    statuses = [row.status for _, row in rows.values()]
    named = ", ".join(f"{statuses.count(status):,} {status}" for status in sorted(set(statuses), reverse=True))
    print_line(f"{plural(len(statuses), 'proof')}: {named}")
