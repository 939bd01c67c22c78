"""A worker on a real Kafka: killed, joined by another, and with results that are too large for their topic."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

import kafka_records
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from command import end, make_environment, settings_of, started, wait_for_log

from streamverify.bus.admin import open_admin, patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.bus.topics import topic_settings
from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest, Reason, Status
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

pytestmark = pytest.mark.kafka

PROOF = "theorem t : 1 = 1 := rfl"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def env(kafka: str) -> dict[str, str]:
    """Topics of one test's own; a member that is killed is given up soon."""
    return make_environment(kafka, real=True) | {PREFIX + "SESSION_TIMEOUT_MS": "6000"}


def requests(count: int, directive: str = "service=0") -> list[ProofRequest]:
    return [ProofRequest(custom_id=f"p{number}", proof=f"{PROOF} -- synthetic: {directive}") for number in range(count)]


async def submit(env: Mapping[str, str], batch: list[ProofRequest]) -> set[str]:
    async with AsyncClient(settings_of(env)) as client:
        return {ticket.custom_id async for ticket in client.submit_all(batch)}


async def said(process: subprocess.Popen[str], word: str) -> None:
    await asyncio.to_thread(wait_for_log, process, word)


async def committed(env: Mapping[str, str]) -> int:
    """How many requests the group has committed, over all partitions."""
    settings = settings_of(env)
    admin = await open_admin(settings)
    try:
        offsets = await committed_offsets(admin, settings.group_id, settings.request_topic, range(3))
    finally:
        await admin.close()
    return sum(point.offset if point else 0 for point in offsets.values())


async def test_what_was_committed_is_not_done_again(env: dict[str, str]) -> None:
    sent = await submit(env, requests(60))
    with started(env, "worker") as process:
        await kafka_records.results(env, sent)
        await asyncio.to_thread(end, process)
        assert process.returncode == 0
    assert await committed(env) == 60
    with started(env, "worker") as process:
        more = await submit(env, [ProofRequest(custom_id="last", proof=PROOF)])
        await kafka_records.results(env, more)
    records = await kafka_records.read(env, "RESULT_TOPIC", 61)
    assert len(records) == 61


async def test_a_worker_that_joins_and_one_that_leaves_lose_nothing(env: dict[str, str]) -> None:
    sent = await submit(env, requests(600, "service=0.03"))
    with started(env, "worker") as first:
        await said(first, "partitions_restored")
        with started(env, "worker") as second:
            await said(second, "partitions_restored")
            # Where the second was long in coming the first may have done all by itself; of these both get some.
            late = [
                each.model_copy(update={"custom_id": f"late-{each.custom_id}"})
                for each in requests(300, "service=0.03")
            ]
            sent |= await submit(env, late)
            await asyncio.to_thread(end, first)
            found = await kafka_records.results(env, sent)
    assert first.returncode == 0
    assert {result.reason for result in found.values()} == {Reason.OK}
    assert len({result.worker for result in found.values()}) == 2


async def test_an_infotree_of_several_megabytes_is_left_out_and_said_so(env: dict[str, str]) -> None:
    large = ProofRequest(
        custom_id="large", proof=f"{PROOF} -- synthetic: infotree={5 * MEBIBYTE}", infotree_type="full"
    )
    small = ProofRequest(custom_id="small", proof=f"{PROOF} -- synthetic: infotree=20000", infotree_type="full")
    with started(env, "worker"):
        async with AsyncClient(settings_of(env)) as client:
            found = await client.verify([large, small, *requests(20)], timeout=300)
    assert found[0].status is Status.VERIFIED
    assert found[0].truncated == ["infotree"]
    assert found[1].truncated == []
    assert found[1].response is not None
    assert found[1].response.infotree
    assert {result.reason for result in found} == {Reason.OK}


async def test_a_message_of_several_megabytes_is_left_out_and_said_so(env: dict[str, str]) -> None:
    with started(env, "worker"):
        async with AsyncClient(settings_of(env)) as client:
            [result] = await client.verify(requests(1, f"stdout={4 * MEBIBYTE} error"), timeout=300)
    assert result.reason == Reason.LEAN_ERROR
    assert result.truncated == ["messages: 1 of 2"]
    assert result.response is not None
    assert [message["severity"] for message in result.response.messages] == ["error"]


