"""`streamverify topics create` and `streamverify topics describe`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from streamverify.cli.checks import finite
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import print_json, print_line, remark, stdout
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamverify.core.topic_plans import Difference, TopicPlan, TopicState

    Planner = Callable[..., list[TopicPlan]]

EXAMPLES = """\
Examples
  streamverify topics create --partitions 24 --replication-factor 3
  streamverify topics create --retention 30      keep for 30 days
  streamverify topics create --alter             correct the topics that exist
  streamverify topics create --alter --max-proof-bytes 9000000
  streamverify topics describe --json

There are seven topics: proofs (kept by time), proofs for the router from
producers that do not choose the partition, verdicts (compacted, so that the
newest of each custom_id stays), dead letters (records that cannot be
answered), the router's counts, the rows of the results table, and the
successes in groups of attempts. More partitions of proofs allow more workers.
No other command creates a topic: each says which topic it finds missing.

A topic that exists is left as it is, unless --alter is given. A setting that
may lose or delay proofs, or that differs from the options here, is reported.

Exit code 0: the topics are as they should be. 1 (create): one is not."""

_TOPICS = (
    *CONNECTION,
    "request_topic",
    "ingest_topic",
    "result_topic",
    "dlq_topic",
    "groups_topic",
    "group_id",
    "max_proof_bytes",
)
_DAY_MS = 86_400_000
_SHOWN = ("cleanup.policy", "retention.ms", "min.compaction.lag.ms", "max.message.bytes")
_DIFFERS = 1

_Partitions = Annotated[
    int | None, typer.Option(min=1, max=100_000, help="Number of partitions of proofs and of verdicts. Default: 12.")
]
_Replication = Annotated[
    int | None,
    typer.Option(
        "--replication-factor",
        min=1,
        max=1000,
        help="Copies of each partition. Default: 3, or as many as there are brokers.",
    ),
]
_Retention = Annotated[
    float | None,
    typer.Option(min=0.01, max=36_500.0, callback=finite, help="Days that records are kept. Default: 14."),
]


@dataclass(frozen=True, slots=True)
class CreateReport:
    """The outcome of `topics create`: the topics that it has made or changed, and all as they are now."""

    plans: Sequence[TopicPlan]
    created: dict[str, bool]
    """For each topic, whether it was made now."""
    states: Sequence[TopicState]
    """As the topics are now."""
    altered: dict[str, list[Difference]] = field(default_factory=dict)
    """For each topic that was altered, what was not as planned before."""
    left: dict[str, list[Difference]] = field(default_factory=dict)
    """For each topic that is not as planned, what is not."""


@with_settings(*_TOPICS)
def create(  # noqa: PLR0913 - each is a flag
    *,
    settings: Settings,
    partitions: _Partitions = None,
    replication: _Replication = None,
    retention: _Retention = None,
    alter: Annotated[
        bool, typer.Option("--alter", help="Change topics that exist, where they are not as they should be.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Create the topics that do not exist yet, with settings that suit them. May be repeated."""
    report = asyncio.run(_create(settings, _planner(settings, partitions, replication, retention), alter=alter))
    if as_json:
        differences = {name: [asdict(one) for one in left] for name, left in report.left.items()}
        altered = {name: [asdict(one) for one in found] for name, found in report.altered.items()}
        topics = [asdict(state) for state in report.states]
        print_json({"created": report.created, "altered": altered, "differences": differences, "topics": topics})
    else:
        _say_created(report)
    _warn(report.states)
    if report.left:
        changeable = any(not difference.remedy for left in report.left.values() for difference in left)
        if changeable and not alter:
            remark("`streamverify topics create --alter`, with the same options, changes that", label="hint")
        raise typer.Exit(_DIFFERS)


