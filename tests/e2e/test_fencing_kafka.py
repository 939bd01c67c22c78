"""Two workers under one name on a real Kafka: the older one ends with exit code 6, and the newer one serves."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING

import kafka_records
import pytest
from command import end, make_environment, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

pytestmark = [pytest.mark.kafka]


@pytest.fixture
def env(kafka: str) -> dict[str, str]:
    named = {PREFIX + "SESSION_TIMEOUT_MS": "6000", PREFIX + "GROUP_INSTANCE_ID": "prover-1"}
    return make_environment(kafka, real=True) | named


async def submit(env: Mapping[str, str], prefix: str, count: int) -> set[str]:
    proof = "theorem t : 1 = 1 := rfl -- synthetic: service=0.02"
    async with AsyncClient(settings_of(env)) as client:
        batch = [ProofRequest(custom_id=f"{prefix}{number}", proof=proof) for number in range(count)]
        return {ticket.custom_id async for ticket in client.submit_all(batch)}


async def ended(process: subprocess.Popen[str]) -> list[str]:
    _, said = await asyncio.to_thread(process.communicate, timeout=300)
    return said.splitlines()


def the_error(log: list[str]) -> str:
    """The one line with which a worker ended; a commit or a fetch that fails by the fencing is not worth another."""
    assert not [line for line in log if " commit_failed" in line or " fetch_failed" in line or "Traceback" in line]
    [line] = [line for line in log if line.startswith("error: ")]
    assert log[-1] == line
    return line


async def test_the_older_of_two_ends_with_6_in_one_line_and_the_newer_serves(env: dict[str, str]) -> None:
    sent = await submit(env, "p", 300)
    with started(env, "worker") as older:
        await asyncio.to_thread(wait_for_log, older, "partitions_restored")
        await kafka_records.read(env, "RESULT_TOPIC", 10)
        with started(env, "worker") as newer:
            log = await ended(older)
            await kafka_records.results(env, sent)
            await kafka_records.results(env, await submit(env, "later", 3))
            _, said = await asyncio.to_thread(end, newer)
    assert older.returncode == 6
    line = the_error(log)
    assert f":{newer.pid} has joined the group {env[PREFIX + 'GROUP_ID']}" in line
    assert f":{older.pid})" in line
    assert "prover-1" in line
    assert newer.returncode == 0
    assert said.count("partitions_assigned") == 1
    assert f":{older.pid}" in next(line for line in said.splitlines() if "name_taken_over" in line)
    # What ran, or was finished since the last commit, is done again; it is not done by both of them for ever.
    records = await kafka_records.read(env, "RESULT_TOPIC", 303)
    repeats = sum(count - 1 for count in Counter(record.key for record in records).values())
    assert repeats < 100


async def test_of_two_that_start_at_the_same_moment_one_serves(env: dict[str, str]) -> None:
    with started(env, "worker") as one, started(env, "worker") as other:
        waiting = {asyncio.create_task(asyncio.to_thread(each.wait, 300)): each for each in (one, other)}
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        [loser] = [waiting[task] for task in done]
        [winner] = {one, other} - {loser}
        await kafka_records.results(env, await submit(env, "p", 20))
        log = await ended(loser)
        _, said = await asyncio.to_thread(end, winner)
        await asyncio.wait(waiting)
    assert (loser.returncode, winner.returncode) == (6, 0)
    assert "prover-1" in the_error(log)
    assert said.count("partitions_assigned") == 1


async def test_one_that_comes_back_after_kill_9_fences_nobody(env: dict[str, str]) -> None:
    with started(env, "worker") as killed:
        await asyncio.to_thread(wait_for_log, killed, "partitions_restored")
        killed.kill()
    with started(env, "worker") as successor:
        await kafka_records.results(env, await submit(env, "p", 20))
        _, said = await asyncio.to_thread(end, successor)
    assert successor.returncode == 0
    assert "partitions_assigned" in said


async def test_two_without_a_name_or_a_port_just_work_beside_each_other(env: dict[str, str]) -> None:
    left_out = {PREFIX + "GROUP_INSTANCE_ID", PREFIX + "HTTP_PORT"}
    plain = {name: value for name, value in env.items() if name not in left_out}
    with started(plain, "worker") as one, started(plain, "worker") as other:
        said = [await asyncio.to_thread(wait_for_log, each, "partitions_restored") for each in (one, other)]
        await kafka_records.results(env, await submit(env, "p", 20))
    ports = [int(re.findall(r"http_listening.* port=(\d+)", log)[0]) for log in said]
    assert ports[0] != ports[1]
    assert min(ports) >= 9464
    assert (one.returncode, other.returncode) == (0, 0)