async def test_a_result_that_the_broker_refuses_is_sent_smaller_and_the_producer_goes_on(env: dict[str, str]) -> None:
    headers = [("large", os.urandom(30_000))]  # compression must not help
    metadata = {"keep": "x" * 2000}
    value = json.dumps({"custom_id": "refused", "proof": PROOF + " -- synthetic: stdout=50000", "metadata": metadata})
    with started(env, "worker") as process:
        await said(process, "partitions_restored")
        # The worker has read the old limit: only the broker's refusal can tell it of the new one.
        await limit_results(env, 20_000)
        await kafka_records.send(env, [value.encode()], kafka_headers=headers)
        sent = await submit(env, requests(50))
        found = await kafka_records.results(env, sent | {"refused"})
        assert process.poll() is None
    refused = found["refused"]
    assert refused.reason == Reason.OK
    assert {"messages", "headers", "metadata"} <= {name.partition(":")[0] for name in refused.truncated}
    assert {found[name].reason for name in sent} == {Reason.OK}


async def test_a_result_that_is_refused_at_its_smallest_ends_the_worker_with_4(env: dict[str, str]) -> None:
    with started(env, "worker") as process:
        await said(process, "partitions_restored")
        await limit_results(env, 100)
        await submit(env, requests(1))
        _, log = await asyncio.to_thread(process.communicate, timeout=300)
    assert process.returncode == 4
    assert "refuses a record" in log
    assert "Traceback" not in log


async def test_a_dead_letter_that_its_topic_does_not_take_is_emptied(env: dict[str, str]) -> None:
    with started(env, "worker") as process:
        await said(process, "partitions_restored")
        await limit(env, "DLQ_TOPIC", 50_000)
        await kafka_records.send(env, [b"x" + os.urandom(100_000)])
        [record] = await kafka_records.read(env, "DLQ_TOPIC", 1)
        assert process.poll() is None
    assert not record.value
    assert dict(record.headers)["__streamverify.errors.offset"].isdigit()


async def test_a_tombstone_without_a_key_is_a_dead_letter(env: dict[str, str]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"])
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=None, value=None, timestamp=None)
    await producer.send_batch(batch, env[PREFIX + "REQUEST_TOPIC"], partition=0)
    await producer.stop()
    with started(env, "worker") as process:
        [record] = await kafka_records.read(env, "DLQ_TOPIC", 1)
        assert process.poll() is None
    assert (record.key, record.value) == (None, None)


FOREIGN_PRODUCER = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Name(str):
    def encode(self, *_):
        return bytes([255, 254])

async def main(servers, topic):
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=None, value=b"{}", timestamp=None, headers=[(Name("x"), b"1")])
    await (await producer.send_batch(batch, topic, partition=0))
    await producer.stop()

asyncio.run(main(*sys.argv[1:]))
"""
"""Writes a header whose name is not UTF-8, with the library's own code in Python: the compiled one cannot."""


async def test_a_header_name_that_is_not_utf8_ends_the_worker_with_5_and_says_where(env: dict[str, str]) -> None:
    producer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FOREIGN_PRODUCER,
        env[PREFIX + "BOOTSTRAP_SERVERS"],
        env[PREFIX + "REQUEST_TOPIC"],
        env=env | {"AIOKAFKA_NO_EXTENSIONS": "1"},
    )
    assert await producer.wait() == 0
    with started(env, "worker") as process:
        _, log = await asyncio.to_thread(process.communicate, timeout=300)
    assert process.returncode == 5
    assert "not UTF-8" in log
    assert "0 from 0" in log
    assert "Traceback" not in log


async def limit_results(env: Mapping[str, str], size: int) -> None:
    await limit(env, "RESULT_TOPIC", size)


async def limit(env: Mapping[str, str], topic: str, size: int) -> None:
    """Set a topic's `max.message.bytes`, with the settings that it was made with left as they are."""
    name, wanted = env[PREFIX + topic], {"max.message.bytes": str(size)}
    async with patient_admin(settings_of(env)) as admin:
        await admin.ask(lambda kafka: kafka.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)]))
        async with asyncio.timeout(120):
            while ((await topic_settings(admin, name)) or {}).get("max.message.bytes") != str(size):
                await asyncio.sleep(0.1)
    # What the broker says of a topic is a moment ahead of what it does.
    await asyncio.sleep(0.5)
