"""`streamverify offsets`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from streamverify.cli.checks import not_empty
from streamverify.cli.errors import InputError
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import one_line, print_json, print_line, remark, stdout
from streamverify.cli.tables import CsvTable
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.core.delivery.group_position import GroupPosition

EXAMPLES = """\
Examples
  streamverify offsets                      of the group of --group-id
  streamverify offsets --group other --json

A worker commits the offset up to which all records are finished (committed),
and in the commit's metadata which later records are finished, too. So lag
counts all records after the committed offset, and to do only those that have
no answer yet. The column map says what kind of metadata there is:

open     a worker owns the partition, or crashed while owning it
closed   the last worker has left it in order
none     committed without a map, by another tool
foreign  the metadata is not a valid map of ours; it is ignored, so that
         finished records are repeated
new      nothing was ever committed

kafka-consumer-groups.sh shows offsets and lag, and no metadata."""

_STYLES = {"foreign": "yellow", "open": "green"}


@with_settings(*CONNECTION, "request_topic", "group_id")
def offsets(
    *,
    settings: Settings,
    group: Annotated[
        str | None, typer.Option(callback=not_empty, help="Consumer group; the same as --group-id.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Show only the first N partitions.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the partitions as one line of JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the partitions as CSV.")] = False,
) -> None:
    """Show how far a group of workers is: committed offsets, lag, and records to do. Changes nothing."""
    from streamverify.bus.group_positions import group_positions  # noqa: PLC0415 - keeps --help fast

    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other")
    name = group or settings.group_id
    positions = asyncio.run(group_positions(settings, name))
    all_new = all(one.state == "new" for one in positions)
    to_do, lag = sum(one.to_do for one in positions), sum(one.lag for one in positions)
    # After the sums: they are of the whole group, however few partitions are shown.
    positions = positions[:limit]
    if as_csv:
        table = CsvTable(("partition", "committed", "end", "lag", "to_do", "unfinished", "attempted", "map"))
        for one in positions:
            tried = " ".join(str(offset) for offset, _attempts in one.attempted)
            table.add(one.partition, one.committed, one.end, one.lag, one.to_do, len(one.incomplete), tried, one.state)
        return
    if as_json:
        print_json({"group": name, "topic": settings.request_topic, "partitions": [asdict(one) for one in positions]})
        return
    stdout().print(_table(positions))
    print_line(f"group {name}, topic {settings.request_topic}: {to_do:,} records to do, lag {lag:,}")
    for one in positions:
        if one.problem:
            remark(f"partition {one.partition}: {one.problem}", label="foreign")
    if all_new:
        remark(f"the group {name} has committed nothing for {settings.request_topic}")


def _table(positions: list[GroupPosition]) -> Table:
    table = Table(
        "partition", "committed", "end", "lag", "to do", "unfinished", "attempted", "map", box=None, pad_edge=False
    )
    for column in table.columns[:6]:
        column.justify = "right"
    for one in positions:
        attempted = ", ".join(f"{offset} ({attempts}x)" for offset, attempts in one.attempted)
        table.add_row(
            str(one.partition),
            "" if one.committed is None else str(one.committed),
            str(one.end),
            str(one.lag),
            str(one.to_do),
            str(len(one.incomplete)),
            escape(one_line(attempted, 40)),
            one.state,
            style=_STYLES.get(one.state, ""),
        )
    return table
