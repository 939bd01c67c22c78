"""The router, as processes on a real Apache Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from command import end, environment, run_command, settings_of, started
from kafka_broker import KafkaNodes
from kafka_topics import make_topics

from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.scheduling.partitioner import BLANK, SLACK, affinity_key
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kafka]

PARTITIONS = 4
PATIENCE = 300.0
HEADERS = ["import Mathlib\n"] * 8 + ["import Lean\n", "import Aesop\n"]


@dataclass
class Topics:
    """Topics of one test, and what talks to them."""

    servers: str
    env: dict[str, str]
    sent: list[bytes] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.env[f"{PREFIX}{name}_TOPIC"]

    @property
    def changelog(self) -> str:
        return f"{self.env[PREFIX + 'GROUP_ID']}-router-headers-changelog"

    async def produce(self, values: list[bytes | None], **options: Any) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.servers, acks="all", linger_ms=2)
        await producer.start()
        futures = [
            await producer.send(self["INGEST"], value, key=options.get("key", b"foreign"), **options.get("more", {}))
            for value in values
        ]
        await asyncio.gather(*futures)
        await producer.stop()
        self.sent += [value for value in values if value is not None]

    async def read(self, name: str, until: int) -> list[Any]:
        """The topic's records, as soon as there are `until` of them, each partition in its order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([TopicPartition(self[name], number) for number in range(1 if name == "DLQ" else PARTITIONS)])
        records: list[Any] = []
        give_up = time.monotonic() + PATIENCE
        while len(records) < until and time.monotonic() < give_up:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        records += [record for batch in (await consumer.getmany(timeout_ms=500)).values() for record in batch]
        await consumer.stop()
        return records


@pytest.fixture
def topics(kafka: str) -> Topics:
    return _topics(kafka)


def _topics(servers: str) -> Topics:
    name = uuid.uuid4().hex[:8]
    env = environment(
        BOOTSTRAP_SERVERS=servers,
        GROUP_ID=name,
        INGEST_TOPIC=f"{name}.ingest",
        REQUEST_TOPIC=f"{name}.proofs",
        RESULT_TOPIC=f"{name}.results",
        DLQ_TOPIC=f"{name}.dlq",
        GROUPS_TOPIC=f"{name}.groups",
        HTTP_PORT="0",
        SESSION_TIMEOUT_MS="6000",
    )
    make_topics(settings_of(env), PARTITIONS)
    return Topics(servers, env)