@with_settings(*_TOPICS)
def describe(
    *,
    settings: Settings,
    partitions: _Partitions = None,
    replication: _Replication = None,
    retention: _Retention = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the topics as one line of JSON.")] = False,
) -> None:
    """Show the topics, and warn of settings that may lose or delay proofs. The exit code is 4 if a topic is missing.

    Give it the options that you gave to `topics create`: the topics are compared with them.
    """
    from streamverify.bus.presence import absent  # noqa: PLC0415 - keeps --help fast

    states = asyncio.run(_describe(settings, _planner(settings, partitions, replication, retention)))
    if as_json:
        print_json([asdict(state) for state in states])
    else:
        stdout().print(_table(states))
    _warn(states)
    missing = [state.name for state in states if not state.exists and not state.warnings]
    hidden = [state.name for state in states if not state.exists and state.warnings]
    if missing or hidden:
        raise absent(missing, hidden, settings.bootstrap_servers)


def _planner(settings: Settings, partitions: int | None, replication: int | None, retention: float | None) -> Planner:
    """Plan the topics as the options say, once the number of brokers is known."""
    from streamverify.bus.topics import plan_topics  # noqa: PLC0415 - keeps --help fast

    retention_ms = None if retention is None else int(retention * _DAY_MS)
    return partial(plan_topics, settings, partitions=partitions, replication=replication, retention_ms=retention_ms)


async def _create(settings: Settings, planner: Planner, *, alter: bool) -> CreateReport:
    """Make what is missing, and alter what exists if that is wanted."""
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.topics import (  # noqa: PLC0415 - keeps --help fast
        alter_topic,
        count_brokers,
        create_topics,
        describe_topics,
        settled_topics,
    )
    from streamverify.core.topic_plans import aligned, differences  # noqa: PLC0415 - keeps --help fast

    async with patient_admin(settings) as admin:
        plans = planner(brokers=await count_brokers(admin))
        names = [plan.name for plan in plans]
        before = {state.name: state for state in await describe_topics(admin, names)}
        # The router's counts and the table's rows have to have as many partitions as the topic that they follow.
        plans = aligned(plans, before, alter=alter)
        created = await create_topics(admin, plans)
        altered = {}
        for plan in plans:
            if alter and not created[plan.name] and (found := differences(plan, before[plan.name])):
                altered[plan.name] = await alter_topic(admin, plan, found)
        # A broker may show the old state for a moment after a change, which would be reported as a difference.
        states = await settled_topics(admin, plans, altered.keys() | {name for name, made in created.items() if made})
    left = {plan.name: differences(plan, state) for plan, state in zip(plans, states, strict=True) if state.exists}
    return CreateReport(
        plans,
        created,
        states,
        {name: changed for name, changed in altered.items() if changed},
        {name: found for name, found in left.items() if found},
    )


async def _describe(settings: Settings, planner: Planner) -> list[TopicState]:
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.topics import count_brokers, inspect_topics  # noqa: PLC0415 - keeps --help fast

    async with patient_admin(settings) as admin:
        return await inspect_topics(admin, planner(brokers=await count_brokers(admin)))


def _say_created(report: CreateReport) -> None:
    for plan, state in zip(report.plans, report.states, strict=True):
        what = "created" if report.created[plan.name] else "altered" if plan.name in report.altered else "kept   "
        print_line(f"{what} {plan.name}: partitions {state.partitions}, replication {state.replication}")
        for difference in report.altered.get(plan.name, ()):
            print_line(f"        {difference.what}: {difference.actual} -> {difference.wanted}")
    for name, left in report.left.items():
        for difference in left:
            remark(f"{name}: {difference}", label="differs")


def _table(states: list[TopicState]) -> Table:
    table = Table("topic", "partitions", "replication", *_SHOWN, box=None, pad_edge=False)
    for state in states:
        if not state.exists:
            table.add_row(escape(state.name), "[red]missing[/]")
            continue
        values = [_value(name, (state.settings or {}).get(name)) for name in _SHOWN]
        table.add_row(escape(state.name), str(state.partitions), str(state.replication), *values)
    return table


def _value(name: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if name.endswith(".ms") and str(value).isdigit():
        return f"{int(value) / _DAY_MS:g} days"
    return escape(str(value))


def _warn(states: Sequence[TopicState]) -> None:
    for state in states:
        for warning in state.warnings:
            remark(f"{state.name}: {warning}", label="warning")
