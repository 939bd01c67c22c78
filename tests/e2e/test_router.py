"""What the router does with records, as processes on a real Apache Kafka."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from command import end
from router_processes import PARTITIONS, Running, Topics, ids, make_topics, proofs, router, router_process

from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.scheduling.partitioner import BLANK, SLACK, affinity_key

pytestmark = [pytest.mark.kafka]


@pytest.fixture
def topics(kafka: str) -> Topics:
    return make_topics(kafka)


async def test_values_headers_and_timestamps_stay_and_the_key_is_the_fingerprint(topics: Topics) -> None:
    marks = [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", None)]
    value = b'{"proof":  "import Lean\\ntheorem t := 1", "custom_id": 7, "unknown": 1e3}'
    async with router(topics):
        await topics.produce([value], more={"headers": marks, "timestamp_ms": 1_700_000_000_123})
        [record] = await topics.read("REQUEST", 1)
    assert record.value == value
    assert list(record.headers) == marks
    assert record.timestamp == 1_700_000_000_123
    assert record.key == affinity_key("import Lean")


async def test_everything_arrives_once_in_order_where_its_header_belongs(topics: Topics) -> None:
    async with router(topics) as running:
        await topics.produce(proofs(3000), key=None, more={"partition": 1})
        records = await topics.read("REQUEST", 3000)
        counts = await running.counts(3000)
        process = running.process
        end(process)
    assert process.returncode == 0
    assert sorted(ids(records)) == sorted(f"p{n}" for n in range(3000))
    everything: Counter[int] = Counter(record.partition for record in records)
    for partition in range(PARTITIONS):
        here = [record for record in records if record.partition == partition]
        order = [int(custom_id[1:]) for custom_id in ids(here)]
        assert order == sorted(order)
    # The header with four fifths of the proofs fills what the others leave.
    assert max(everything.values()) - min(everything.values()) <= SLACK
    for rare in ("import Lean", "import Aesop"):
        partitions = Counter(record.partition for record in records if record.key == affinity_key(rare))
        # A tenth of four partitions is less than one, but for the first few, when shares are not known. Which one is
        # chance: a new header goes to the least filled of eight.
        assert max(partitions.values()) > 280
    assert counts == {"import Mathlib\n": 2400, "import Lean\n": 300, "import Aesop\n": 300}


async def test_a_malformed_record_becomes_a_dead_letter_and_an_invalid_request_is_forwarded(topics: Topics) -> None:
    malformed: list[bytes | None] = [b"not JSON", b'{"proof": "x"}', None, b""]
    wrong: list[bytes | None] = [
        b'{"custom_id": "no proof"}',
        b'{"custom_id": "header", "proof": "prelude\\n"}',
        b'{"custom_id": "field", "proof": "import Lean", "timeout": "soon"}',
        json.dumps({"custom_id": "large", "proof": "x" * 700_000}).encode(),
    ]
    async with router(topics):
        await topics.produce([*malformed, *wrong], key=b"k", more={"partition": 2, "timestamp_ms": 1_600_000_000_001})
        letters = await topics.read("DLQ", len(malformed))
        requests = await topics.read("REQUEST", len(wrong))
    assert sorted(ids(requests)) == ["field", "header", "large", "no proof"]
    assert {record.key for record in requests} == {BLANK}
    assert [letter.value for letter in letters] == malformed
    assert {(letter.key, letter.timestamp) for letter in letters} == {(b"k", 1_600_000_000_001)}
    read = [DeadLetter.from_record(key=item.key, value=item.value, kafka_headers=item.headers) for item in letters]
    assert [letter.source.offset for letter in read] == [0, 1, 2, 3]
    assert {(letter.stage, letter.source.topic, letter.source.partition) for letter in read} == {
        ("route", topics["INGEST"], 2)
    }
    assert {letter.exception_class for letter in read} == {"streamverify.core.errors.UndecodableRequest"}


async def test_a_record_without_key_and_value_is_a_dead_letter(topics: Topics) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=topics.servers)
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=None, value=None, timestamp=None)
    await (await producer.send_batch(batch, topics["INGEST"], partition=0))
    await producer.stop()
    async with router(topics):
        await topics.produce(proofs(1))
        [letter] = await topics.read("DLQ", 1)
        assert len(await topics.read("REQUEST", 1)) == 1
    assert (letter.key, letter.value) == (None, None)


async def test_a_record_that_the_request_topic_refuses_becomes_a_dead_letter(topics: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.servers)
    await admin.start()
    await admin.alter_configs([_limit(topics["REQUEST"], 20_000)])
    await admin.close()
    noise = "".join(uuid.uuid4().hex for _ in range(2000))
    large = json.dumps({"custom_id": "large", "proof": f"-- {noise}"}).encode()
    async with router(topics):
        await topics.produce([*proofs(20), large, *proofs(20, first=20)])
        [letter] = await topics.read("DLQ", 1)
        requests = await topics.read("REQUEST", 40)
    assert letter.value == large
    assert set(ids(requests)) == {f"p{n}" for n in range(40)}
    read = DeadLetter.from_record(key=letter.key, value=letter.value, kafka_headers=letter.headers)
    assert "takes no record of" in read.message


def _limit(topic: str, size: int) -> Any:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: PLC0415 - one test's

    return ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})


async def test_two_routers_share_the_work_and_each_shows_the_sums(topics: Topics) -> None:
    async with router(topics) as one:
        await topics.produce(proofs(500))
        await one.counts(500)
        async with router(topics) as two:
            await one.ready()
            await topics.produce(proofs(1500, first=500), key=None)
            expected = {"import Mathlib\n": 1600, "import Lean\n": 200, "import Aesop\n": 200}
            assert await one.counts(2000) == expected
            assert await two.counts(2000) == expected
            shares = [json.loads((await each.get("/ready"))[1])["forwarded"] for each in (one, two)]
            assert all(shares)
            assert sum(shares) == 2000
            page = (await two.get("/"))[1]
        records = await topics.read("REQUEST", 2000)
    assert Counter(ids(records)) == Counter(f"p{n}" for n in range(2000))
    assert "<h1>2,000 proofs forwarded</h1>" in page
    assert "<td>import Mathlib<td>1,600<td>80.0%" in page


@pytest.mark.xfail(
    strict=False,
    reason="seen twice on a machine with much other work, and not provoked otherwise: what is produced while the "
    "second router leaves is not forwarded within a minute; causes that do this were mended since, and whether one of "
    "them was this one is not known (docs/router.md, known limits)",
)
async def test_when_one_of_two_routers_leaves_the_other_goes_on(topics: Topics) -> None:
    async with router(topics) as one:
        async with router(topics):
            await one.ready()
            await topics.produce(proofs(2000), key=None)
            await one.counts(2000)
        await one.ready()
        await topics.produce(proofs(500, first=2000))
        assert sum((await one.counts(2500)).values()) == 2500
        records = await topics.read("REQUEST", 2500)
    # On a machine under load a router may lose its session: then what it has not committed is forwarded again.
    assert set(ids(records)) == {f"p{n}" for n in range(2500)}


async def test_after_a_restart_the_counts_go_on(topics: Topics) -> None:
    async with router(topics) as first:
        await topics.produce(proofs(200))
        await first.counts(200)
    async with router(topics) as second:
        assert sum((await second.counts(200)).values()) == 200
        await topics.produce(proofs(100, first=200))
        assert await second.counts(300) == {"import Mathlib\n": 240, "import Lean\n": 30, "import Aesop\n": 30}


async def test_killed_again_and_again_it_loses_nothing_and_counts_each_once(topics: Topics) -> None:
    """Killed while it forwards, four times. Repeats are allowed; they are not counted."""
    total = 12_000
    producing = asyncio.create_task(_slowly(topics, total))
    for _ in range(4):
        with router_process(topics) as process:
            running = await asyncio.to_thread(Running, process)
            await running.ready()
            before = json.loads((await running.get("/ready"))[1])["forwarded"]
            while json.loads((await running.get("/ready"))[1])["forwarded"] < before + 300:
                await asyncio.sleep(0.02)
            end(process, signal.SIGKILL)
    async with router(topics) as last:
        await producing
        counts = await last.counts(total)
        await asyncio.sleep(1.0)
        assert await last.counts(total) == counts
        records = await topics.read("REQUEST", total)
        while len(set(ids(records))) < total:
            records = await topics.read("REQUEST", len(records) + 1)
    assert set(ids(records)) == {f"p{n}" for n in range(total)}
    assert {record.value for record in records} == set(topics.sent)
    assert sum(counts.values()) == total


async def _slowly(topics: Topics, total: int) -> None:
    for first in range(0, total, 200):
        await topics.produce(proofs(200, first))
        await asyncio.sleep(0.2)


async def test_routers_come_and_go_and_nothing_is_lost(topics: Topics) -> None:
    """Each coming and going is a rebalance in the middle of the stream."""
    total = 6000
    producing = asyncio.create_task(_slowly(topics, total))
    async with router(topics) as one:
        for _ in range(3):
            async with router(topics):
                await asyncio.sleep(0.5)
        await producing
        await one.ready()
        counts = await one.counts(total)
        records = await topics.read("REQUEST", total)
    assert set(ids(records)) == {f"p{n}" for n in range(total)}
    assert sum(counts.values()) == total


async def test_partitions_that_were_added_are_counted_after_a_restart(topics: Topics) -> None:
    async with router(topics) as first:
        await topics.produce(proofs(40))
        await first.counts(40)
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.servers)
    await admin.start()
    await _grow(admin, topics["INGEST"], PARTITIONS + 2)
    async with router(topics) as second:
        await topics.produce(proofs(40, first=40), more={"partition": PARTITIONS + 1})
        assert sum((await second.counts(80)).values()) == 80
    [described] = await admin.describe_topics([topics.changelog])
    await admin.close()
    assert len(described["partitions"]) == PARTITIONS + 2


async def _grow(admin: AIOKafkaAdminClient, topic: str, count: int) -> None:
    from aiokafka.admin import NewPartitions  # noqa: PLC0415 - one test's

    await admin.create_partitions({topic: NewPartitions(total_count=count)})
    for _ in range(50):
        [described] = await admin.describe_topics([topic])
        if len(described["partitions"]) == count:
            return
        await asyncio.sleep(0.1)