class Running:
    """A router's process, with the address of its pages."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line)
            if self.find_address(line):
                return
        raise AssertionError("".join(self.said))

    def find_address(self, text: str) -> bool:
        found = re.search(r"http_listening .*port=(\d+)", text)
        if found:
            self.address = f"http://127.0.0.1:{found[1]}"
        return found is not None

    async def get(self, path: str) -> tuple[int, str]:
        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(self.address + path, timeout=10) as answer:  # noqa: S310 - our own
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, ""

        return await asyncio.to_thread(ask)

    def problem(self) -> str:
        """What `/ready` says, whatever its status."""
        try:
            answer = urllib.request.urlopen(self.address + "/ready", timeout=10)  # noqa: S310 - our own
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return str(json.load(answer)["problem"])

    async def ready(self) -> None:
        give_up = time.monotonic() + PATIENCE
        while (await self.get("/ready"))[0] != 200:
            assert time.monotonic() < give_up, "never ready"
            await asyncio.sleep(0.1)

    async def counts(self, total: int) -> dict[str, int]:
        """What the view says, as soon as its total is what it should be."""
        give_up = time.monotonic() + PATIENCE
        while True:
            view = json.loads((await self.get("/headers"))[1])
            if view["total"] >= total or time.monotonic() > give_up:
                return {row["header"]: row["count"] for row in view["headers"]}
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def router(topics: Topics) -> AsyncIterator[Running]:
    with _process(topics) as process:
        running = await asyncio.to_thread(Running, process)
        await running.ready()
        yield running


@contextlib.contextmanager
def _process(topics: Topics) -> Iterator[subprocess.Popen[str]]:
    with started(topics.env, "router") as process:
        yield process


def proofs(count: int, first: int = 0) -> list[bytes | None]:
    return [
        json.dumps({"custom_id": f"p{n}", "proof": HEADERS[n % 10] + "theorem t : 1 = 1 := rfl"}).encode()
        for n in range(first, first + count)
    ]


def ids(records: list[Any]) -> list[str]:
    return [json.loads(record.value)["custom_id"] for record in records]


async def test_values_headers_and_timestamps_stay_and_the_key_is_the_fingerprint(topics: Topics) -> None:
    marks = [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", None)]
    value = b'{"proof":  "import Lean\\ntheorem t := 1", "custom_id": 7, "unknown": 1e3}'
    async with router(topics):
        await topics.produce([value], more={"headers": marks, "timestamp_ms": 1_700_000_000_123})
        [record] = await topics.read("REQUEST", 1)
    assert record.value == value
    assert list(record.headers) == marks
    assert record.timestamp == 1_700_000_000_123
    assert record.key == affinity_key("import Lean")


async def test_everything_arrives_once_in_order_where_its_header_belongs(topics: Topics) -> None:
    async with router(topics) as running:
        await topics.produce(proofs(3000), key=None, more={"partition": 1})
        records = await topics.read("REQUEST", 3000)
        counts = await running.counts(3000)
        process = running.process
        end(process)
    assert process.returncode == 0
    assert sorted(ids(records)) == sorted(f"p{n}" for n in range(3000))
    everything: Counter[int] = Counter(record.partition for record in records)
    for partition in range(PARTITIONS):
        here = [record for record in records if record.partition == partition]
        order = [int(custom_id[1:]) for custom_id in ids(here)]
        assert order == sorted(order)
    # The header with four fifths of the proofs fills what the others leave.
    assert max(everything.values()) - min(everything.values()) <= SLACK
    for rare in ("import Lean", "import Aesop"):
        partitions = Counter(record.partition for record in records if record.key == affinity_key(rare))
        # A tenth of four partitions is less than one, but for the first few, when shares are not known. Which one is
        # chance: a new header goes to the least filled of eight.
        assert max(partitions.values()) > 280
    assert counts == {"import Mathlib\n": 2400, "import Lean\n": 300, "import Aesop\n": 300}


async def test_a_malformed_record_becomes_a_dead_letter_and_an_invalid_request_is_forwarded(topics: Topics) -> None:
    malformed: list[bytes | None] = [b"not JSON", b'{"proof": "x"}', None, b""]
    wrong: list[bytes | None] = [
        b'{"custom_id": "no proof"}',
        b'{"custom_id": "header", "proof": "prelude\\n"}',
        b'{"custom_id": "field", "proof": "import Lean", "timeout": "soon"}',
        json.dumps({"custom_id": "large", "proof": "x" * 700_000}).encode(),
    ]
    async with router(topics):
        await topics.produce([*malformed, *wrong], key=b"k", more={"partition": 2, "timestamp_ms": 1_600_000_000_001})
        letters = await topics.read("DLQ", len(malformed))
        requests = await topics.read("REQUEST", len(wrong))
    assert sorted(ids(requests)) == ["field", "header", "large", "no proof"]
    assert {record.key for record in requests} == {BLANK}
    assert [letter.value for letter in letters] == malformed
    assert {(letter.key, letter.timestamp) for letter in letters} == {(b"k", 1_600_000_000_001)}
    read = [DeadLetter.from_record(key=item.key, value=item.value, kafka_headers=item.headers) for item in letters]
    assert [letter.source.offset for letter in read] == [0, 1, 2, 3]
    assert {(letter.stage, letter.source.topic, letter.source.partition) for letter in read} == {
        ("route", topics["INGEST"], 2)
    }
    assert {letter.exception_class for letter in read} == {"streamverify.core.errors.UndecodableRequest"}


async def test_a_record_without_key_and_value_is_a_dead_letter(topics: Topics) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=topics.servers)
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=None, value=None, timestamp=None)
    await (await producer.send_batch(batch, topics["INGEST"], partition=0))
    await producer.stop()
    async with router(topics):
        await topics.produce(proofs(1))
        [letter] = await topics.read("DLQ", 1)
        assert len(await topics.read("REQUEST", 1)) == 1
    assert (letter.key, letter.value) == (None, None)


async def test_a_record_that_the_request_topic_refuses_becomes_a_dead_letter(topics: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.servers)
    await admin.start()
    await admin.alter_configs([_limit(topics["REQUEST"], 20_000)])
    await admin.close()
    noise = "".join(uuid.uuid4().hex for _ in range(2000))
    large = json.dumps({"custom_id": "large", "proof": f"-- {noise}"}).encode()
    async with router(topics):
        await topics.produce([*proofs(20), large, *proofs(20, first=20)])
        [letter] = await topics.read("DLQ", 1)
        requests = await topics.read("REQUEST", 40)
    assert letter.value == large
    assert set(ids(requests)) == {f"p{n}" for n in range(40)}
    read = DeadLetter.from_record(key=letter.key, value=letter.value, kafka_headers=letter.headers)
    assert "takes no record of" in read.message


def _limit(topic: str, size: int) -> Any:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: PLC0415 - one test's

    return ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})


async def test_two_routers_share_the_work_and_each_shows_the_sums(topics: Topics) -> None:
    async with router(topics) as one:
        await topics.produce(proofs(500))
        await one.counts(500)
        async with router(topics) as two:
            await one.ready()
            await topics.produce(proofs(1500, first=500), key=None)
            expected = {"import Mathlib\n": 1600, "import Lean\n": 200, "import Aesop\n": 200}
            assert await one.counts(2000) == expected
            assert await two.counts(2000) == expected
            shares = [json.loads((await each.get("/ready"))[1])["forwarded"] for each in (one, two)]
            assert all(shares)
            assert sum(shares) == 2000
            page = (await two.get("/"))[1]
        records = await topics.read("REQUEST", 2000)
    assert Counter(ids(records)) == Counter(f"p{n}" for n in range(2000))
    assert "<h1>2,000 proofs forwarded</h1>" in page
    assert "<td>import Mathlib<td>1,600<td>80.0%" in page


@pytest.mark.xfail(
    strict=False,
    reason="seen twice on a machine with much other work, and not provoked otherwise: what is produced while the "
    "second router leaves is not forwarded within a minute; causes that do this were mended since, and whether one of "
    "them was this one is not known (docs/router.md, known limits)",
)
async def test_when_one_of_two_routers_leaves_the_other_goes_on(topics: Topics) -> None:
    async with router(topics) as one:
        async with router(topics):
            await one.ready()
            await topics.produce(proofs(2000), key=None)
            await one.counts(2000)
        await one.ready()
        await topics.produce(proofs(500, first=2000))
        assert sum((await one.counts(2500)).values()) == 2500
        records = await topics.read("REQUEST", 2500)
    # On a machine under load a router may lose its session: then what it has not committed is forwarded again.
    assert set(ids(records)) == {f"p{n}" for n in range(2500)}


async def test_after_a_restart_the_counts_go_on(topics: Topics) -> None:
    async with router(topics) as first:
        await topics.produce(proofs(200))
        await first.counts(200)
    async with router(topics) as second:
        assert sum((await second.counts(200)).values()) == 200
        await topics.produce(proofs(100, first=200))
        assert await second.counts(300) == {"import Mathlib\n": 240, "import Lean\n": 30, "import Aesop\n": 30}


async def test_killed_again_and_again_it_loses_nothing_and_counts_each_once(topics: Topics) -> None:
    """Killed while it forwards, four times. Repeats are allowed; they are not counted."""
    total = 12_000
    producing = asyncio.create_task(_slowly(topics, total))
    for _ in range(4):
        with _process(topics) as process:
            running = await asyncio.to_thread(Running, process)
            await running.ready()
            before = json.loads((await running.get("/ready"))[1])["forwarded"]
            while json.loads((await running.get("/ready"))[1])["forwarded"] < before + 300:
                await asyncio.sleep(0.02)
            end(process, signal.SIGKILL)
    async with router(topics) as last:
        await producing
        counts = await last.counts(total)
        await asyncio.sleep(1.0)
        assert await last.counts(total) == counts
        records = await topics.read("REQUEST", total)
        while len(set(ids(records))) < total:
            records = await topics.read("REQUEST", len(records) + 1)
    assert set(ids(records)) == {f"p{n}" for n in range(total)}
    assert {record.value for record in records} == set(topics.sent)
    assert sum(counts.values()) == total


async def _slowly(topics: Topics, total: int) -> None:
    for first in range(0, total, 200):
        await topics.produce(proofs(200, first))
        await asyncio.sleep(0.2)


async def test_routers_come_and_go_and_nothing_is_lost(topics: Topics) -> None:
    """Each coming and going is a rebalance in the middle of the stream."""
    total = 6000
    producing = asyncio.create_task(_slowly(topics, total))
    async with router(topics) as one:
        for _ in range(3):
            async with router(topics):
                await asyncio.sleep(0.5)
        await producing
        await one.ready()
        counts = await one.counts(total)
        records = await topics.read("REQUEST", total)
    assert set(ids(records)) == {f"p{n}" for n in range(total)}
    assert sum(counts.values()) == total


async def test_partitions_that_were_added_are_counted_after_a_restart(topics: Topics) -> None:
    async with router(topics) as first:
        await topics.produce(proofs(40))
        await first.counts(40)
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.servers)
    await admin.start()
    await _grow(admin, topics["INGEST"], PARTITIONS + 2)
    async with router(topics) as second:
        await topics.produce(proofs(40, first=40), more={"partition": PARTITIONS + 1})
        assert sum((await second.counts(80)).values()) == 80
    [described] = await admin.describe_topics([topics.changelog])
    await admin.close()
    assert len(described["partitions"]) == PARTITIONS + 2


async def _grow(admin: AIOKafkaAdminClient, topic: str, count: int) -> None:
    from aiokafka.admin import NewPartitions  # noqa: PLC0415 - one test's

    await admin.create_partitions({topic: NewPartitions(total_count=count)})
    for _ in range(50):
        [described] = await admin.describe_topics([topic])
        if len(described["partitions"]) == count:
            return
        await asyncio.sleep(0.1)


def test_ctrl_c_ends_the_worker_and_leaves_no_process(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with _process(topics) as process:
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
        topics = _topics(nodes.bootstrap_servers)
        with _logged(topics, tmp_path) as running:
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
        topics = _topics(nodes.bootstrap_servers)
        with _logged(topics, tmp_path) as running:
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
    with _process(topics) as process:
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


@contextlib.contextmanager
def _logged(topics: Topics, folder: Path) -> Iterator[Running]:
    """A router that logs to a file: without a broker aiokafka has more to say than a pipe holds."""
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamverify", "router"], env=topics.env, stderr=errors, text=True
        )
    try:
        while "http_listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        running: Running = object.__new__(Running)
        running.process, running.said = process, []
        running.find_address(log.read_text())
        yield running
    finally:
        process.kill()
        process.wait()


def test_a_signal_ends_a_worker_that_is_starting(topics: Topics) -> None:
    with _process(topics) as process:
        Running(process)
        end(process)
    assert process.returncode == 0


def test_a_wrong_topic_is_a_wrong_setting(topics: Topics) -> None:
    ended = run_command({**topics.env, PREFIX + "INGEST_TOPIC": "a.b/c"}, "router")
    assert ended.returncode == 2
    assert PREFIX + "INGEST_TOPIC" in ended.stderr
