"""No command of ours lets a broker make a topic, though this one would (`auto.create.topics.enable`, Apache's default).

The commands are those of the application, so that a later one cannot be forgotten: one that is not in the table below
fails the test until it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
import typer
from aiokafka import AIOKafkaProducer
from command import end, make_environment, run_all, run_command, settings_of, started, wait_for_log
from kafka_broker import KafkaNodes

from streamverify.bus.admin import patient_admin
from streamverify.bus.topics import plan_topics
from streamverify.cli.app import make_app
from streamverify.client import AsyncClient
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.messages.models import ProofRequest
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


PROOF = "theorem t : 1 = 1 := rfl"
NAMES_TOPICS: dict[tuple[str, ...], list[str]] = {
    ("worker",): [],
    ("router",): [],
    ("table",): [],
    ("gateway",): ["--gateway-port", "0"],
    ("serve",): ["--gateway-port", "0"],
    ("produce",): ["-"],
    ("replay",): ["-", "--format", "lean"],
    ("export",): ["--output", "exported.jsonl"],
    ("verify",): ["-", "--wait", "2"],
    ("results",): ["--json"],
    ("retry",): ["--since", "1h"],
    ("cancel",): ["--run", "nobody's"],
    ("delete",): ["--id", "nobody's"],
    ("offsets",): [],
    ("dlq", "list"): [],
    ("dlq", "show"): ["0:0"],
    ("dlq", "replay"): ["--all"],
    ("topics", "describe"): [],
    ("top",): ["--once"],
    ("workers",): [],
    ("status",): [],
}
"""Commands that need a topic, with the arguments of a run that ends, if no topic is there, with exit code 4."""
NEEDS_NONE = {("broker",), ("demo",), ("doctor",), ("config",), ("schema",), ("report",)}
"""Commands that need no topic of this broker; `doctor` says which are missing."""
MAKES_THEM = {("topics", "create")}
SERVERS = {("worker",), ("router",), ("table",), ("gateway",), ("serve",)}
"""Commands that run until they are told to stop."""


def commands(of: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the application, by its words."""
    command = of or typer.main.get_command(make_app())
    if not hasattr(command, "commands"):
        yield path
        return
    for name, one in command.commands.items():
        yield from commands(one, (*path, name))


def test_the_table_has_every_command() -> None:
    assert set(commands()) == NAMES_TOPICS.keys() | NEEDS_NONE | MAKES_THEM


def request(custom_id: str) -> ProofRequest:
    return ProofRequest(custom_id=custom_id, proof=PROOF)


async def topics_of(env: Mapping[str, str]) -> set[str]:
    """The topics of the broker, without those that Kafka itself needs for groups and transactions."""
    async with patient_admin(settings_of(env)) as admin:
        return {name for name in await admin.ask(lambda client: client.list_topics()) if not name.startswith("__")}


@pytest.fixture(scope="module")
def nodes() -> Iterator[KafkaNodes]:
    """A broker on which nobody else makes topics meanwhile."""
    with KafkaNodes() as broker:
        yield broker


@pytest.fixture
async def env(nodes: KafkaNodes) -> dict[str, str]:
    """A broker that makes topics if it is let: which is shown first, or else all below would show nothing."""
    env = make_environment(nodes.bootstrap_servers, real=False)
    control = f"{env[PREFIX + 'GROUP_ID']}.control"
    async with AIOKafkaProducer(bootstrap_servers=nodes.bootstrap_servers) as producer:
        await producer.send_and_wait(control, b"made by naming it")
    assert control in await topics_of(env)
    return env


@pytest.mark.kafka
async def test_no_command_makes_a_topic_and_a_missing_one_is_said_at_once(env: dict[str, str]) -> None:
    before = await topics_of(env)
    walked = {(*command, *arguments): command for command, arguments in NAMES_TOPICS.items()}
    walked[("doctor",)] = ("doctor",)
    servers = env[PREFIX + "BOOTSTRAP_SERVERS"]
    for run, ended in (await asyncio.to_thread(run_all, env, *walked, stdin=PROOF)).items():
        if run == ("doctor",):
            assert f"topic {env[PREFIX + 'REQUEST_TOPIC']}" in ended.stdout
            continue
        assert ended.returncode == 4, (run, ended.stderr)
        said = [line for line in ended.stderr.splitlines() if line.startswith("error: no topic ")]
        assert said, (run, ended.stderr)
        assert all(line.endswith(f" on {servers}: streamverify topics create") for line in said), run
    async with AsyncClient(settings_of(env)) as client:
        for call in (client.verify([request("a")], timeout=5), client.submit(request("b"))):
            with pytest.raises(BrokerUnavailable, match=f"^no topic .* on {servers}: streamverify topics create$"):
                await call
    assert await topics_of(env) == before


@pytest.mark.kafka
async def test_who_works_makes_none_and_a_topic_that_is_deleted_is_not_made_anew(env: dict[str, str]) -> None:
    """A worker, a router, a gateway and a client at work, and each command; then all topics go, and come."""
    create = ("topics", "create", "--partitions", "3")
    kept = await topics_of(env)
    assert (await asyncio.to_thread(run_command, env, *create)).returncode == 0
    ours = await topics_of(env) - kept
    assert len(ours) == len(plan_topics(settings_of(env)))
    with (
        started(env, "worker") as worker,
        started(env, "router") as router,
        started(env, "gateway", "--gateway-port", "0") as gateway,
    ):
        await asyncio.to_thread(wait_for_log, worker, "partitions_restored")
        await asyncio.to_thread(wait_for_log, router, "router_started")
        await asyncio.to_thread(wait_for_log, gateway, "gateway_listening")
        async with AIOKafkaProducer(bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"]) as producer:
            await producer.send_and_wait(env[PREFIX + "REQUEST_TOPIC"], b"no JSON, so a dead letter")
            routed = json.dumps({"custom_id": "routed", "proof": PROOF}).encode()
            await producer.send_and_wait(env[PREFIX + "INGEST_TOPIC"], routed)
        async with AsyncClient(settings_of(env)) as client:
            assert (await client.verify([request("before")], timeout=300))[0].status == "verified"
            runs = [(*name, *given) for name, given in NAMES_TOPICS.items() if name not in SERVERS]
            for run, ended in (await asyncio.to_thread(run_all, env, *runs, stdin=PROOF)).items():
                assert ended.returncode == 0, (run, ended.stderr)
            assert await topics_of(env) == kept | ours

            async with patient_admin(settings_of(env)) as admin:
                await admin.ask(lambda kafka: kafka.delete_topics(sorted(ours)))
            # The worker has asked for its topic, and was told that there is none.
            await asyncio.to_thread(wait_for_log, worker, "no_partitions")
            # The client's producer knows the topic from before: it learns that it is gone, and asks again and again.
            sending = asyncio.create_task(client.submit(request("meanwhile")))
            await asyncio.wait({sending}, timeout=3.0)
            assert await topics_of(env) == kept

            assert (await asyncio.to_thread(run_command, env, *create)).returncode == 0
            with contextlib.suppress(BrokerUnavailable):
                # It went out to the new topic, unless Kafka took it in the last moment of the old one.
                await sending
            assert (await client.verify([request("after")], timeout=300))[0].status == "verified"
        # Their topics went away under them: whatever they do then, it is not to take the time of a drain.
        await asyncio.to_thread(end, router, signal.SIGKILL)
        await asyncio.to_thread(end, gateway, signal.SIGKILL)
    assert await topics_of(env) == kept | ours
