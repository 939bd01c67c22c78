"""`streamverify workers`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from streamverify.cli.addresses import Urls, addresses
from streamverify.cli.grid import Cell, GridColumn, grid
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import MEMBER_STYLES, plural, print_json, print_line, remark, stdout
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.core.overview.model import Member, Workers

EXAMPLES = """\
Examples
  streamverify workers                      of the group of --group-id
  streamverify workers --json | jq .mixed_versions

It warns of versions in which workers differ: a verdict then depends on which
of them gets the record. Members of older versions of streamverify, and
other programs in the group, are listed as such (docs/top.md)."""

_COLUMNS = (
    GridColumn("WORKER", least=12),
    GridColumn("STATE"),
    GridColumn("PARTITIONS", least=8),
    GridColumn("VERSION"),
    GridColumn("LEAN", least=8),
    GridColumn("REPL", least=6, drop=2),
    GridColumn("MATHLIB", least=6, drop=3),
    GridColumn("POLICY", drop=1),
    GridColumn("ADDRESS", least=16),
)


@with_settings(*CONNECTION, "request_topic", "group_id")
def workers(
    *,
    settings: Settings,
    url: Urls = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the members as one line of JSON.")] = False,
) -> None:
    """List the members of a group: what they are, their versions and partitions. Changes nothing."""
    found = asyncio.run(_find(settings, addresses(url)))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found)
    _warn(found)


async def _find(settings: Settings, urls: list[str]) -> Workers:
    from streamverify.overview.watch import Watch  # noqa: PLC0415 - keeps --help fast

    async with Watch(settings, urls) as watch:
        return await watch.members()


def _print(found: Workers) -> None:
    console = stdout()
    if found.workers:
        for line in grid(_COLUMNS, [_row(member) for member in found.workers], console.width):
            console.print(line, soft_wrap=True)
    state = "" if found.group_state is None else f", {found.group_state}"
    print_line(f"group {found.group}, topic {found.topic}: {plural(len(found.workers), 'member')}{state}")


def _row(member: Member) -> list[Cell | str]:
    from streamverify.core.overview.readiness import shortened  # noqa: PLC0415 - keeps --help fast
    from streamverify.core.overview.versions import verifier_words  # noqa: PLC0415

    said = member.versions
    return [
        member.name,
        Cell(member.state.replace("_", " "), MEMBER_STYLES.get(member.state, "yellow")),
        shortened(member.partitions, 4) or "-",
        said.streamverify or ("older" if member.state == "older" else "-"),
        verifier_words(said) or "-",
        said.repl or "-",
        said.mathlib or "-",
        said.policy or "-",
        member.url or member.host or "-",
    ]


def _warn(found: Workers) -> None:
    """Say on stderr what is wrong with the group, and with whom of its members."""
    from streamverify.core.overview.readiness import shortened  # noqa: PLC0415 - keeps --help fast
    from streamverify.core.overview.versions import worded  # noqa: PLC0415

    for problem in found.problems:
        remark(problem)
    for member in found.workers:
        if member.problem:
            remark(f"{member.name}: {member.problem}")
    if found.unassigned:
        remark(f"no member has the partitions {shortened(found.unassigned)} of {found.topic}", label="warning")
    for mixed in found.mixed_versions:
        remark(f"{worded(mixed)}; a verdict depends on which worker gets the record", label="warning")
