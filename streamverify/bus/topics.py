"""The topics: the table of them, and how they are made, described and altered.

What a difference does to proofs is decided in `core.topic_plans`; which topics are there, in `presence`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streamverify.bus.connection import BROKER_TIMEOUT
from streamverify.bus.presence import find_topics
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.topic_plans import (
    DAY_MS,
    KAFKA_MAX_MESSAGE_BYTES,
    SHORT_RETENTION_MS,
    Purpose,
    TopicPlan,
    TopicState,
    aligned,
    dead_letter_record_bytes,
    differences,
    in_sync,
    request_record_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.admin import PatientAdmin
    from streamverify.core.topic_plans import Difference
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

FALLBACK_MAX_MESSAGE_BYTES = 1_000_000
"""Taken where a broker does not tell its topics' settings, as the embedded one."""
_DYNAMIC_TOPIC_CONFIG = 1
"""The mark by which a broker names a setting that the topic has of its own, neither the broker's nor Kafka's
default."""
_COPIES = 3
_POLL = 0.1


def router_group(settings: Settings) -> str:
    """Name the consumer group of the router; the name of its changelog begins with it, too."""
    return f"{settings.group_id}-router"


def changelog_topic(settings: Settings) -> str:
    """Name the topic with the router's counts. Faust puts the name together so, from its table's name."""
    return f"{router_group(settings)}-headers-changelog"


def table_group(settings: Settings) -> str:
    """Name the consumer group of the results table; the name of its changelog begins with it, too."""
    return f"{settings.group_id}-table"


def table_changelog_topic(settings: Settings) -> str:
    """Name the topic with the rows of the results table. Faust puts the name together so, from its table's name."""
    return f"{table_group(settings)}-results-changelog"


def plan_topics(
    settings: Settings,
    *,
    partitions: int | None = None,
    replication: int | None = None,
    retention_ms: int | None = None,
    brokers: int = 1,
) -> list[TopicPlan]:
    """Plan all topics, in the order in which they are made and shown. This is the one table of them.

    Requests, those for the router too, are kept by time. Results are compacted, so that the newest verdict of each
    custom_id stays for as long as `retention_ms`; the lag leaves followers days to see each one.

    Args:
        settings: The names of the topics, and how large a proof may be.
        partitions: Partitions of proofs and of verdicts; None: 12.
        replication: Copies of each partition; None: 3, or as many as there are brokers.
        retention_ms: Milliseconds that records are kept; None: 14 days.
        brokers: The number of brokers.
    """
    named = {"partitions": partitions, "replication": replication, "retention.ms": retention_ms}
    asked = frozenset(name for name, value in named.items() if value is not None)
    count, copies = partitions or 12, replication or min(_COPIES, brokers)
    kept = 14 * DAY_MS if retention_ms is None else retention_ms
    safe = {"min.insync.replicas": str(in_sync(copies))} if copies >= _COPIES else {}
    by_time = safe | {"cleanup.policy": "delete", "retention.ms": str(kept), "retention.bytes": "-1"}
    requests = by_time | {"max.message.bytes": str(request_record_bytes(settings.max_proof_bytes))}
    results = by_time | {
        "cleanup.policy": "compact,delete",
        "min.compaction.lag.ms": str(min(SHORT_RETENTION_MS, kept)),
        "max.message.bytes": str(KAFKA_MAX_MESSAGE_BYTES),
    }
    letters = by_time | {"max.message.bytes": str(dead_letter_record_bytes(settings.max_proof_bytes))}
    # Longer than any GROUP_TTL.
    announcements = safe | {"cleanup.policy": "compact,delete", "retention.ms": str(8 * DAY_MS)}
    state = safe | {"cleanup.policy": "compact"}
    # A row is of use as long as its result is there; without a retention the changelog would grow for ever.
    rows = by_time | {"cleanup.policy": "compact,delete"}
    rows_changelog = table_changelog_topic(settings)
    # One partition is enough for what is rare, whatever was asked for.
    of_letters, of_others = asked - {"partitions"}, asked - {"partitions", "retention.ms"}
    ingest = settings.ingest_topic
    return [
        TopicPlan(settings.request_topic, Purpose.REQUESTS, count, copies, requests, asked=asked),
        TopicPlan(ingest, Purpose.REQUESTS, count, copies, requests, asked=asked),
        TopicPlan(settings.result_topic, Purpose.RESULTS, count, copies, results, asked=asked),
        TopicPlan(settings.dlq_topic, Purpose.DEAD_LETTERS, 1, copies, letters, asked=of_letters),
        TopicPlan(changelog_topic(settings), Purpose.STATE, count, copies, state, like=ingest, asked=of_others),
        TopicPlan(
            rows_changelog, Purpose.ROWS, count, copies, rows, like=settings.result_topic, asked=asked - {"partitions"}
        ),
        TopicPlan(settings.groups_topic, Purpose.ANNOUNCEMENTS, 1, copies, announcements, asked=of_others),
    ]


async def create_topics(admin: PatientAdmin, plans: Sequence[TopicPlan]) -> dict[str, bool]:
    """Make the topics that are not there. Nothing else of ours makes a topic.

    Returns:
        By topic whether it was made now.

    Raises:
        BrokerUnavailable: The broker refused to make one (the message says why), or cannot make any.
    """
    made = {}
    for plan in plans:
        topic = NewTopic(plan.name, plan.partitions, plan.replication, topic_configs=dict(plan.settings))
        try:
            # All of the time for one try: a controller that makes a topic of many partitions takes its time.
            made[plan.name] = await admin.ask(partial(_create, topic), try_seconds=BROKER_TIMEOUT)
        except KafkaError as error:
            raise BrokerUnavailable(f"the broker does not make the topic {plan.name}: {error!r}") from error
        except AttributeError as error:
            # aiokafka's way of saying that the cluster names no controller.
            raise BrokerUnavailable(
                "this broker cannot be asked to make topics (the embedded one makes them on first use)"
            ) from error
    return made


