"""How a router ends, and what becomes of it without a broker: processes on a real Apache Kafka."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest
from command import end, run_command
from kafka_broker import KafkaNodes
from router_processes import PATIENCE, Running, Topics, ids, logged_router, make_topics, proofs, router, router_process

from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kafka]


@pytest.fixture
def topics(kafka: str) -> Topics:
    return make_topics(kafka)


def test_ctrl_c_ends_the_worker_and_leaves_no_process(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with router_process(topics) as process:
        running = Running(process)
        asyncio.run(running.ready())
        _, rest = end(process, signal.SIGINT)
    said = "".join(running.said) + rest
    assert process.returncode == 0, said
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in said
    # Nothing of Faust's own chatter, and each line in our form.
    assert all(re.match(r"\d{4}-\d\d-\d\dT\S+ \[\w+ *\] ", line) for line in said.splitlines()), said
    assert "Starting..." not in said


def test_a_second_signal_ends_a_worker_without_a_broker(tmp_path: Path) -> None:
    with KafkaNodes() as nodes:
        topics = make_topics(nodes.bootstrap_servers)
        with logged_router(topics, tmp_path) as running:
            asyncio.run(running.ready())
            asyncio.run(topics.produce(proofs(100)))
            nodes.kill(1)
            time.sleep(1)
            running.process.terminate()
            # Two signals at once would be one.
            while "drains" not in running.problem():
                time.sleep(0.1)
            assert running.process.poll() is None
            running.process.terminate()
            assert running.process.wait(120) == 130


def test_a_worker_goes_on_when_its_broker_comes_back(tmp_path: Path) -> None:
    with KafkaNodes() as nodes:
        topics = make_topics(nodes.bootstrap_servers)
        with logged_router(topics, tmp_path) as running:
            asyncio.run(running.ready())
            asyncio.run(topics.produce(proofs(1000)))
            nodes.kill(1)
            _wait_for(tmp_path / "log", "no_broker_answers")
            assert "no broker answers at" in running.problem()
            nodes.start(1)
            _wait_for(tmp_path / "log", "broker_answers_again")
            asyncio.run(topics.produce(proofs(500, first=1000)))
            assert sum(asyncio.run(running.counts(1500)).values()) == 1500
            assert set(ids(asyncio.run(topics.read("REQUEST", 1500)))) == {f"p{n}" for n in range(1500)}
            running.process.terminate()
            assert running.process.wait(60) == 0
        said = (tmp_path / "log").read_text()
    assert (said.count("no_broker_answers"), said.count("broker_answers_again")) == (1, 1)


def _wait_for(log: Path, event: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while event not in log.read_text():
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.1)


async def test_the_older_of_two_under_one_name_ends_with_6_in_one_line_and_the_newer_forwards(topics: Topics) -> None:
    topics.env[PREFIX + "GROUP_INSTANCE_ID"] = "router-1"
    with router_process(topics) as process:
        older = await asyncio.to_thread(Running, process)
        await older.ready()
        await topics.produce(proofs(1000))
        async with router(topics) as newer:
            _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
            await topics.produce(proofs(500, first=1000))
            assert sum((await newer.counts(1500)).values()) == 1500
            assert set(ids(await topics.read("REQUEST", 1500))) == {f"p{n}" for n in range(1500)}
            await asyncio.to_thread(end, newer.process)
    assert (process.returncode, newer.process.returncode) == (6, 0)
    [line] = [line for line in said.splitlines() if "router_started" not in line]
    assert re.match(r"error: (another router|the router \S+) has joined the group .*GROUP_INSTANCE_ID=router-1", line)


def test_a_signal_ends_a_worker_that_is_starting(topics: Topics) -> None:
    with router_process(topics) as process:
        Running(process)
        end(process)
    assert process.returncode == 0


def test_a_wrong_topic_is_a_wrong_setting(topics: Topics) -> None:
    ended = run_command({**topics.env, PREFIX + "INGEST_TOPIC": "a.b/c"}, "router")
    assert ended.returncode == 2
    assert PREFIX + "INGEST_TOPIC" in ended.stderr
