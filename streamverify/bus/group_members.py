"""Tells whether a worker reads the request topic now, for whoever is about to wait for one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.group_description import described_group
from streamverify.bus.presence import topic_partitions
from streamverify.core.delivery.offset_map import decode_map
from streamverify.core.errors import StreamVerifyError, UndecodableOffsetMap

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.core.delivery.commits import Committed
    from streamverify.settings import Settings

_LIMIT = 20.0
"""Seconds for the whole question: whoever asks has better things to do."""

_log = structlog.get_logger(__name__)


async def has_member(settings: Settings) -> bool | None:
    """Tell whether the group has a member.

    Returns:
        None where that is not known: this user may not describe the group, or no broker answers.
    """
    try:
        return await asyncio.wait_for(_has_member(settings), _LIMIT)
    except (KafkaError, StreamVerifyError, OSError, TimeoutError) as error:
        _log.debug("group_not_described", group=settings.group_id, error=repr(error))
        return None


async def _has_member(settings: Settings) -> bool | None:
    async def describe(client: AIOKafkaAdminClient) -> bool:
        [answer] = await client.describe_consumer_groups([settings.group_id])
        # Its error that the coordinator is still loading is raised, so the admin client asks again.
        return bool(described_group(answer.to_object())["members"])

    # Patiently: in a cluster without groups the first question only makes the topic that their coordinators need.
    async with patient_admin(settings) as admin:
        try:
            return await admin.ask(describe)
        except IncompatibleBrokerVersion:
            # The embedded broker cannot describe a group. Its commits say that a worker owns a partition.
            return await admin.ask(partial(_has_owner, settings))


async def _has_owner(settings: Settings, admin: AIOKafkaAdminClient) -> bool:
    topic = settings.request_topic
    numbers = [tp.partition for tp in await topic_partitions(settings, topic)]
    try:
        committed = await committed_offsets(admin, settings.group_id, topic, numbers)
    except KafkaError:
        # It knows no such group: no worker has ever committed.
        return False
    return any(_is_open(topic, number, found) for number, found in committed.items() if found is not None)


def _is_open(topic: str, partition: int, committed: Committed) -> bool:
    """Tell whether the map in a commit says that a worker owns the partition, or crashed while it did."""
    try:
        return decode_map(committed.metadata, topic, partition, committed.offset).open
    except UndecodableOffsetMap:
        return False
