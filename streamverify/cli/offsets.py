"""`streamverify offsets`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import one_line, print_json, print_line, remark, stdout
from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.errors import BrokerUnavailable, UndecodableOffsetMap
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

    from streamverify.bus.admin import PatientAdmin
    from streamverify.core.delivery.partition_state import Committed

EXAMPLES = """\
Examples
  streamverify offsets                      of the group of --group-id
  streamverify offsets --group other --json

A worker commits the offset up to which all records are finished (committed),
and in the commit's metadata which later records are finished, too. So lag
counts all records after the committed offset, and to do only those that have
no answer yet. The column map says what the metadata is:

open     a worker owns the partition, or crashed while owning it
closed   the last worker has left it in order
none     committed without a map, by another tool
foreign  the metadata is not a valid map of ours; it is ignored, so that finished
         records are repeated
new      nothing was ever committed

kafka-consumer-groups.sh shows offsets and lag, and no metadata."""

State = Literal["open", "closed", "none", "foreign", "new"]
_STYLES = {"foreign": "yellow", "open": "green"}


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """How far a group is with one partition."""

    partition: int
    committed: int | None
    end: int
    lag: int
    """Records from the committed offset (or the oldest one that is kept) to the end."""
    to_do: int
    """The same without the records that the map lists as finished."""
    incomplete: list[tuple[int, int]]
    """The offset and the attempts of each record that the map lists as not finished."""
    state: State
    problem: str = ""
    """The reason why the metadata is not ours."""

    @property
    def attempted(self) -> list[tuple[int, int]]:
        """The records of `incomplete` that were running when a worker died, or that run in quarantine now."""
        return [pair for pair in self.incomplete if pair[1]]


@with_settings(*CONNECTION, "request_topic", "group_id")
def offsets(
    *,
    settings: Settings,
    group: Annotated[str | None, typer.Option(help="Consumer group; the same as --group-id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the partitions as one line of JSON.")] = False,
) -> None:
    """Show how far a group of workers is: committed offsets, lag, and records to do. Changes nothing."""
    name = group or settings.group_id
    standings = asyncio.run(_standings(settings, name))
    if as_json:
        print_json({"group": name, "topic": settings.request_topic, "partitions": [asdict(one) for one in standings]})
        return
    stdout().print(_table(standings))
    print_line(
        f"group {name}, topic {settings.request_topic}: {sum(one.to_do for one in standings):,} records to do, "
        f"lag {sum(one.lag for one in standings):,}"
    )
    for one in standings:
        if one.problem:
            remark(f"partition {one.partition}: {one.problem}", label="foreign")
    if all(one.state == "new" for one in standings):
        remark(f"the group {name} has committed nothing for {settings.request_topic}")


def stand(topic: str, partition: int, first: int, end: int, committed: Committed | None) -> GroupPosition:
    """Put together what the broker says of one partition; `first` and `end` are the bounds of its log."""
    if committed is None:
        return GroupPosition(partition, None, end, end - first, end - first, [], "new")
    offset = committed.offset
    lag = max(0, end - max(first, offset))
    if not committed.metadata:
        return GroupPosition(partition, offset, end, lag, lag, [], "none")
    try:
        found = decode_map(committed.metadata, topic, partition, offset)
    except UndecodableOffsetMap as error:
        return GroupPosition(partition, offset, end, lag, lag, [], "foreign", str(error))
    state: State = "open" if found.open else "closed"
    return GroupPosition(partition, offset, end, lag, _to_do(found, first, end), list(found.incomplete.items()), state)


def _to_do(found: OffsetMap, first: int, end: int) -> int:
    listed = sum(1 for offset in found.incomplete if first <= offset < end)
    return listed + max(0, end - max(first, found.end))


async def _standings(settings: Settings, group: str) -> list[GroupPosition]:
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.presence import topic_partitions  # noqa: PLC0415 - keeps --help fast

    topic = settings.request_topic
    partitions = await topic_partitions(settings, topic)
    async with patient_admin(settings) as admin:
        committed = await _committed(admin, group, topic, [tp.partition for tp in partitions])
    firsts, ends = await _bounds(settings, partitions)
    return [stand(topic, tp.partition, firsts[tp], ends[tp], committed[tp.partition]) for tp in sorted(ends)]


async def _committed(admin: PatientAdmin, group: str, topic: str, numbers: list[int]) -> Mapping[int, Committed | None]:
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - keeps --help fast

    from streamverify.bus.committed import committed_offsets  # noqa: PLC0415 - keeps --help fast

    try:
        return await admin.ask(lambda client: committed_offsets(client, group, topic, numbers))
    except KafkaError as error:
        # Errors that may pass were tried again already, so this one is a refusal.
        raise BrokerUnavailable(
            f"the broker does not show the offsets of the group {group}: this user may not describe it ({error!r})"
        ) from error


async def _bounds(
    settings: Settings, partitions: list[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    from streamverify.bus.reader import ResultReader  # noqa: PLC0415 - keeps --help fast

    async with ResultReader(settings, partitions) as reader:
        return await reader.beginnings(), await reader.ends()


def _table(standings: list[GroupPosition]) -> Table:
    table = Table(
        "partition", "committed", "end", "lag", "to do", "unfinished", "attempted", "map", box=None, pad_edge=False
    )
    for column in table.columns[:6]:
        column.justify = "right"
    for one in standings:
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