async def _create(topic: NewTopic, admin: AIOKafkaAdminClient) -> bool:
    answer: Any = await admin.create_topics([topic])
    for _name, code, *rest in answer.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return False
        if code:
            raise error(*rest)
    return True


async def alter_topic(admin: PatientAdmin, plan: TopicPlan, found: Sequence[Difference]) -> list[Difference]:
    """Make a topic as it was planned, as far as that can be done. Returns the differences that were taken away.

    Raises:
        BrokerUnavailable: The broker refused.
    """
    changeable = [difference for difference in found if not difference.remedy]
    settings = {difference.what: difference.wanted for difference in changeable}
    more_partitions = settings.pop("partitions", None)
    try:
        if more_partitions is not None:
            # Never fewer: `differences` gives those a remedy, as Kafka takes no partition away.
            await admin.create_partitions({plan.name: NewPartitions(total_count=plan.partitions)})
        if settings:
            await admin.ask(partial(_alter, plan.name, settings))
    except KafkaError as error:
        raise BrokerUnavailable(f"the broker does not alter the topic {plan.name}: {error!r}") from error
    return changeable


async def _alter(name: str, changes: Mapping[str, str], admin: AIOKafkaAdminClient) -> None:
    # The request replaces all that a topic has of its own: what is not named again goes back to its default.
    own = {entry[0]: entry[1] for entry in await _config_entries(name, admin) if entry[3] == _DYNAMIC_TOPIC_CONFIG}
    answers: list[Any] = await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, own | dict(changes))]
    )
    for answer in answers:
        for code, message, _kind, _name in answer.resources:
            if code:
                raise for_code(code)(message or name)


async def describe_topics(admin: PatientAdmin, names: Sequence[str]) -> list[TopicState]:
    """Ask the broker what each topic is like."""
    found = await find_topics(admin, names)
    states = []
    for name in names:
        partitions = found.partitions.get(name)
        if partitions is None:
            hidden = ("this user may not see it, and Kafka does not say whether it exists",)
            states.append(TopicState(name, exists=False, warnings=hidden if name in found.hidden else ()))
            continue
        replication = min((len(partition["replicas"]) for partition in partitions), default=0)
        settings = await topic_settings(admin, name)
        states.append(
            TopicState(name, exists=True, partitions=len(partitions), replication=replication, settings=settings)
        )
    return states


async def settled_topics(admin: PatientAdmin, plans: Sequence[TopicPlan], changed: set[str]) -> list[TopicState]:
    """Describe the topics once the brokers have heard of those that were made or altered (`changed`).

    A broker answers for a moment as if nothing had happened; what is not to be seen after some seconds did not happen.
    """
    give_up = asyncio.get_running_loop().time() + BROKER_TIMEOUT
    while True:
        states = await describe_topics(admin, [plan.name for plan in plans])
        pending = [
            state.name
            for plan, state in zip(plans, states, strict=True)
            if plan.name in changed
            and (not state.exists or any(not difference.remedy for difference in differences(plan, state)))
        ]
        if not pending or asyncio.get_running_loop().time() > give_up:
            return states
        await asyncio.sleep(_POLL)


async def inspect_topics(admin: PatientAdmin, plans: Sequence[TopicPlan]) -> list[TopicState]:
    """Describe the topics of some plans; whatever in them loses or delays proofs is in their `warnings`."""
    states = {state.name: state for state in await describe_topics(admin, [plan.name for plan in plans])}
    judged = []
    for plan in aligned(plans, states, alter=False):
        state = states[plan.name]
        found = differences(plan, state) if state.exists else []
        judged.append(replace(state, warnings=(*state.warnings, *map(str, found))))
    return judged


async def count_brokers(admin: PatientAdmin) -> int:
    """Count the brokers that the cluster names."""
    return len((await admin.describe_cluster())["brokers"])


async def topic_settings(admin: PatientAdmin, name: str) -> dict[str, str] | None:
    """Ask for the settings of a topic; None if the broker does not tell (the embedded one, or no permission)."""
    try:
        entries = await admin.ask(partial(_config_entries, name))
    except KafkaError:
        # Refused for good. A broker that is not ready is asked again instead: to take it for one that does not tell
        # would cut every result to the fallback.
        return None
    return {entry[0]: entry[1] for entry in entries} if entries else None


async def _config_entries(name: str, admin: AIOKafkaAdminClient) -> list[Any]:
    """Ask for all settings of a topic: of each its name, its value, whether it is read-only, and where it is set."""
    answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    for answer in answers:
        for code, message, _kind, _name, entries in answer.resources:
            if code:
                raise for_code(code)(message or name)
            return list(entries)
    return []


async def max_message_bytes(admin: PatientAdmin, topic: str) -> int:
    """Ask for the largest record batch that the topic takes. Returns a usual value if the broker does not tell."""
    settings = await topic_settings(admin, topic)
    if settings is None:
        _log.info("topic_settings_unknown", topic=topic, max_message_bytes=FALLBACK_MAX_MESSAGE_BYTES)
        return FALLBACK_MAX_MESSAGE_BYTES
    return int(settings["max.message.bytes"])
