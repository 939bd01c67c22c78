"""Every call to the brokers that something makes at its start is tried again, and then ends it with 4 and one line.

The table names each of them. `test_nothing_at_start_asks_the_brokers_only_once` keeps the table complete: whatever
asks an admin client or for offsets does so through `patiently`.
"""

from __future__ import annotations

import ast
import asyncio
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NotControllerError,
    TopicAuthorizationFailedError,
)

import streamverify
from streamverify.bus import admin as bus_admin
from streamverify.bus import connection, topics
from streamverify.bus.admin import PatientAdmin, patient_admin
from streamverify.bus.group_positions import group_positions
from streamverify.bus.presence import topic_partitions
from streamverify.bus.topic_reader import TopicReader
from streamverify.cli import doctor
from streamverify.cli import topics as cli_topics
from streamverify.client.sender import Sender
from streamverify.core.errors import BrokerUnavailable
from streamverify.core.topic_plans import Difference
from streamverify.router.header_view import HeaderView
from streamverify.router.router import Router, router_names
from streamverify.runtime import Signals
from streamverify.settings import load_settings
from streamverify.streams.life import StreamLife
from streamverify.worker.discovery import topic_sizes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SETTINGS = load_settings(bootstrap_servers="kafka:9092")
CONFIG = [(0, "", 2, "t", [("max.message.bytes", "2000000", False, 1), ("retention.ms", "-1", False, 1)])]
PARTITIONS = [{"partition": number, "replicas": [1], "error_code": 0} for number in range(2)]
SECONDS_OF_A_TRY = 3.0


class Cluster:
    """Brokers of which each named call fails so many times, each time after three seconds, and then answers."""

    def __init__(self, failing: str, times: float, error: Exception) -> None:
        self.failing = failing
        self.times = times
        self.error = error
        self.asked = 0
        self._loop = asyncio.get_running_loop()
        self._now, self._slept = self._loop.time, 0.0
        self._loop.time = lambda: self._now() + self._slept  # type: ignore[method-assign]

    def answer(self, call: str, value: Any) -> Any:
        if call == self.failing:
            self.asked += 1
            if self.asked <= self.times:
                self._slept += SECONDS_OF_A_TRY
                raise self.error
        if call == "describe_topics":
            # Who looks again and again until a topic is as planned gives up after some looks, not some seconds.
            self._slept += SECONDS_OF_A_TRY
        return value


class FakeClient:
    """An admin client and a consumer of aiokafka in one, connected to a `Cluster`."""

    cluster: Cluster

    def __init__(self, **_options: Any) -> None:
        self._client = SimpleNamespace(hosts=[])

    async def start(self) -> None:
        self.cluster.answer("start", None)

    async def close(self) -> None:
        return

    stop = close

    async def list_topics(self) -> list[str]:
        return self.cluster.answer("list_topics", [])  # type: ignore[no-any-return]

    async def describe_topics(self, names: list[str]) -> Any:
        made = [{"topic": name, "error_code": 0, "partitions": PARTITIONS} for name in names]
        return self.cluster.answer("describe_topics", made)

    async def describe_cluster(self) -> Any:
        return self.cluster.answer("describe_cluster", {"controller_id": 1, "brokers": [{"node_id": 1}]})

    async def describe_configs(self, _resources: Any) -> Any:
        return self.cluster.answer("describe_configs", [SimpleNamespace(resources=CONFIG)])

    async def create_topics(self, new: list[Any]) -> Any:
        self.cluster.answer("create_topics", None)
        return SimpleNamespace(topic_errors=[(topic.name, 0, "") for topic in new])

    async def alter_configs(self, _resources: Any) -> Any:
        return self.cluster.answer("alter_configs", [])

    async def create_partitions(self, totals: Any) -> Any:
        return self.cluster.answer("create_partitions", totals)

    async def list_consumer_group_offsets(self, _group: str, partitions: Any) -> Any:
        found = {tp: SimpleNamespace(offset=1, metadata="") for tp in partitions}
        return self.cluster.answer("list_consumer_group_offsets", found)

    def assign(self, _partitions: Any) -> None:
        return

    def seek(self, _partition: Any, _offset: int) -> None:
        return

    def pause(self, *_partitions: Any) -> None:
        return

    def resume(self, *_partitions: Any) -> None:
        return

    async def end_offsets(self, partitions: Any) -> Any:
        return self.cluster.answer("end_offsets", dict.fromkeys(partitions, 1))

    async def beginning_offsets(self, partitions: Any) -> Any:
        return self.cluster.answer("beginning_offsets", dict.fromkeys(partitions, 0))

    async def offsets_for_times(self, times: Any) -> Any:
        return self.cluster.answer("offsets_for_times", dict.fromkeys(times))


