"""The topics: made with settings that suit them, described, checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streamverify.bus.admin import patient_admin
from streamverify.bus.connection import PATIENCE
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.admin import PatientAdmin
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)

FALLBACK_MAX_MESSAGE_BYTES = 1_000_000
"""Taken where a broker does not tell its topics' settings, as the embedded one."""
DAY_MS = 24 * 60 * 60 * 1000
SHORT_RETENTION_MS = 3 * DAY_MS
"""A backlog may well live this long; what is kept for less may be lost before it is read."""
_METADATA_TIMEOUT = 5.0
_METADATA_POLL = 0.1


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What `create_topics` makes: partitions, and the settings that are not the broker's defaults."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it; `settings` is None where the broker does not tell."""

    name: str
    exists: bool
    partitions: int = 0
    replication: int = 0
    settings: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = field(default=())


def plan_topics(
    settings: Settings, *, partitions: int = 12, replication: int = 1, retention_ms: int = 14 * DAY_MS
) -> list[TopicPlan]:
    """The four topics.

    Requests, those for the router too, are kept by time. Results are compacted, so that the newest verdict of each
    custom_id stays for as long as `retention_ms`; the lag leaves followers days to see each one. Dead letters hold a
    request and what is said of it, so they may be larger than a request.
    """
    time = {"retention.ms": str(retention_ms)}
    results = {
        "cleanup.policy": "compact,delete",
        "min.compaction.lag.ms": str(min(3 * DAY_MS, retention_ms)),
    }
    return [
        TopicPlan(settings.request_topic, partitions, replication, time),
        TopicPlan(settings.ingest_topic, partitions, replication, time),
        TopicPlan(settings.result_topic, partitions, replication, time | results),
        TopicPlan(settings.dlq_topic, 1, replication, time | {"max.message.bytes": str(2 * 1024 * 1024)}),
    ]


async def create_topics(admin: PatientAdmin, plans: list[TopicPlan]) -> dict[str, bool]:
    """Make the topics that are not there; whether each was made now.

    Raises:
        BrokerUnavailable: The broker refused to make one (the message says why), or cannot make any.
    """
    made = {}
    for plan in plans:
        topic = NewTopic(plan.name, plan.partitions, plan.replication, topic_configs=dict(plan.settings))
        try:
            made[plan.name] = await admin.ask(partial(_create, topic), try_seconds=PATIENCE)
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


async def describe_topics(admin: PatientAdmin, names: list[str]) -> list[TopicState]:
    """Each topic as it is, with what is wrong with it in `warnings`."""
    existing = set(await admin.list_topics())
    described = await admin.ask(partial(_describe, [name for name in names if name in existing]))
    return [
        await _state(admin, name, described[name]) if name in described else TopicState(name, exists=False)
        for name in names
    ]


async def _describe(names: list[str], admin: AIOKafkaAdminClient) -> dict[str, Any]:
    """The metadata of topics by their name.

    Raises:
        KafkaError: A broker knows one, but not yet its partitions and leaders.
    """
    described = {topic["topic"]: topic for topic in await admin.describe_topics(names)} if names else {}
    for name, topic in described.items():
        if topic["error_code"]:
            raise for_code(topic["error_code"])(name)
    return described


async def _state(admin: PatientAdmin, name: str, described: Mapping[str, Any]) -> TopicState:
    partitions = described["partitions"]
    settings = await topic_settings(admin, name)
    return TopicState(
        name,
        exists=True,
        partitions=len(partitions),
        replication=min((len(partition["replicas"]) for partition in partitions), default=0),
        settings=settings,
        warnings=tuple(_warnings(settings or {})),
    )


def _warnings(settings: Mapping[str, str]) -> list[str]:
    warnings = []
    retention = int(settings.get("retention.ms", -1))
    if "delete" in settings.get("cleanup.policy", "delete") and 0 <= retention < SHORT_RETENTION_MS:
        warnings.append(
            f"retention.ms={retention} keeps records for {retention / DAY_MS:.1f} days: "
            "a backlog that lives longer is lost unread"
        )
    return warnings


async def topic_settings(admin: PatientAdmin, name: str) -> dict[str, str] | None:
    """The settings of a topic, None where the broker does not tell (the embedded one, or no permission)."""
    try:
        return await admin.ask(partial(_topic_settings, name))
    except KafkaError:
        # Refused for good. A broker that is not ready is asked again instead: to take it for one that does not tell
        # would cut every result to the fallback.
        return None


async def _topic_settings(name: str, admin: AIOKafkaAdminClient) -> dict[str, str] | None:
    answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    for answer in answers:
        for code, message, _kind, _name, entries in answer.resources:
            if code:
                raise for_code(code)(message or name)
            return {entry[0]: entry[1] for entry in entries}
    return None


async def max_message_bytes(admin: PatientAdmin, topic: str) -> int:
    """The largest record batch that the topic takes; a usual value where the broker does not tell."""
    settings = await topic_settings(admin, topic)
    if settings is None:
        _log.info("topic_settings_unknown", topic=topic, max_message_bytes=FALLBACK_MAX_MESSAGE_BYTES)
        return FALLBACK_MAX_MESSAGE_BYTES
    return int(settings["max.message.bytes"])


async def topic_partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    """The partitions of a topic, in their order; asking for one that is not there makes it at the embedded broker only.

    Needs no more than to describe the topic: a producer would ask for the right to write.

    Raises:
        BrokerUnavailable: No broker, or it shows us no such topic.
    """
    async with patient_admin(settings) as admin:
        give_up = asyncio.get_running_loop().time() + _METADATA_TIMEOUT
        # To ask a real broker for a topic may make it, with the broker's defaults and whatever its name.
        ask = topic in await admin.list_topics() or not await _has_controller(admin)
        while not (ask and (numbers := await _described(admin, topic))):
            if not ask or asyncio.get_running_loop().time() > give_up:
                raise BrokerUnavailable(
                    f"the broker at {settings.bootstrap_servers} has no topic {topic}, or does not let this user see "
                    "it: make it with `streamverify topics create`"
                )
            await asyncio.sleep(_METADATA_POLL)
    return [TopicPartition(topic, number) for number in numbers]


async def _described(admin: PatientAdmin, topic: str) -> list[int]:
    [described] = await admin.describe_topics([topic])
    return sorted(int(partition["partition"]) for partition in described["partitions"])


async def require_topics(admin: PatientAdmin, settings: Settings, names: list[str]) -> None:
    """See that these topics are there.

    The embedded broker makes a topic when it is named. A real one may do so too, but with its defaults: without
    compaction, and too small for dead letters. So there a missing topic is an error, and is not named.

    Raises:
        BrokerUnavailable: A topic is missing.
    """
    missing = set(names) - set(await admin.list_topics())
    if missing and await _has_controller(admin):
        raise _missing(missing, settings)
    give_up = asyncio.get_running_loop().time() + _METADATA_TIMEOUT
    while missing and asyncio.get_running_loop().time() < give_up:
        await admin.describe_topics(sorted(missing))
        await asyncio.sleep(_METADATA_POLL)
        missing -= set(await admin.list_topics())
    if missing:
        raise _missing(missing, settings)


async def _has_controller(admin: PatientAdmin) -> bool:
    """Tell whether one of the brokers is the controller, which makes topics; the embedded one is not."""
    cluster = await admin.describe_cluster()
    return any(broker["node_id"] == cluster["controller_id"] for broker in cluster["brokers"])


def _missing(topics: set[str], settings: Settings) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"missing at {settings.bootstrap_servers}: {', '.join(sorted(topics))}; "
        "make the topics with `streamverify topics create`"
    )
