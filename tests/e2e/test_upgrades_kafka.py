"""Two versions in one group on a real Kafka, under load: the newer one comes, and goes again.

The newer one (`tests/fakes/future_worker.py`) writes offset maps, results, dead letters and announcements that this
version does not know. `python -m rolling` does the same with a real older version, and for longer.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from command import end, make_environment, started, wait_for_log
from support import ROOT

from streamverify.bus.admin import patient_admin
from streamverify.bus.committed import committed_offsets
from streamverify.core.messages.codec import decode_result
from streamverify.settings import PREFIX, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.kafka

FUTURE = str(ROOT / "tests" / "fakes" / "future_worker.py")
PARTITIONS = 3


def proof(number: int) -> bytes:
    """Every fifth is wrong, and each has what only a later client sends."""
    directive = "service=0.02 error" if number % 5 == 0 else "service=0.02"
    request = {
        "custom_id": f"p{number}",
        "proof": f"theorem t : 1 = 1 := rfl -- synthetic: {directive}",
        "statement": "theorem t : 1 = 1 := by sorry",
        "of_a_later_client": {"deep": [1]},
    }
    return json.dumps(request).encode()


async def map_versions(env: Mapping[str, str]) -> set[int]:
    """The versions of the offset maps that the group's last commits have."""
    settings = load_settings(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"])
    group, topic = env[PREFIX + "GROUP_ID"], env[PREFIX + "REQUEST_TOPIC"]
    async with patient_admin(settings) as admin:
        found = await admin.ask(lambda client: committed_offsets(client, group, topic, range(PARTITIONS)))
    return {base64.b64decode(point.metadata)[0] for point in found.values() if point is not None and point.metadata}


async def until_versions(env: Mapping[str, str], wanted: set[int]) -> None:
    async with asyncio.timeout(120):
        while await map_versions(env) != wanted:
            await asyncio.sleep(0.1)


async def all_results(env: Mapping[str, str], count: int) -> dict[str, list[dict[str, Any]]]:
    """All results by custom_id, once `count` of them have one; each can be read by this version."""
    found: dict[str, list[dict[str, Any]]] = {}
    least = count
    async with asyncio.timeout(120):
        while len(found) < count:
            found = {}
            for record in await kafka_records.read(env, "RESULT_TOPIC", least):
                custom_id = decode_result(record.value).custom_id
                found.setdefault(custom_id, []).append(json.loads(record.value or b""))
            # With repeats among them there are more records than answers.
            least = sum(map(len, found.values())) + count - len(found)
    return found


async def test_a_newer_worker_comes_and_goes_under_load(kafka: str) -> None:
    env = make_environment(kafka, real=True) | {PREFIX + "DRAIN_TIMEOUT": "30"}
    with started(env, "worker") as current:
        await asyncio.to_thread(wait_for_log, current, "partitions_restored")
        await kafka_records.send(env, [proof(number) for number in range(100)], key=None)
        await until_versions(env, {1})
        with started(env, "worker", program=(FUTURE,)) as future:
            # Upgrade: it reads our maps, and takes over where we were.
            said = await asyncio.to_thread(wait_for_log, future, "partitions_restored")
            assert "offset_map_ignored" not in said
            await kafka_records.send(env, [proof(number) for number in range(100, 300)], key=None)
            await until_versions(env, {1, 2})
            _, said = await asyncio.to_thread(end, future)
            assert future.returncode == 0, said
        # The way back: its maps are of a version that we do not read. What it had finished may be done again.
        said = await asyncio.to_thread(wait_for_log, current, "offset_map_ignored")
        assert "the offset map has version 2; this worker reads 1" in said
        await kafka_records.send(env, [proof(number) for number in range(300, 350)], key=None)
        found = await all_results(env, 350)
        _, said = await asyncio.to_thread(end, current)
        assert (current.returncode, "Traceback" in said) == (0, False)
    assert await map_versions(env) == {1}
    for number in range(350):
        statuses = {result["status"] for result in found[f"p{number}"]}
        assert statuses == {"rejected" if number % 5 == 0 else "verified"}, number
    assert {result["schema_version"] for results in found.values() for result in results} == {3, 4}
