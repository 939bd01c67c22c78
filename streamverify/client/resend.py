"""Sends requests again whose answer another try may change. Which ones, `core/messages/retries.py` decides."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.client.producer import open_producer
from streamverify.client.result_topic import read_results
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.messages.retries import Retries, retries_in, with_one_more
from streamverify.core.scheduling.partitioner import AffinityPartitioner
from streamverify.core.topic_plans import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from streamverify.core.messages.retries import Candidate
    from streamverify.core.messages.selection import ResultSelection
    from streamverify.settings import Settings

_POLL = 0.5
_WINDOW = 1000
"""Records that are on their way to the broker at once."""
_WORTH_READING = 500
"""Records between two wanted ones that are read over, as a seek costs a fetch of its own."""


@dataclass(slots=True)
class ResendReport:
    """Counts of what was found and sent again."""

    retriable: int = 0
    """Requests with a retriable answer."""
    answered: int = 0
    """Those that were answered for good since."""
    sent: int = 0
    """Those that were sent again, or would be."""
    spent: int = 0
    """Those that were sent again as often as is allowed."""
    elsewhere: int = 0
    """Those that came from another topic."""
    left: int = 0
    """Those beyond what was asked for."""
    gone: list[Candidate] = field(default_factory=list)
    """Those whose record is no longer on its topic."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Of what was sent, how many for each reason."""


async def resend(  # noqa: PLR0913 - each is a choice of its own
    settings: Settings, wanted: ResultSelection, *, most: int, max_retries: int, dry_run: bool, report: ResendReport
) -> None:
    """Send requests again as they were first sent, keys and Kafka headers too, with one retry more in their count.

    Args:
        settings: The broker and the topics.
        wanted: The results to retry, as far as they are retriable.
        most: How many to send at most.
        max_retries: Leave out what was sent again so often.
        dry_run: Send nothing.
        report: Filled while it goes on, so that it is true whatever ends it.

    Raises:
        BrokerUnavailable: No broker, no topic, or one could not be delivered; those before it may have been.
    """
    # At once, not only when something is to be sent: a misspelt topic is no "nothing to do".
    await topic_partitions(settings, settings.request_topic)
    retries = Retries()
    async with aclosing(read_results(settings, wanted)) as results:
        async for found in results:
            retries.collect(found.result, retries_in(found.kafka_headers))
    report.retriable = retries.found
    if not retries.found:
        return
    # What was answered for good may have any reason and come at any time, but not before its request's first answer.
    anything = replace(wanted, statuses=frozenset(), reasons=frozenset(), until=None)
    async with aclosing(read_results(settings, anything)) as results:
        async for found in results:
            retries.strike(found.result)
    report.answered = retries.answered
    plan = retries.plan(settings.request_topic, most=most, max_retries=max_retries)
    report.spent, report.elsewhere, report.left = len(plan.spent), len(plan.elsewhere), len(plan.left)
    async with aclosing(_records(settings, plan.send)) as records:
        if dry_run:
            async for candidate, record in records:
                _count(report, candidate, record)
        else:
            await _send(settings, records, report)


def _count(report: ResendReport, candidate: Candidate, kafka_record: Any) -> None:
    if kafka_record is None:
        report.gone.append(candidate)
    else:
        report.sent += 1
        report.reasons[candidate.reason] += 1


async def _send(settings: Settings, records: AsyncGenerator[tuple[Candidate, Any], None], report: ResendReport) -> None:
    # A partitioner of its own: which headers are asked for most is learnt from what is sent here.
    partitioner = AffinityPartitioner()
    waiting: deque[tuple[Candidate, asyncio.Future[Any]]] = deque()

    async def acknowledged() -> None:
        candidate, future = waiting.popleft()
        _count(report, candidate, await future)

    async with open_producer(settings, max_request_size=MAX_REQUEST_BYTES, partitioner=partitioner) as producer:
        try:
            async for candidate, record in records:
                if record is None:
                    report.gone.append(candidate)
                    continue
                kafka_headers = with_one_more(tuple(record.headers))
                future = await producer.send(settings.request_topic, record.value, record.key, headers=kafka_headers)
                waiting.append((candidate, future))
                # Counted as sent only when the broker has it, whatever ends the rest.
                if len(waiting) >= _WINDOW:
                    await acknowledged()
            while waiting:
                await acknowledged()
        except KafkaError as error:
            await asyncio.gather(*(future for _, future in waiting), return_exceptions=True)
            raise BrokerUnavailable(
                f"the broker at {settings.bootstrap_servers} did not take all requests: {error!r}"
            ) from error


async def _records(settings: Settings, candidates: Sequence[Candidate]) -> AsyncGenerator[tuple[Candidate, Any], None]:
    """Read the record of each candidate; None where it is no longer on its topic, or another one stands there.

    Raises:
        BrokerUnavailable: No broker, or no topic.
    """
    if not candidates:
        return
    there = await topic_partitions(settings, settings.request_topic)
    places: dict[TopicPartition, dict[int, Candidate]] = defaultdict(dict)
    for candidate in candidates:
        source = candidate.source
        places[TopicPartition(source.topic, source.partition)][source.offset] = candidate
    for partition, wanted in sorted(places.items()):
        if partition not in there:
            # The topic was made anew, with fewer partitions: a reader would wait for this one.
            for candidate in wanted.values():
                yield candidate, None
            continue
        async with (
            TopicReader(settings, [partition]) as reader,
            aclosing(_records_of(reader, partition, wanted)) as records,
        ):
            async for candidate, record in records:
                # A topic that was made anew has other records under the same offsets.
                same = record is not None and record.timestamp == candidate.source.timestamp
                yield candidate, record if same else None


async def _records_of(
    reader: TopicReader, partition: TopicPartition, wanted: dict[int, Candidate]
) -> AsyncGenerator[tuple[Candidate, Any], None]:
    [first], [end] = (await reader.beginnings()).values(), (await reader.ends()).values()
    waiting = deque(sorted(wanted))
    position = -1
    while waiting:
        offset = waiting[0]
        if not first <= offset < end:
            yield wanted[waiting.popleft()], None
            continue
        if not position <= offset <= position + _WORTH_READING or position < 0:
            reader.start_from({partition: offset})
            position = offset
        for record in await reader.read(_POLL):
            position = record.offset + 1  # of the next record: what is between it and a wanted one is read over
            while waiting and waiting[0] < record.offset:
                yield wanted[waiting.popleft()], None  # a hole, as compaction leaves
            if waiting and waiting[0] == record.offset:
                yield wanted[waiting.popleft()], record
        if waiting and position <= waiting[0] < end and await reader.reached({partition: waiting[0] + 1}):
            yield wanted[waiting.popleft()], None  # a hole at the end of the log
