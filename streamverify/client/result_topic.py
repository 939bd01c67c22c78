"""Reading the topic of verdicts in constant memory: no record is kept, and what is not wanted is not even decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.codec import decode_result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streamverify.core.messages.models import ProofResult
    from streamverify.core.messages.selection import ResultSelection
    from streamverify.settings import Settings

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundResult:
    """A result and its record: the time at which it was produced, in milliseconds since 1970, and Kafka's headers."""

    result: ProofResult
    timestamp: int
    kafka_headers: tuple[tuple[str, bytes], ...]


async def read_results(
    settings: Settings,
    wanted: ResultSelection,
    *,
    follow: bool = False,
    from_now: bool = False,
    deleted: Callable[[bytes], object] | None = None,
) -> AsyncGenerator[FoundResult, None]:
    """Read the results that are wanted, each partition in its order.

    Args:
        settings: The broker and the topic.
        wanted: Which; its `since` also says where to begin, so that what is older is not fetched.
        follow: Go on with what is produced next. Otherwise it ends with what was there at its start.
        from_now: Begin with what is produced next, whatever is there.
        deleted: Is called with the key of each tombstone, which otherwise is skipped and logged.

    Raises:
        BrokerUnavailable: No broker, or no topic.
    """
    partitions = await topic_partitions(settings, settings.result_topic)
    async with TopicReader(settings, partitions) as reader:
        ends = await reader.ends()
        if from_now:
            reader.start_from(ends)
        else:
            await reader.start_at(wanted.since)
        async for records in reader.chunks(None if follow else ends):
            for record in records:
                if not wanted.takes_record(record.key, record.timestamp):
                    continue
                if record.value is None and record.key is not None and deleted is not None:
                    deleted(record.key)
                    continue
                result = decode(record)
                if result is not None and wanted.takes(result):
                    yield FoundResult(result, record.timestamp, tuple(record.headers))


def decode(kafka_record: Any) -> ProofResult | None:
    """Read the value of a record of the result topic; None, and a line in the log, if it is no ProofResult."""
    try:
        return decode_result(kafka_record.value)
    except StreamVerifyError as error:
        _log.warning(
            "undecodable_result",
            topic=kafka_record.topic,
            partition=kafka_record.partition,
            offset=kafka_record.offset,
            error=str(error),
            hint="skipped: no worker of ours wrote this record, or a newer one did: then update streamverify here",
        )
        return None
