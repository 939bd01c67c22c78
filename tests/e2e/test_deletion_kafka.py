"""docs/deletion.md, typed on a real Apache Kafka: after its commands the bytes are gone from the broker's files."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from command import end, make_environment, run_command, serving_worker, settings_of, started, wait_for_log
from kafka_broker import KafkaNodes

from streamverify.bus.admin import open_admin
from streamverify.bus.topics import table_changelog_topic
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PATIENCE = 300.0
SOON = {"segment.ms": "500", "file.delete.delay.ms": "100"}
COMPACTED_SOON = SOON | {
    "cleanup.policy": "compact,delete",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "0",
    "min.cleanable.dirty.ratio": "0.001",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka") / "data"


@pytest.fixture(scope="module")
def env(folder: Path) -> Iterator[dict[str, str]]:
    # Kafka looks for what is to be deleted every five minutes, and for what is to be compacted every 15 s.
    soon = ("log.initial.task.delay.ms=500", "log.cleaner.backoff.ms=500", "log.retention.check.interval.ms=1000")
    with KafkaNodes(1, "--dir", str(folder), *(word for line in soon for word in ("--set", line))) as nodes:
        made = make_environment(nodes.bootstrap_servers, real=False)
        created = run_command(made, "topics", "create", "--partitions", "1")
        assert created.returncode == 0, created.stderr
        asyncio.run(alter(made))
        yield made


async def alter(env: Mapping[str, str]) -> None:
    """What the how-to does with kafka-configs.sh."""
    settings = settings_of(env)
    wanted = {
        settings.result_topic: COMPACTED_SOON,
        table_changelog_topic(settings): COMPACTED_SOON,
        settings.request_topic: SOON,
        settings.ingest_topic: SOON,
        settings.dlq_topic: SOON,
    }
    admin = await open_admin(settings)
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, configs) for topic, configs in wanted.items()]
    )
    await admin.close()


def verify(env: Mapping[str, str], ids: Iterable[str]) -> None:
    lines = "".join(
        json.dumps({"custom_id": each, "proof": f"-- of {each}\ntheorem t : 1 = 1 := rfl\n"}) + "\n" for each in ids
    )
    ended = run_command(env, "verify", "-", "--wait", "300", stdin=lines)
    assert ended.returncode == 0, ended.stderr


async def request_one_more(env: Mapping[str, str]) -> None:
    value = json.dumps({"custom_id": f"later/{time.monotonic_ns()}", "proof": "theorem t : 1 = 1 := rfl"}).encode()
    async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"]) as producer:
        await producer.send_and_wait(env[PREFIX + "REQUEST_TOPIC"], value)


def files_with(folder: Path, env: Mapping[str, str], word: bytes) -> set[str]:
    """The topics of which a log file has the word."""
    name = env[PREFIX + "GROUP_ID"]
    found = set()
    for file in folder.rglob("*.log*"):
        if not file.parent.name.startswith(name):
            continue
        try:
            if word in file.read_bytes():
                found.add(file.parent.name.removesuffix("-0").removeprefix(name))
        except FileNotFoundError:
            continue
    return found


def test_after_the_how_to_nothing_of_alice_is_on_the_disk(env: dict[str, str], folder: Path) -> None:
    with serving_worker(env), started(env, "table") as table:
        wait_for_log(table, "table_restored")
        verify(env, [*(f"alice/{n}" for n in range(3)), "bob/1"])
        results, requests = (env[f"{PREFIX}{name}_TOPIC"] for name in ("RESULT", "REQUEST"))
        plain = run_command(env, "delete", "--id", "a", "--result-topic", requests, "--request-topic", results)
        assert (plain.returncode, "is not compacted" in plain.stderr) == (4, True)
        assert run_command(env, "delete", "--run", "nobody's").stdout.startswith("0 results deleted")
        looked = run_command(env, "delete", "--prefix", "alice/", "--dry-run")
        assert looked.stdout == f"3 results would be deleted on {env[PREFIX + 'RESULT_TOPIC']}\n"
        wait_until(lambda: files_with(folder, env, b"alice/") >= {".results", ".proofs", "-table-results-changelog"})

        done = run_command(env, "delete", "--prefix", "alice/", "--json")
        assert json.loads(done.stdout)["results"] == 3, done.stderr
        assert run_command(env, "delete", "--prefix", "alice/").stdout.startswith("0 results deleted")
        assert run_command(env, "results", "--prefix", "bob/", "--json").stdout.count("\n") == 1
        wait_until(lambda: offsets_to_do(env) == 0)
        by_age = run_command(env, "delete", "--requests-before", "0s", "--json")
        proofs = json.loads(by_age.stdout)["requests"][env[PREFIX + "REQUEST_TOPIC"]]
        assert proofs == {"deleted": 4, "kept": 0}, by_age.stderr

        # A segment is closed by the next record after its time, and only closed ones are compacted or deleted.
        def gone() -> bool:
            asyncio.run(request_one_more(env))
            return not files_with(folder, env, b"alice")

        wait_until(gone)
        assert files_with(folder, env, b"bob/1") >= {".results"}
        end(table)


def offsets_to_do(env: Mapping[str, str]) -> int:
    said = json.loads(run_command(env, "offsets", "--json").stdout)
    return sum(partition["to_do"] for partition in said["partitions"])


def wait_until(true: object) -> None:
    assert callable(true)
    give_up = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.5)
