"""Cancels requests that wait: tells the workers which, and says how many that may be."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.presence import find_topics, require_topics
from streamverify.bus.topic_reader import TopicReader
from streamverify.bus.topics import router_group
from streamverify.client.producer import open_producer
from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.errors import (
    BrokerUnavailable,
    ClientMisused,
    RefusedRequest,
    UndecodableOffsetMap,
    UndecodableRequest,
)
from streamverify.core.groups.announcement import MAX_IDS, encode_cancellation
from streamverify.core.groups.cancellation import Cancellation
from streamverify.core.messages.codec import ANY_SIZE, decode_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.bus.admin import PatientAdmin
    from streamverify.core.groups.announcement import AnnouncementRecord
    from streamverify.core.groups.cancellation import Names
    from streamverify.settings import Settings


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancellation, or what one would be."""

    names: Names
    at: datetime
    """The time; requests that come to the topic later are not concerned."""
    topic: str
    consumer_group: str
    waiting: int | None
    """Requests of the topic, whoever's they are, that had no answer: at most so many are concerned. None: unknown."""
    matching: int | None = None
    """Those of them that have the names, where they were counted; some may be running, and come to their verdict."""
    not_forwarded: int = 0
    """Records that the router has not forwarded to the topic yet. They are not concerned: cancel again, later."""


async def cancel(settings: Settings, names: Names, *, dry_run: bool = False) -> Cancelled:
    """Have the workers end what waits of some requests, as `superseded`.

    Meant are the requests that are on the topic now and have no answer. Nothing is waited for.

    Args:
        settings: The broker, the topics and the group of the workers.
        names: Which requests.
        dry_run: Cancel nothing; read the requests that wait, and count those which have the names.

    Raises:
        ClientMisused: There is no name, or one that no request can have.
        BrokerUnavailable: No broker, no topic, or this user may not read the one or write to the other.
    """
    # Before anything is connected: a name that is wrong is so on every broker.
    _records(Cancellation(settings.group_id, settings.request_topic, names, (), 0.0))
    async with patient_admin(settings) as admin:
        partitions = await require_topics(admin, settings, [settings.request_topic, settings.groups_topic])
        requests = partitions[settings.request_topic]
        async with TopicReader(settings, requests) as reader:
            firsts, ends = await reader.beginnings(), await reader.ends()
        now = time.time()
        # Only what is there now: a later request of the same run is meant to be run.
        known = tuple(ends[tp] for tp in requests)
        cancellation = Cancellation(settings.group_id, settings.request_topic, names, known, now)
        records = _records(cancellation)
        if not dry_run:
            await _send(settings, records)
        # Counted after it was sent: nobody should wait for the figures to have something cancelled.
        finished = await _finished(admin, settings, requests, firsts)
        waiting, matching = None, None
        if finished is not None:
            waiting = sum(_count(ends[tp], finished[tp]) for tp in requests)
        if dry_run:
            of_all = {tp: OffsetMap(firsts[tp], firsts[tp]) for tp in requests}
            matching = await _matching(settings, cancellation, ends, finished or of_all)
        behind = await _not_forwarded(admin, settings)
    moment = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
    return Cancelled(names, moment, settings.request_topic, settings.group_id, waiting, matching, behind)


def _records(cancellation: Cancellation) -> list[AnnouncementRecord]:
    """Make the records for the topic: of many ids some at a time, as a record has a limit."""
    names = cancellation.names
    ids = sorted(names.ids)
    parts = [frozenset(ids[first : first + MAX_IDS]) for first in range(0, len(ids), MAX_IDS)] or [frozenset()]
    try:
        return [encode_cancellation(replace(cancellation, names=replace(names, ids=part))) for part in parts]
    except ValueError as error:
        raise ClientMisused(f"nothing can be cancelled by that name: {error}") from None


async def _send(settings: Settings, records: Sequence[AnnouncementRecord]) -> None:
    topic = settings.groups_topic
    async with open_producer(settings) as producer:
        try:
            sent = [
                await producer.send(topic, each.value, each.key, timestamp_ms=each.timestamp_ms) for each in records
            ]
            await asyncio.gather(*sent)
        except KafkaError as error:
            raise BrokerUnavailable(
                f"the topic {topic} takes no cancellation ({error!r}): may this user write to it?"
            ) from error


async def _finished(
    admin: PatientAdmin, settings: Settings, partitions: Sequence[TopicPartition], firsts: Mapping[TopicPartition, int]
) -> dict[TopicPartition, OffsetMap] | None:
    """Return for each partition which offsets the group has finished; None where this user may not know."""
    numbers = [tp.partition for tp in partitions]
    try:
        committed = await admin.ask(
            lambda client: committed_offsets(client, settings.group_id, settings.request_topic, numbers)
        )
    except (KafkaError, BrokerUnavailable):
        return None
    found = {}
    for tp in partitions:
        point = committed[tp.partition]
        base = firsts[tp] if point is None else max(firsts[tp], point.offset)
        found[tp] = OffsetMap(base, base)
        if point is not None and point.metadata and point.offset >= firsts[tp]:
            try:
                found[tp] = decode_map(point.metadata, settings.request_topic, tp.partition, point.offset)
            except UndecodableOffsetMap:
                continue  # another program commits for the group: only the offset is known
    return found


def _count(end: int, finished: OffsetMap) -> int:
    """Count the offsets before `end` that are not finished."""
    return sum(offset < end for offset in finished.incomplete) + max(0, end - finished.end)


async def _matching(
    settings: Settings,
    cancellation: Cancellation,
    ends: Mapping[TopicPartition, int],
    finished: Mapping[TopicPartition, OffsetMap],
) -> int:
    """Read what is not finished, and count what the cancellation would end."""
    count = 0
    async with TopicReader(settings, list(finished)) as reader:
        reader.start_from({tp: min(each.base, ends[tp]) for tp, each in finished.items()})
        async for records in reader.chunks(ends):
            for record in records:
                done = finished[TopicPartition(record.topic, record.partition)]
                waits = record.offset in done.incomplete or record.offset >= done.end
                count += waits and _is_named(record, cancellation.names)
    return count


def _is_named(kafka_record: Any, names: Names) -> bool:
    try:
        return names.take(decode_request(kafka_record.value, limits=ANY_SIZE), kafka_record.headers)
    except (UndecodableRequest, RefusedRequest):
        # It is answered for what it is, or becomes a dead letter.
        return False


async def _not_forwarded(admin: PatientAdmin, settings: Settings) -> int:
    """Count the records that wait for the router; 0 where there is none, and where this user may not know."""
    topic = settings.ingest_topic
    try:
        found = await find_topics(admin, [topic])
        partitions = [TopicPartition(topic, each["partition"]) for each in found.partitions.get(topic, ())]
        if not partitions:
            return 0
        committed = await admin.ask(
            lambda client: committed_offsets(client, router_group(settings), topic, [tp.partition for tp in partitions])
        )
        async with TopicReader(settings, partitions) as reader:
            firsts, ends = await reader.beginnings(), await reader.ends()
    except (KafkaError, BrokerUnavailable):
        return 0
    behind = 0
    for tp in partitions:
        point = committed[tp.partition]
        behind += ends[tp] - (firsts[tp] if point is None else max(firsts[tp], point.offset))
    return behind
