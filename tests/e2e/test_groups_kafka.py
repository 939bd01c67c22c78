"""Attempts of one problem on a real Kafka: two workers, of which one hears of the other's success."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from aiokafka import AIOKafkaProducer
from command import make_environment, started, wait_for_log

from streamverify.core.messages.models import Reason, Status
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Mapping

    from streamverify.core.messages.models import ProofResult

pytestmark = pytest.mark.kafka

STATEMENT = "theorem t : 1 = 1 := by sorry"


@pytest.fixture
def env(kafka: str) -> dict[str, str]:
    return make_environment(kafka, real=True)


def attempt(custom_id: str, directive: str = "service=0", **fields: Any) -> bytes:
    request = {
        "custom_id": custom_id,
        "proof": f"theorem t : 1 = 1 := rfl -- synthetic: {directive}",
        "statement": STATEMENT,
        "first_success": True,
    }
    return json.dumps(request | fields).encode()


@asynccontextmanager
async def two_workers(env: Mapping[str, str]) -> AsyncIterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    """Two members with partitions of the request topic each."""
    with started(env, "worker") as first:
        await asyncio.to_thread(wait_for_log, first, "partitions_restored")
        with started(env, "worker") as second:
            await asyncio.to_thread(wait_for_log, second, "partitions_restored")
            yield first, second


async def send_to(env: Mapping[str, str], partition: int, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"])
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(env[PREFIX + "REQUEST_TOPIC"], value, partition=partition)
    finally:
        await producer.stop()


async def sent_until_superseded(env: Mapping[str, str], partition: int, group: str) -> ProofResult:
    """Attempts of a group to a partition, one after the other: each until its worker has heard of the success."""
    for number in range(200):
        custom_id = f"{group}-{partition}-{number}"
        await send_to(env, partition, attempt(custom_id, "service=0 error", group=group))
        result = (await kafka_records.results(env, {custom_id}))[custom_id]
        if result.reason == Reason.SUPERSEDED:
            return result
        # Before that it is run, and has its own verdict.
        assert result.reason == Reason.LEAN_ERROR
    raise AssertionError("nobody has heard of the success")


async def test_both_workers_hear_of_a_success_and_one_that_starts_later_too(env: dict[str, str]) -> None:
    async with two_workers(env):
        await send_to(env, 0, attempt("won", group="g"))
        won = (await kafka_records.results(env, {"won"}))["won"]
        assert won.status is Status.VERIFIED
        heard = [await sent_until_superseded(env, partition, "g") for partition in range(3)]
        assert {result.superseded_by for result in heard} == {"won"}
        assert {(result.status, result.retriable) for result in heard} == {(Status.INCONCLUSIVE, False)}
        assert len({result.worker for result in heard}) == 2
    with started(env, "worker") as late:
        await asyncio.to_thread(wait_for_log, late, "partitions_restored")
        # It has read the topic before it joined: the very first attempt is superseded; the winner itself is not.
        await send_to(env, 1, attempt("late", group="g"), attempt("won", group="g"), attempt("other", group="h"))
        found = await kafka_records.results(env, {"late", "other"})
        assert (found["late"].reason, found["late"].superseded_by) == (Reason.SUPERSEDED, "won")
        assert found["other"].status is Status.VERIFIED
        values = [json.loads(record.value or b"") for record in await kafka_records.read(env, "RESULT_TOPIC", 7)]
        assert {value["status"] for value in values if value["custom_id"] == "won"} == {"verified"}


async def test_of_many_attempts_each_has_one_right_answer(env: dict[str, str]) -> None:
    """20 problems, 8 attempts at each, every second problem with two good ones."""
    good = {f"p{problem}-{number}" for problem in range(0, 20, 2) for number in (2, 5)}
    names = [f"p{problem}-{number}" for problem in range(20) for number in range(8)]
    values = [
        attempt(name, "service=0.05" + ("" if name in good else " error"), group=name.partition("-")[0])
        for name in names
    ]
    async with two_workers(env):
        for partition in range(3):
            await send_to(env, partition, *values[partition::3])
        found = await kafka_records.results(env, set(names))
    for name, result in found.items():
        if result.reason == Reason.SUPERSEDED:
            winner = found[str(result.superseded_by)]
            assert winner.status is Status.VERIFIED
            assert winner.group == result.group
        else:
            assert result.status is (Status.VERIFIED if name in good else Status.REJECTED)
    verified = {result.group for result in found.values() if result.status is Status.VERIFIED}
    assert verified == {f"p{problem}" for problem in range(0, 20, 2)}
    # No more is promised of how many: two workers may run one each beside the success.
    assert any(result.reason == Reason.SUPERSEDED for result in found.values())


async def test_without_the_topic_a_worker_says_so_and_knows_its_own_successes(env: dict[str, str]) -> None:
    env |= {PREFIX + "GROUPS_TOPIC": f"missing-{uuid.uuid4().hex[:8]}"}
    with started(env, "worker") as worker:
        await asyncio.to_thread(wait_for_log, worker, "groups_topic_unavailable")
        await send_to(env, 0, attempt("won", group="g"))
        await kafka_records.results(env, {"won"})
        assert (await sent_until_superseded(env, 1, "g")).superseded_by == "won"
