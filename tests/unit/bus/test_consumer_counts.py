"""What the consumer counts of deliveries: a job that runs when its record comes again is adopted, not run anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition

from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.consumer import RequestConsumer
from streamverify.core.delivery.partitions import Partitions
from streamverify.settings import Settings

TOPIC = "lean.proofs"
TP = TopicPartition(TOPIC, 0)


def record(offset: int) -> Any:
    return SimpleNamespace(
        topic=TOPIC, partition=0, offset=offset, key=b"k", value=b"{}", headers=(), timestamp=1, timestamp_type=0
    )


async def test_a_record_that_comes_again_while_its_job_runs_is_adopted() -> None:
    partitions = Partitions(TOPIC)
    received: list[Any] = []
    consumer = RequestConsumer(Settings(), partitions, CommitRequests())
    consumer._handler = cast("Any", SimpleNamespace(receive=received.append))

    def assigned(*numbers: int) -> None:
        partitions.assign(numbers)
        for number in numbers:
            partitions.restore(number, None, 0)

    assigned(0)
    consumer._deliver(TP, [record(0), record(1)])
    partitions.records.complete(received[1].id)
    assert (len(received), consumer.counts.adopted) == (2, 0)
    # Another worker had it for a while, and committed nothing.
    assigned()
    assigned(0)
    consumer._deliver(TP, [record(0), record(1), record(2)])
    assert [each.id.offset for each in received] == [0, 1, 2]
    assert consumer.counts.adopted == 1, "offset 0 still runs; 1 is finished, and 2 is new"
    consumer._requests.cancel_timer()
