"""Deletes records of the topics: results by their id, with tombstones; requests and dead letters by their age."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.presence import require_topics, topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.bus.topics import router_group, topic_settings
from streamverify.client.producer import open_producer
from streamverify.client.result_topic import decode
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.groups.scope import gateway_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka.admin import AIOKafkaAdminClient

    from streamverify.bus.admin import PatientAdmin
    from streamverify.core.messages.selection import ResultSelection
    from streamverify.settings import Settings

_AT_ONCE = 1000
"""Tombstones that are under way at once."""

_Keys = dict[tuple[int, bytes], None]
"""Partition and key of each result that is there, in the order in which they were found."""


@dataclass(slots=True)
class Deletion:
    """The counts of a deletion, true whatever ends it."""

    found: int = 0
    """Results that are to be deleted."""
    deleted: int = 0
    records: dict[str, int] = field(default_factory=dict)
    """By topic: records that were deleted by age, or would be."""
    kept: dict[str, int] = field(default_factory=dict)
    """By topic: records that are as old, and are kept because their group has not finished them."""


async def delete_results(
    settings: Settings,
    wanted: ResultSelection,
    *,
    dry_run: bool,
    progress: Deletion,
    api_key: str | None = None,
) -> None:
    """Write a tombstone after the newest result of each custom_id that is wanted.

    A custom_id that is not on the topic, or whose newest record is a tombstone, gets none. The tombstone goes to the
    partition of the result, wherever its key would be sent today.

    Args:
        settings: The broker and the topic.
        wanted: Which; by `run` the newest result of an id decides.
        dry_run: Only look.
        progress: Is told how far it is.
        api_key: Only what was sent to a gateway with the API key of this name.

    Raises:
        BrokerUnavailable: No broker, no topic, it refuses a tombstone, or it never compacts.
    """
    async with patient_admin(settings) as admin:
        await require_topics(admin, settings, [settings.result_topic])
        kept = await topic_settings(admin, settings.result_topic)
    if kept is not None and "compact" not in kept.get("cleanup.policy", "compact"):
        raise BrokerUnavailable(
            f"the topic {settings.result_topic} is not compacted, so a tombstone deletes nothing there: "
            "streamverify topics create --alter"
        )
    found = await _find(settings, wanted, api_key)
    progress.found = len(found)
    if dry_run or not found:
        return
    async with open_producer(settings) as producer:
        try:
            keys = list(found)
            for first in range(0, len(keys), _AT_ONCE):
                sent = [
                    await producer.send(settings.result_topic, None, key=key, partition=number)
                    for number, key in keys[first : first + _AT_ONCE]
                ]
                await asyncio.gather(*sent)
                progress.deleted += len(sent)
        except KafkaError as error:
            raise BrokerUnavailable(
                f"the topic {settings.result_topic} takes no tombstone ({error!r}): may this user write to it?"
            ) from error


async def _find(settings: Settings, wanted: ResultSelection, api_key: str | None) -> _Keys:
    """Read the whole topic, and keep the keys whose newest record is wanted."""
    partitions = await topic_partitions(settings, settings.result_topic)
    found: _Keys = {}
    async with TopicReader(settings, partitions) as reader:
        ends = await reader.ends()
        await reader.start_at(0)
        async for records in reader.chunks(ends):
            for record in records:
                if not record.key or not wanted.takes_record(record.key, record.timestamp):
                    continue
                # The newest record of a key decides: a tombstone, or a result of another run, unmakes the one before.
                found.pop((record.partition, record.key), None)
                if record.value is not None and is_wanted(record, wanted, api_key):
                    found[record.partition, record.key] = None
    return found


def is_wanted(kafka_record: Any, wanted: ResultSelection, api_key: str | None) -> bool:
    """Tell whether the newest record of a custom_id, whose key and time are wanted, is to go."""
    if api_key is not None and gateway_key(kafka_record.headers) != api_key:
        return False
    if wanted.run is None:
        # By its key alone, so that a value that nobody can read is deleted, too.
        return True
    result = decode(kafka_record)
    return result is not None and result.run == wanted.run


async def delete_requests(settings: Settings, before: int, *, dry_run: bool, progress: Deletion) -> None:
    """Delete the requests and dead letters that were produced before a time, whoever sent them.

    Requests of the topics that workers and router read are deleted only up to where their groups are.

    Args:
        settings: The broker, the topics and the groups.
        before: Milliseconds since 1970.
        dry_run: Only look.
        progress: Is told how far it is.

    Raises:
        BrokerUnavailable: No broker, no topic, or it refuses.
    """
    groups = {
        settings.request_topic: settings.group_id,
        settings.ingest_topic: router_group(settings),
        settings.dlq_topic: None,  # no group reads it: nothing of it waits for anybody
    }
    async with patient_admin(settings) as admin:
        for topic, group in groups.items():
            partitions = await topic_partitions(settings, topic)
            async with TopicReader(settings, partitions) as reader:
                firsts, upto = await reader.beginnings(), await reader.offsets_at(before)
            if group is not None:
                finished = await _finished(admin, group, topic, partitions)
                # Never beyond what the group has finished: a proof that waits is not deleted unseen.
                allowed = {tp: min(upto[tp], max(finished[tp], firsts[tp])) for tp in partitions}
            else:
                allowed = upto
            progress.kept[topic] = sum(upto[tp] - allowed[tp] for tp in partitions)
            progress.records[topic] = sum(max(0, allowed[tp] - firsts[tp]) for tp in partitions)
            if not dry_run and progress.records[topic]:
                delete = {tp: RecordsToDelete(before_offset=offset) for tp, offset in allowed.items()}
                try:
                    await admin.ask(partial(_delete_records, delete))
                except KafkaError as error:
                    raise BrokerUnavailable(
                        f"the broker does not delete records of the topic {topic}: {error!r}"
                    ) from error


async def _finished(
    admin: PatientAdmin, group: str, topic: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return the offset below which a group has finished each record; 0 where it has never committed."""
    numbers = [tp.partition for tp in partitions]
    committed = await admin.ask(lambda client: committed_offsets(client, group, topic, numbers))
    return {
        TopicPartition(topic, number): where.offset if (where := committed[number]) is not None else 0
        for number in numbers
    }


async def _delete_records(delete: dict[TopicPartition, RecordsToDelete], admin: AIOKafkaAdminClient) -> None:
    await admin.delete_records(delete)
