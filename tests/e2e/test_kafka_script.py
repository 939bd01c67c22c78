"""deploy/kafka/kafka.py: a real Apache Kafka that comes, serves, loses nodes, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from command import alive, wait_until_gone
from kafka_broker import SCRIPT, KafkaNodes, NoBrokerError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kafka]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script as a person starts it, ready, its data in `tmp_path`/data."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "run", "--dir", str(data_of(tmp_path))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("127.0.0.1:")
        yield process
        process.kill()


def data_of(tmp_path: Path) -> Path:
    return tmp_path / "a path with spaces, and a comma"


def nodes_in(folder: Path) -> list[int]:
    """The pids of what runs below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder in (process / "cwd").readlink().parents:
                found.append(int(process.name))
    return found


async def round_trip(servers: str, topic: str, value: bytes) -> None:
    """Produce `value`, and read the topic's first partition until it comes."""
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async for record in consumer:
            if record.value == value:
                return


async def make_topic(servers: str, replicas: int) -> str:
    topic = f"test-{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=replicas)])
    finally:
        await admin.close()
    return topic


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_it_with_0_and_leaves_nothing(started: subprocess.Popen[str], tmp_path: Path, way: str) -> None:
    data = data_of(tmp_path)
    assert len(nodes_in(data)) == 1

    if way == "SIGTERM":
        started.send_signal(signal.SIGTERM)
    else:
        # Ctrl-C reaches the whole process group, the broker too.
        os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=300)

    assert started.returncode == 0, said
    assert nodes_in(data) == []
    assert not data.exists()


def test_even_sigkill_leaves_nothing(started: subprocess.Popen[str], tmp_path: Path) -> None:
    started.kill()
    # The guard holds stdout until it has cleaned up.
    started.communicate(timeout=300)

    # It has killed the node, whose end a busy machine takes a moment for.
    wait_until_gone(nodes_in(data_of(tmp_path)))
    assert nodes_in(data_of(tmp_path)) == []
    assert not data_of(tmp_path).exists()


@pytest.mark.parametrize("way", ["nohup", "&"])
def test_it_stays_when_the_script_that_started_it_ends(tmp_path: Path, way: str) -> None:
    """And when the terminal of the two is closed, with nohup; its port is the one that was asked for."""
    data, port = data_of(tmp_path), free_port()
    said = tmp_path / "said"
    run = [sys.executable, str(SCRIPT), "run", "--dir", str(data), "--port", str(port)]
    script = f"{'nohup ' if way == 'nohup' else ''}{shlex.join(run)} > {tmp_path}/servers 2> {said} & echo $!"
    started = subprocess.run(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True, cwd=tmp_path)
    pid = int(started.stdout)
    try:
        while (tmp_path / "servers").read_text() != f"127.0.0.1:{port}\n":
            assert alive(pid), said.read_text()
            time.sleep(0.1)
        if way == "nohup":
            os.kill(pid, signal.SIGHUP)
        asyncio.run(round_trip(f"127.0.0.1:{port}", asyncio.run(make_topic(f"127.0.0.1:{port}", 1)), b"still there"))
        assert f"data and logs are in {data}" in said.read_text()
        assert f"`kill {pid}`" in said.read_text()
        # A second one cannot have the port, and says so in one line.
        again = [*run[:-3], str(tmp_path / "second"), *run[-2:]]
        second = subprocess.run(again, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        [line] = second.stderr.splitlines()
        assert line.startswith(f"kafka: cannot listen on port {port} of 127.0.0.1 (Address already in use): is another")
    finally:
        os.kill(pid, signal.SIGTERM)
    assert wait_until_gone([pid]) == []
    assert nodes_in(data) == []
    assert not data.exists()


def test_a_node_that_dies_by_itself_ends_it_with_4_and_its_log(started: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(nodes_in(data_of(tmp_path))[0], signal.SIGKILL)
    _, said = started.communicate(timeout=300)

    assert started.returncode == 4
    assert "node 1 ended by itself" in said
    assert "Kafka Server started" in said
    assert not data_of(tmp_path).exists()


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "run", "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "not empty" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


async def test_one_node_is_paused_and_killed_and_keeps_its_records() -> None:
    nodes = await asyncio.to_thread(KafkaNodes().__enter__)
    try:
        with pytest.raises(NoBrokerError, match="is not kill, stop, pause, continue or start"):
            await asyncio.to_thread(nodes.kill, 7)
        topic = await make_topic(nodes.bootstrap_servers, replicas=1)
        await asyncio.to_thread(nodes.pause, 1)
        sending = asyncio.create_task(round_trip(nodes.bootstrap_servers, topic, b"patient"))
        done, _ = await asyncio.wait({sending}, timeout=0.5)
        assert not done
        await asyncio.to_thread(nodes.resume, 1)
        await sending
        await asyncio.to_thread(nodes.kill, 1)
        await asyncio.to_thread(nodes.start, 1)
        await round_trip(nodes.bootstrap_servers, topic, b"after")
        consumer = AIOKafkaConsumer(bootstrap_servers=nodes.bootstrap_servers)
        async with consumer:
            consumer.assign([TopicPartition(topic, 0)])
            assert await consumer.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 2}
    finally:
        await asyncio.to_thread(nodes.__exit__, None, None, None)


async def test_three_nodes_lose_one_and_get_it_back() -> None:
    nodes = await asyncio.to_thread(KafkaNodes(3).__enter__)
    try:
        assert len(nodes.bootstrap_servers.split(",")) == 3
        topic = await make_topic(nodes.bootstrap_servers, replicas=3)
        await round_trip(nodes.bootstrap_servers, topic, b"all three")
        await asyncio.to_thread(nodes.kill, 1)
        await round_trip(nodes.bootstrap_servers, topic, b"two are enough")
        await asyncio.to_thread(nodes.start, 1)
        await asyncio.to_thread(nodes.stop, 2)
        await round_trip(nodes.bootstrap_servers, topic, b"the first is back")
        await asyncio.to_thread(nodes.start, 2)
    finally:
        await asyncio.to_thread(nodes.__exit__, None, None, None)
