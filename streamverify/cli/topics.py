"""`streamverify topics create` and `streamverify topics describe`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from streamverify.cli.checks import finite
from streamverify.cli.options import CONNECTION, with_settings
from streamverify.cli.output import print_json, print_line, remark, stdout
from streamverify.core.errors import BrokerUnavailable
from streamverify.settings import Settings  # noqa: TC001 - Typer reads the annotations

if TYPE_CHECKING:
    from streamverify.bus.topics import TopicPlan, TopicState

EXAMPLES = """\
Examples
  streamverify topics create --partitions 24 --replication-factor 3
  streamverify topics create --retention 30      keep for 30 days
  streamverify topics describe --json

There are four topics: proofs (kept by time), proofs for the router from
producers that do not choose the partition, verdicts (compacted, so that the
newest of each custom_id stays), and dead letters (records that cannot be
answered). More partitions allow more workers. A topic that exists is left as
it is."""

_TOPICS = (*CONNECTION, "request_topic", "ingest_topic", "result_topic", "dlq_topic")
_DAY_MS = 86_400_000
_SHOWN = ("cleanup.policy", "retention.ms", "min.compaction.lag.ms", "max.message.bytes")


@with_settings(*_TOPICS)
def create(
    *,
    settings: Settings,
    partitions: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of partitions of proofs and of verdicts.")
    ] = 12,
    replication: Annotated[
        int,
        typer.Option(
            "--replication-factor", min=1, max=1000, help="Copies of each partition; take 3 if you have 3 brokers."
        ),
    ] = 1,
    retention: Annotated[
        float, typer.Option(min=0.01, max=36_500.0, callback=finite, help="Days that records are kept.")
    ] = 14.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one line of JSON.")] = False,
) -> None:
    """Create the topics that do not exist yet, with settings that suit them. May be repeated."""
    from streamverify.bus.topics import plan_topics  # noqa: PLC0415 - keeps --help fast

    plans = plan_topics(settings, partitions=partitions, replication=replication, retention_ms=int(retention * _DAY_MS))
    made, states = asyncio.run(_create(settings, plans))
    if as_json:
        print_json({"created": made, "topics": [asdict(state) for state in states]})
    else:
        _say_created(plans, made, states)
    _warn(states)


@with_settings(*_TOPICS)
def describe(
    *,
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print the topics as one line of JSON.")] = False,
) -> None:
    """Show the topics, and warn of settings that may lose proofs. The exit code is 4 if a topic is missing."""
    states = asyncio.run(_describe(settings))
    if as_json:
        print_json([asdict(state) for state in states])
    else:
        stdout().print(_table(states))
    _warn(states)
    missing = [state.name for state in states if not state.exists]
    if missing:
        raise BrokerUnavailable(
            f"the broker at {settings.bootstrap_servers} has no topic {', '.join(missing)}: "
            "make it with `streamverify topics create`"
        )


async def _create(settings: Settings, plans: list[TopicPlan]) -> tuple[dict[str, bool], list[TopicState]]:
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.topics import create_topics, describe_topics  # noqa: PLC0415 - keeps --help fast

    async with patient_admin(settings) as admin:
        made = await create_topics(admin, plans)
        return made, await describe_topics(admin, [plan.name for plan in plans])


async def _describe(settings: Settings) -> list[TopicState]:
    from streamverify.bus.admin import patient_admin  # noqa: PLC0415 - keeps --help fast
    from streamverify.bus.topics import describe_topics, plan_topics  # noqa: PLC0415 - keeps --help fast

    async with patient_admin(settings) as admin:
        return await describe_topics(admin, [plan.name for plan in plan_topics(settings)])


def _say_created(plans: list[TopicPlan], made: dict[str, bool], states: list[TopicState]) -> None:
    there = {state.name: state for state in states}
    for plan in plans:
        if made[plan.name]:
            print_line(f"created {plan.name}: partitions {plan.partitions}, replication {plan.replication}")
            continue
        state = there[plan.name]
        print_line(
            f"kept    {plan.name}: it exists with partitions {state.partitions}, replication {state.replication}"
        )
        for difference in differences(plan, state):
            remark(f"{plan.name}: {difference}")


def differences(plan: TopicPlan, state: TopicState) -> list[str]:
    """List how an existing topic differs from what `create` would have made, and the tool that changes it."""
    found = []
    if state.partitions < plan.partitions:
        found.append(
            f"it has {state.partitions} partitions, {plan.partitions} were asked for (kafka-topics.sh --alter)"
        )
    if state.replication != plan.replication:
        found.append(f"its replication is {state.replication}, {plan.replication} was asked for")
    for name, wanted in plan.settings.items():
        actual = (state.settings or {}).get(name, wanted)
        if set(actual.split(",")) != set(wanted.split(",")):
            found.append(f"{name} is {actual}, not {wanted} (kafka-configs.sh --alter)")
    return found


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


def _warn(states: list[TopicState]) -> None:
    for state in states:
        for warning in state.warnings:
            remark(f"{state.name}: {warning}", label="warning")
