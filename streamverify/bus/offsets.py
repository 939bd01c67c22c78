"""Where a group's partitions were committed, read through the admin client.

The consumer's own `committed()` drops the metadata of a commit, which the offset map will need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

_NONE = -1
"""What a broker answers for a partition that has no commit."""


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, topic: str, partitions: Iterable[int]
) -> Mapping[int, int | None]:
    """The committed offset of each partition, None where there is none.

    Raises:
        aiokafka.errors.KafkaError: The broker refused, or its answer left a partition out.
    """
    wanted = [TopicPartition(topic, partition) for partition in partitions]
    answer = await admin.list_consumer_group_offsets(group, partitions=wanted) if wanted else {}
    return {tp.partition: None if answer[tp].offset == _NONE else int(answer[tp].offset) for tp in wanted}
