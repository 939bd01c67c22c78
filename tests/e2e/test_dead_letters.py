"""dlq and offsets on a broker: letters that a worker wrote, sent again, and what its commits say."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from command import end, make_environment, run_command, started

from streamverify.client.dead_letters import REPLAYS
from streamverify.core.delivery.offset_map import OffsetMap, encode_map
from streamverify.core.messages.dead_letter import PREFIX as ERRORS
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

PROOF = "theorem t : 1 = 1 := rfl"
HEADERS = [("trace", b"\x00\xff"), ("trace", b"2")]


@pytest.fixture
def env(broker: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Topics of one test's own."""
    # The embedded broker lets a second worker in only when the session of the first is over.
    return make_environment(broker, real=request.config.getoption("--kafka")) | {PREFIX + "SESSION_TIMEOUT_MS": "6000"}


async def command(env: Mapping[str, str], *arguments: str) -> Any:
    return await asyncio.to_thread(run_command, env, *arguments)


async def bury(env: Mapping[str, str], values: list[bytes | None]) -> None:
    """Have a worker make dead letters of these."""
    with started(env, "worker") as process:
        await kafka_records.send(env, values, kafka_headers=HEADERS, key=b"\xfe")
        await kafka_records.read(env, "DLQ_TOPIC", len(values))
        await asyncio.to_thread(end, process)
        assert process.returncode == 0


async def test_letters_are_listed_shown_and_sent_again_as_they_came(env: dict[str, str]) -> None:
    values = [b"not JSON", None, b"", b"\xff\xfe"]
    await bury(env, values)

    listed = [json.loads(line) for line in (await command(env, "dlq", "list", "--json")).stdout.splitlines()]
    assert len(listed) == len(values)
    assert {one["stage"] for one in listed} == {"decode"}
    assert {one["value_bytes"] for one in listed} == {8, None, 0, 2}
    [null] = [one for one in listed if one["value_bytes"] is None]

    place = f"{null['partition']}:{null['offset']}"
    shown = json.loads((await command(env, "dlq", "show", place, "--json")).stdout)
    assert shown["value"] is None
    assert shown["headers"] == [["trace", {"base64": "AP8="}], ["trace", "2"]]
    assert "UndecodableRequest" in shown["stack_trace"]
    assert shown["source"]["topic"] == env[PREFIX + "REQUEST_TOPIC"]

    replay = await command(env, "dlq", "replay", "--all", "--json")
    assert replay.returncode == 0, replay.stderr
    assert json.loads(replay.stdout)["sent"] == len(values)
    records = await kafka_records.read(env, "REQUEST_TOPIC", 2 * len(values))
    again = [record for record in records if REPLAYS in dict(record.headers)]
    assert sorted(repr(record.value) for record in again) == sorted(map(repr, values))
    for record in again:
        assert record.key == b"\xfe"
        assert list(record.headers) == [*HEADERS, (REPLAYS, b"1")]
        assert not [name for name, _ in record.headers if name.startswith(ERRORS)]


async def test_a_letter_that_fails_again_is_counted_and_then_left(env: dict[str, str]) -> None:
    await bury(env, [b"not JSON"])
    assert (await command(env, "dlq", "replay", "--all")).returncode == 0
    with started(env, "worker"):
        await kafka_records.read(env, "DLQ_TOPIC", 2)
    listed = [json.loads(line) for line in (await command(env, "dlq", "list", "--json")).stdout.splitlines()]
    assert sorted(one["replays"] for one in listed) == [0, 1]
    [worn] = [f"{one['partition']}:{one['offset']}" for one in listed if one["replays"] == 1]
    refused = await command(env, "dlq", "replay", worn, "--max-replays", "1")
    assert refused.returncode == 2
    assert "replayed 1 time already" in refused.stderr
    missing = await command(env, "dlq", "show", "0:999")
    assert missing.returncode == 2
    assert "there is no letter 0:999" in missing.stderr


async def test_a_record_of_somebody_else_is_listed_and_never_sent(env: dict[str, str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"]) as producer:
        await producer.send_and_wait(env[PREFIX + "DLQ_TOPIC"], b"mine", headers=[("my", b"own")])
    listed = await command(env, "dlq", "list")
    assert "the record is no" in listed.stdout
    replay = await command(env, "dlq", "replay", "--all")
    assert replay.returncode == 2
    assert "0 letters sent" in replay.stdout


async def test_offsets_say_what_a_worker_has_committed(env: dict[str, str]) -> None:
    names = {f"p{number}" for number in range(20)}
    values = [json.dumps({"custom_id": name, "proof": PROOF}).encode() for name in sorted(names)]
    before = json.loads((await command(env, "offsets", "--json")).stdout)
    assert {one["state"] for one in before["partitions"]} == {"new"}
    with started(env, "worker") as process:
        await kafka_records.send(env, [*values])
        await kafka_records.results(env, names)
        await asyncio.to_thread(end, process)
    after = json.loads((await command(env, "offsets", "--json")).stdout)
    assert sum(one["committed"] or 0 for one in after["partitions"]) == len(names)
    assert {one["lag"] for one in after["partitions"]} == {0}
    assert "closed" in {one["state"] for one in after["partitions"]}
    shown = await command(env, "offsets")
    assert "0 records to do" in shown.stdout


async def test_offsets_decode_a_map_and_name_a_foreign_one(env: dict[str, str]) -> None:
    topic, group = env[PREFIX + "REQUEST_TOPIC"], "by-hand"
    await kafka_records.send(env, [b"x"] * 40, key=None)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"], group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
        consumer.assign([first, second])
        text = encode_map(OffsetMap(0, 3, {0: 0, 2: 2}, open=True), topic, 0)
        await consumer.commit({first: (0, text), second: (0, "somebody's note")})
    finally:
        await consumer.stop()
    said = await command(env, "offsets", "--group", group, "--json")
    one, two, *rest = json.loads(said.stdout)["partitions"]
    assert (one["state"], one["incomplete"]) == ("open", [[0, 0], [2, 2]])
    assert (two["state"], two["committed"]) == ("foreign", 0)
    assert {other["state"] for other in rest} == {"new"}
    shown = await command(env, "offsets", "--group", group)
    assert "2 (2x)" in shown.stdout
    assert "partition 1" in shown.stderr
    assert "not base64" in shown.stderr