# --- all that asks the brokers at a start ---------------------------------------------------------------------------


async def read_from_a_time() -> None:
    async with TopicReader(SETTINGS, [TopicPartition(SETTINGS.result_topic, 0)]) as results:
        await results.start_at(1)


async def show_headers() -> None:
    await HeaderView(SETTINGS, 2).start()


async def start_worker() -> dict[str, int]:
    return await topic_sizes(SETTINGS)


async def prepare_router() -> Any:
    return await Router(SETTINGS, Signals(), SimpleNamespace())._prepare_topics()  # type: ignore[arg-type]


async def extend_changelog() -> None:
    async with patient_admin(SETTINGS) as admin:
        await admin.create_partitions({})


PLANNER = partial(topics.plan_topics, SETTINGS)


async def topics_create() -> Any:
    return await cli_topics._create(SETTINGS, PLANNER, alter=False)


async def topics_alter() -> Any:
    found = [Difference("partitions", "2", "12", ""), Difference("retention.ms", "1", "-1", "")]
    async with patient_admin(SETTINGS) as admin:
        return await topics.alter_topic(admin, PLANNER()[0], found)


async def topics_describe() -> Any:
    return await cli_topics._describe(SETTINGS, PLANNER)


async def name_partitions() -> Any:
    return await topic_partitions(SETTINGS, SETTINGS.result_topic)


async def look_before_sending() -> Any:
    return await Sender(SETTINGS).look_up(SETTINGS.result_topic)


async def show_offsets() -> Any:
    return await group_positions(SETTINGS, "group")


