"""Asks the broker how far a group of workers is with the request topic. Joins no group and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.core.delivery.group_position import GroupPosition, group_position
from streamverify.core.errors import BrokerUnavailable

if TYPE_CHECKING:
    from streamverify.settings import Settings


async def group_positions(settings: Settings, group: str) -> list[GroupPosition]:
    """Ask how far the group is with each partition of the request topic, in the order of the partitions.

    Raises:
        BrokerUnavailable: No broker, no topic, or this user may not describe the group.
    """
    topic = settings.request_topic
    partitions = await topic_partitions(settings, topic)
    async with patient_admin(settings) as admin:
        try:
            numbers = [tp.partition for tp in partitions]
            committed = await admin.ask(lambda client: committed_offsets(client, group, topic, numbers))
        except KafkaError as error:
            # Errors that may pass were tried again already, so this one is a refusal.
            raise BrokerUnavailable(
                f"the broker does not show the offsets of the group {group}: this user may not describe it ({error!r})"
            ) from error
    async with TopicReader(settings, partitions) as reader:
        firsts, ends = await reader.beginnings(), await reader.ends()
    return [group_position(topic, tp.partition, firsts[tp], ends[tp], committed[tp.partition]) for tp in sorted(ends)]


async def records_to_do(settings: Settings) -> int:
    """Count the records of the request topic that the group has not answered; raises what `group_positions` does."""
    return sum(position.to_do for position in await group_positions(settings, settings.group_id))
