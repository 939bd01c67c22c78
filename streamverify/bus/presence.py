"""Finds out which topics are there. Whatever needs a topic asks here first: no topic is made by being named.

The embedded broker is the exception: its topics cannot be created, so there `require_topics` has them made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

from streamverify.bus.admin import patient_admin
from streamverify.bus.metadata import make_by_asking
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.admin import PatientAdmin
    from streamverify.settings import Settings


@dataclass(frozen=True, slots=True)
class FoundTopics:
    """The answer of the broker about some topics."""

    partitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By topic, in the order of their numbers: what the metadata has of each partition."""
    missing: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Topics that this user may not describe: Kafka does not tell such a user whether they exist."""


async def find_topics(admin: PatientAdmin, names: Sequence[str]) -> FoundTopics:
    """Look topics up by their names.

    Raises:
        KafkaError: Kafka takes no topic of such a name.
        BrokerUnavailable: No broker answers.
    """
    return await admin.ask(partial(_find, names)) if names else FoundTopics()


async def _find(names: Sequence[str], admin: AIOKafkaAdminClient) -> FoundTopics:
    found = FoundTopics()
    for topic in await admin.describe_topics(list(names)):
        name, error = topic["topic"], for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            found.missing.append(name)
        elif error is TopicAuthorizationFailedError:
            found.hidden.append(name)
        elif topic["error_code"]:
            # Such as a leader that is still being elected: whoever asks patiently asks again.
            raise error(name)
        else:
            found.partitions[name] = sorted(topic["partitions"], key=lambda partition: partition["partition"])
    return found


async def require_topics(
    admin: PatientAdmin, settings: Settings, names: Sequence[str]
) -> dict[str, list[TopicPartition]]:
    """Return the partitions of topics that have to be there, in the order of their numbers.

    Raises:
        BrokerUnavailable: One is missing, or this user may not see it.
    """
    found = await find_topics(admin, names)
    if found.missing and not await _has_controller(admin):
        await admin.ask(partial(make_by_asking, topics=found.missing))
        found = await find_topics(admin, names)
    if found.missing or found.hidden:
        raise absent(found.missing, found.hidden, settings.bootstrap_servers)
    return {
        name: [TopicPartition(name, partition["partition"]) for partition in found.partitions[name]] for name in names
    }


async def topic_partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    """Return the partitions of one topic, in the order of their numbers. Needs no more than the right to describe it.

    Raises:
        BrokerUnavailable: No broker, no such topic, or this user may not see it.
    """
    async with patient_admin(settings) as admin:
        return (await require_topics(admin, settings, [topic]))[topic]


async def _has_controller(admin: PatientAdmin) -> bool:
    """Tell whether one of the brokers is the controller, which makes topics; the embedded one is not."""
    cluster = await admin.describe_cluster()
    return any(broker["node_id"] == cluster["controller_id"] for broker in cluster["brokers"])


def absent(missing: Sequence[str], hidden: Sequence[str], servers: str) -> BrokerUnavailable:
    """Make the error for topics that are not there, or not for this user."""
    said = []
    if missing:
        said.append(f"no topic {', '.join(missing)} on {servers}: streamverify topics create")
    if hidden:
        said.append(f"the broker at {servers} does not let this user see the topic {', '.join(hidden)}")
    return BrokerUnavailable("\n".join(said))
