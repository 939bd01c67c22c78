"""The group's commits as the admin client answers them: each refusal is a KafkaError that can be tried again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.committed import committed_offsets
from streamverify.core.delivery.commits import Committed

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

TOPIC = "lean.proofs"


async def read(answer: dict[TopicPartition, Any] | Exception, *partitions: int) -> Any:
    async def list_consumer_group_offsets(_group: str, *, partitions: list[TopicPartition]) -> Any:  # noqa: ARG001
        if isinstance(answer, Exception):
            raise answer
        return answer

    admin = SimpleNamespace(list_consumer_group_offsets=list_consumer_group_offsets)
    return await committed_offsets(cast("AIOKafkaAdminClient", admin), "group", TOPIC, partitions)


def point(offset: int, metadata: str | None = "") -> SimpleNamespace:
    return SimpleNamespace(offset=offset, metadata=metadata)


async def test_offset_minus_one_is_no_commit() -> None:
    answer = {TopicPartition(TOPIC, 0): point(7, "map"), TopicPartition(TOPIC, 1): point(-1, None)}
    assert await read(answer, 0, 1) == {0: Committed(7, "map"), 1: None}


async def test_a_partition_that_the_answer_leaves_out_is_an_error() -> None:
    with pytest.raises(KafkaError, match=r"left out the partitions \[1\]"):
        await read({TopicPartition(TOPIC, 0): point(7)}, 0, 1)


async def test_a_refused_partition_over_which_aiokafka_stumbles_is_a_kafka_error() -> None:
    with pytest.raises(KafkaError, match="names an error"):
        await read(AttributeError("'OffsetFetchResponse_v1' object has no attribute 'error_code'"), 0)
