"""`streamverify cancel` on a broker: what waits of a run is answered, by workers that run and by later ones.

The test on a real Kafka has two workers and a backlog of minutes.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import kafka_records
import pytest
from command import make_environment, run_command, serving_worker, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.groups.scope import caller_headers

SLOW = "theorem t : 1 = 1 := rfl -- synthetic: service=2"
QUICK = "theorem t : 1 = 1 := rfl -- synthetic: service=0"


@pytest.fixture
def env(embedded: str) -> dict[str, str]:
    return make_environment(embedded, real=False)


def requests(names: str, run: str | None = None, proof: str = QUICK, **fields: Any) -> list[bytes]:
    return [json.dumps({"custom_id": name, "proof": proof, "run": run} | fields).encode() for name in names.split()]


async def test_what_waits_is_answered_by_a_worker_that_starts_later(env: dict[str, str]) -> None:
    await kafka_records.send(env, requests("a1 a2 a3", "a"))
    await kafka_records.send(env, requests("b1 b2", "b"))
    await kafka_records.send(env, requests("n1 n2"))
    await kafka_records.send(env, requests("g1", "b", group="g"))
    await kafka_records.send(env, requests("k1", "b"), kafka_headers=caller_headers("alice", "17"))
    await kafka_records.send(env, [b"no JSON"])

    async with AsyncClient(settings_of(env)) as client:
        counted = await client.cancel(run="a", dry_run=True)
        assert (counted.matching, counted.waiting) == (3, 10)
        assert (await client.cancel(ids=["b2", "n1"], dry_run=True)).matching == 2
        assert (await client.cancel(run="b", group="g")).waiting == 10
        await client.cancel(api_key="alice", ids="17")
        await client.cancel(ids=["n1", "nobody's"])
    done = await asyncio.to_thread(run_command, env, "cancel", "--run", "a", "--json")
    said = json.loads(done.stdout)
    assert (said["waiting"], said["matching"], said["not_forwarded"], said["run"]) == (10, None, 0, "a")
    # Sent when it was cancelled already: it is another run, though of that name.
    await kafka_records.send(env, requests("a4", "a"))

    with serving_worker(env):
        found = await kafka_records.results(env, {"a1", "a2", "a3", "a4", "b1", "b2", "n1", "n2", "g1", "k1"})
        ended = {name for name, result in found.items() if result.reason == "superseded"}
        assert ended == {"a1", "a2", "a3", "n1", "g1", "k1"}
        assert {found[name].status for name in found.keys() - ended} == {"verified"}
        assert found["a1"].summary.startswith("no verdict of its own: cancelled at ")
        assert (found["a1"].superseded_by, found["a1"].retriable, found["a1"].attempts) == (None, False, 0)


@pytest.mark.kafka
async def test_a_backlog_of_two_workers_is_answered_and_the_next_run_of_that_name_is_verified(kafka: str) -> None:
    env = make_environment(kafka, real=True)
    slow, others = [f"a{number}" for number in range(300)], {f"b{number}" for number in range(6)}
    with started(env, "worker") as first, started(env, "worker") as second:
        for worker in (first, second):
            await asyncio.to_thread(wait_for_log, worker, "partitions_restored")
        async with AsyncClient(settings_of(env)) as client:
            # Of 2 seconds each, in four slots: without the cancellation they would take two and a half minutes.
            # Without a key they go to all partitions.
            await kafka_records.send(env, requests(" ".join(slow), "a", SLOW), key=None)
            waiting = asyncio.create_task(client.verify([{"custom_id": "w", "proof": SLOW, "run": "a"}], timeout=300))
            await kafka_records.send(env, requests(" ".join(others), "b"), key=None)
            await kafka_records.read(env, "RESULT_TOPIC", 1)
            assert (await client.cancel(run="a")).waiting
            # Whoever waits has an answer, and each request has: the verdict of what ran, and the word of what did not.
            assert (await waiting).missing == ()
        found = await kafka_records.results(env, others.union(slow))
        assert {found[name].status for name in others} == {"verified"}
        assert {str(found[name].reason) for name in slow} <= {"ok", "superseded"}
        ended = [found[name] for name in slow if found[name].reason == "superseded"]
        assert len(ended) > len(slow) // 2
        assert len({result.worker for result in ended}) == 2
        await kafka_records.send(env, requests("again1 again2 again3", "a"), key=None)
        again = {"again1", "again2", "again3"}
        found = await kafka_records.results(env, again)
        assert {found[name].status for name in again} == {"verified"}
    left = run_command(env, "offsets", "--json")
    assert sum(each["to_do"] for each in json.loads(left.stdout)["partitions"]) == 0