STARTS: list[tuple[Callable[[], Awaitable[Any]], str]] = [
    (start_worker, "start"),
    (start_worker, "describe_topics"),
    (start_worker, "describe_configs"),
    (prepare_router, "describe_topics"),
    (prepare_router, "describe_configs"),
    (extend_changelog, "create_partitions"),
    (topics_create, "create_topics"),
    (topics_create, "describe_topics"),
    (topics_create, "describe_cluster"),
    (topics_alter, "create_partitions"),
    (topics_alter, "describe_configs"),
    (topics_alter, "alter_configs"),
    (topics_describe, "describe_topics"),
    (topics_describe, "describe_configs"),
    (name_partitions, "describe_topics"),
    (look_before_sending, "describe_topics"),
    (look_before_sending, "describe_configs"),
    (show_offsets, "list_consumer_group_offsets"),
    (show_offsets, "beginning_offsets"),
    (show_offsets, "end_offsets"),
    (read_from_a_time, "start"),
    (read_from_a_time, "beginning_offsets"),
    (read_from_a_time, "offsets_for_times"),
    (read_from_a_time, "end_offsets"),
    (show_headers, "start"),
    (show_headers, "end_offsets"),
]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cluster]:
    """Make the clients' calls of one name fail."""

    def install(failing: str, times: float, error: Exception | None = None) -> Cluster:
        cluster = Cluster(failing, times, error or NodeNotReadyError("node 2 is not ready"))
        monkeypatch.setattr(FakeClient, "cluster", cluster, raising=False)
        return cluster

    monkeypatch.setattr(bus_admin, "AIOKafkaAdminClient", FakeClient)
    monkeypatch.setattr(connection, "AIOKafkaConsumer", FakeClient)
    monkeypatch.setattr(connection, "_FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(connection, "_MAX_BACKOFF", 0.002)

    async def no_refusal(_client: Any) -> str:
        return ""

    monkeypatch.setattr(connection, "_refusal", no_refusal)
    return install


@pytest.mark.parametrize(("start", "call"), STARTS)
async def test_a_broker_that_is_not_ready_is_asked_again(
    start: Callable[[], Awaitable[Any]], call: str, fails: Callable[..., Cluster]
) -> None:
    cluster = fails(call, 2)
    await start()
    assert cluster.asked > 2


@pytest.mark.parametrize(("start", "call"), STARTS)
async def test_when_patience_is_over_one_line_and_exit_code_4(
    start: Callable[[], Awaitable[Any]], call: str, fails: Callable[..., Cluster]
) -> None:
    cluster = fails(call, float("inf"))
    with pytest.raises(BrokerUnavailable) as caught:
        await start()
    said = str(caught.value)
    assert caught.value.exit_code == 4
    assert "kafka:9092" in said
    assert "node 2 is not ready" in said
    assert "\n" not in said
    # ten seconds, of which each try takes three
    assert 3 <= cluster.asked <= 5


async def test_doctor_says_that_the_brokers_do_not_answer(fails: Callable[..., Cluster]) -> None:
    fails("describe_configs", float("inf"))
    [check] = await doctor._kafka(SETTINGS)
    assert (check.name, check.level) == ("Kafka", "missing")
    assert "node 2 is not ready" in check.advice


@pytest.mark.parametrize(
    "error", [KafkaConnectionError("reset"), LeaderNotAvailableError(), NotControllerError(), OSError("unreachable")]
)
async def test_any_error_of_a_cluster_that_comes_up_is_waited_for(
    error: Exception, fails: Callable[..., Cluster]
) -> None:
    fails("describe_topics", 2, error)
    assert await start_worker() == {SETTINGS.result_topic: 2_000_000, SETTINGS.dlq_topic: 2_000_000}


async def test_what_is_refused_for_good_is_said_at_once(fails: Callable[..., Cluster]) -> None:
    cluster = fails("describe_topics", float("inf"), ClusterAuthorizationFailedError())
    with pytest.raises(BrokerUnavailable, match="refuse a request: ClusterAuthorizationFailedError"):
        await start_worker()
    assert cluster.asked == 1


async def test_a_topic_whose_settings_may_not_be_read_has_the_usual_size(fails: Callable[..., Cluster]) -> None:
    fails("describe_configs", float("inf"), TopicAuthorizationFailedError())
    assert set((await start_worker()).values()) == {topics.FALLBACK_MAX_MESSAGE_BYTES}


async def test_a_broker_that_hangs_is_left_for_another_one() -> None:
    tries = []

    class Hanging:
        async def list_topics(self) -> list[str]:
            tries.append(1)
            if len(tries) < 3:
                await asyncio.sleep(60)
            return ["t"]

    patient = PatientAdmin(Hanging(), "kafka:9092")  # type: ignore[arg-type]
    assert await patient.ask(lambda client: client.list_topics(), try_seconds=0.05) == ["t"]


async def test_faust_is_made_anew_until_it_starts(fails: Callable[..., Cluster]) -> None:
    cluster = fails("faust", 2)
    stopped = []

    class App:
        async def start(self) -> None:
            cluster.answer("faust", None)

        async def give_up(self) -> None:
            stopped.append(self)

    made: list[App] = []

    def make() -> Any:
        made.append(App())
        return made[-1], None

    stack = SimpleNamespace(push_async_callback=lambda _callback: None)
    life: StreamLife[Any] = StreamLife(SETTINGS, router_names(SETTINGS), Signals(), stack)  # type: ignore[arg-type]
    await life.start(make)
    assert len(made) == 3
    assert stopped == made[:2]


# --- the table is complete ------------------------------------------------------------------------------------------

ASKING = {
    "list_topics", "describe_topics", "describe_cluster", "describe_configs", "create_topics", "create_partitions",
    "alter_configs",
    "list_consumer_group_offsets", "describe_consumer_groups", "end_offsets", "beginning_offsets",
    "offsets_for_times", "partitions_for",
}  # fmt: skip
"""Calls of aiokafka's admin client, consumer and producer that ask the brokers something, each of them once."""

ASK_ONCE = {
    # asked through `patiently`, by whoever hands them to it
    "bus/admin.py": set(ASKING),
    "bus/topics.py": {"describe_configs", "alter_configs", "create_topics", "create_partitions", "describe_cluster"},
    "bus/group_look.py": {"describe_consumer_groups"},
    "bus/presence.py": {"describe_topics", "describe_cluster"},
    "bus/committed.py": {"list_consumer_group_offsets"},
    "router/header_view.py": {"end_offsets"},
    "streams/source_topic.py": {"create_partitions"},
    # while running, each with a retry of its own, or for a line in the log only: watchdog, restoring after a rebalance,
    # versions of the others
    "bus/liveness.py": {"end_offsets"},
    "bus/committer.py": {"beginning_offsets"},
    "bus/consumer.py": {"end_offsets"},
    "bus/retention.py": {"beginning_offsets"},
    "bus/group_versions.py": {"describe_consumer_groups"},
    # before somebody waits for verdicts; where nobody answers, it is not known
    "bus/group_members.py": {"describe_consumer_groups"},
    # before a worker joins again; at the start only for a line in the log
    "bus/fencing.py": {"describe_consumer_groups"},
    # waits for metadata by itself
    "bus/publisher.py": {"partitions_for"},
}


def test_nothing_at_start_asks_the_brokers_only_once() -> None:
    root = Path(streamverify.__file__).parent
    found: dict[str, set[str]] = {}
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
                found.setdefault(file.relative_to(root).as_posix(), set()).add(node.func.attr)
    assert {file: calls for file in found if (calls := found[file] - ASK_ONCE.get(file, set()))} == {}
