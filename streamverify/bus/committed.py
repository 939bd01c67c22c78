"""Reads the committed offsets of a group, with their metadata, through the admin client.

The consumer's own `committed()` drops the metadata of a commit, which has the offset map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.core.delivery.commits import Committed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

_NONE = -1
"""The offset that a broker answers for a partition without a commit."""


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, topic: str, partitions: Iterable[int]
) -> Mapping[int, Committed | None]:
    """Read the group's commit of each partition: offset and metadata, None for a partition without a commit.

    Raises:
        aiokafka.errors.KafkaError: The broker refused, or its answer left a partition out.
    """
    # Asked for by name: without partitions the answer would leave out those that have no commit.
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    try:
        answer = await admin.list_consumer_group_offsets(group, partitions=wanted) if wanted else {}
    except AttributeError as error:
        # aiokafka trips over an attribute that the error a broker names for a partition does not have.
        raise KafkaError(f"the group's coordinator names an error for a partition ({error})") from error
    if missing := [tp.partition for tp in wanted if tp not in answer]:
        # aiokafka does not look at the error that the coordinator gives for the whole group.
        raise KafkaError(
            f"the group's coordinator left out the partitions {missing} (it loads, moved, or may not tell)"
        )
    return {
        tp.partition: None
        if answer[tp].offset == _NONE
        else Committed(int(answer[tp].offset), answer[tp].metadata or "")
        for tp in wanted
    }
