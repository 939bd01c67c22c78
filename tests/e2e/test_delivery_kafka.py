"""Delivery on a real Kafka: what went wrong elsewhere, or may go wrong here, each by its name."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from command import end, make_environment, settings_of, started
from worker_fakes import FakeHandler

from streamverify.bus import committer
from streamverify.bus.admin import open_admin
from streamverify.bus.commit_requests import CommitRequests
from streamverify.bus.committed import committed_offsets
from streamverify.bus.committer import OffsetCommitter
from streamverify.bus.consumer import RequestConsumer
from streamverify.client import AsyncClient
from streamverify.core.delivery.offset_map import OffsetMap, decode_map
from streamverify.core.delivery.partitions import Partitions
from streamverify.core.messages.dead_letter import DeadLetter
from streamverify.core.messages.models import ProofRequest, Reason
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Mapping

    from streamverify.core.delivery.commits import Committed
    from streamverify.settings import Settings

pytestmark = pytest.mark.kafka

PROOF = "theorem t : 1 = 1 := rfl"
SESSION = 6.0


@pytest.fixture
def env(kafka: str) -> dict[str, str]:
    """Topics of one test's own; a member that is silent for `SESSION` is given up."""
    return make_environment(kafka, real=True) | {PREFIX + "SESSION_TIMEOUT_MS": str(int(SESSION * 1000))}


def requests(prefix: str, count: int, directive: str = "service=0", **fields: Any) -> list[ProofRequest]:
    proof = f"{PROOF} -- synthetic: {directive}"
    return [ProofRequest(custom_id=f"{prefix}{number}", proof=proof, **fields) for number in range(count)]


async def submit(env: Mapping[str, str], batch: list[ProofRequest]) -> set[str]:
    async with AsyncClient(settings_of(env)) as client:
        return {ticket.custom_id async for ticket in client.submit_all(batch)}


class Log:
    """What a worker says, line by line, read all the time so that its pipe never fills."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._task = asyncio.create_task(asyncio.to_thread(self._read, process))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with contextlib.suppress(ValueError):
            for line in process.stderr:
                self.lines.append(line)

    def count(self, event: str) -> int:
        return sum(f"] {event}" in line or f" {event} " in line for line in self.lines)

    async def says(self, event: str, *, times: int = 1, patience: float = 120.0) -> None:
        async with asyncio.timeout(patience):
            while self.count(event) < times:
                await asyncio.sleep(0.05)


async def maps(env: Mapping[str, str]) -> dict[int, OffsetMap]:
    """What the group has committed."""
    settings = settings_of(env)
    admin = await open_admin(settings)
    try:
        points = await committed_offsets(admin, settings.group_id, settings.request_topic, range(3))
    finally:
        await admin.close()
    return {
        partition: decode_map(point.metadata, settings.request_topic, partition, point.offset)
        for partition, point in points.items()
        if point is not None
    }


# --- processes ------------------------------------------------------------------------------------------------------


async def test_a_proof_that_kills_its_worker_is_given_up_after_dying_alone_and_no_other_is(env: dict[str, str]) -> None:
    env |= {PREFIX + "GROUP_INSTANCE_ID": "w", PREFIX + "MAX_DELIVERIES": "1"}
    ids = await submit(env, [*requests("good", 20), *requests("bad", 1, "kill-parent"), *requests("more", 20)])
    found = asyncio.create_task(kafka_records.results(env, ids, 300))
    deaths = 0
    while not found.done():
        with started(env, "worker") as process:
            log = Log(process)
            ended = asyncio.create_task(asyncio.to_thread(process.wait))
            await asyncio.wait({found, ended}, return_when=asyncio.FIRST_COMPLETED)
            deaths += not found.done()
            assert deaths < 6, log.lines[-5:]
            await asyncio.to_thread(end, process)
            await ended
    results = await found
    # Together with others, marked beside others, and once alone.
    assert deaths == 3
    bad = results.pop("bad0")
    assert (bad.reason, bad.retriable, bad.attempts) == (Reason.REPL_CRASH, False, 2)
    assert {result.reason for result in results.values()} == {Reason.OK}
    [letter] = await kafka_records.read(env, "DLQ_TOPIC", 1)
    buried = DeadLetter.from_record(key=letter.key, value=letter.value, kafka_headers=letter.headers)
    assert (buried.stage, buried.attempts) == ("verify", 2)
    assert all(not offsets.incomplete and not offsets.open for offsets in (await maps(env)).values())


async def test_three_members_and_a_slow_revoke_make_no_storm_of_rebalances(env: dict[str, str]) -> None:
    ids = await submit(env, requests("p", 600, "service=0.03"))
    with started(env, "worker") as first, started(env, "worker") as second:
        logs = [Log(first), Log(second)]
        for log in logs:
            await log.says("partitions_restored")
        before = [log.count("partitions_assigned") for log in logs]
        first.send_signal(signal.SIGSTOP)
        with started(env, "worker") as third:
            logs.append(Log(third))
            await asyncio.sleep(SESSION / 2)
            first.send_signal(signal.SIGCONT)
            await logs[2].says("partitions_restored")
            found = await kafka_records.results(env, ids)
            after = [log.count("partitions_assigned") for log in logs]
    assert {result.reason for result in found.values()} == {Reason.OK}
    assert all(now - then <= 3 for now, then in zip(after, [*before, 0], strict=True)), (before, after)


async def test_a_worker_stopped_longer_than_its_session_makes_no_false_timeout(env: dict[str, str]) -> None:
    with started(env, "worker") as process:
        log = Log(process)
        await log.says("partitions_restored")
        ids = await submit(env, requests("p", 2, "service=2", timeout=4))
        await log.says("header_imported")
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(SESSION + 3)
        process.send_signal(signal.SIGCONT)
        found = await kafka_records.results(env, ids)
        await log.says("partitions_restored", times=2)
        more = await submit(env, requests("after", 5))
        found |= await kafka_records.results(env, more)
    assert {result.reason for result in found.values()} == {Reason.OK}


async def test_a_reset_by_retention_at_run_time_is_logged_and_counted(env: dict[str, str]) -> None:
    settings = settings_of(env)
    with started(env, "worker") as process:
        log = Log(process)
        await log.says("partitions_restored")
        await kafka_records.results(env, await submit(env, requests("before", 30)))
        process.send_signal(signal.SIGSTOP)
        await submit(env, requests("first", 30))
        await asyncio.sleep(0.5)
        await submit(env, requests("second", 60))
        ends = await delete_all(settings)
        assert sum(ends.values()) == 120
        process.send_signal(signal.SIGCONT)
        found = await kafka_records.results(env, await submit(env, requests("after", 30)))
        await log.says("lost_by_retention")
    assert {result.reason for result in found.values()} == {Reason.OK}


async def delete_all(settings: Settings) -> dict[TopicPartition, int]:
    """Delete every request that is on the topic now, as retention does; where the log begins then."""
    tps = [TopicPartition(settings.request_topic, partition) for partition in range(3)]
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers)
    admin = await open_admin(settings)
    try:
        await consumer.start()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset) for tp, offset in ends.items()})
    finally:
        await admin.close()
        await consumer.stop()
    return ends


async def test_a_worker_killed_in_mid_run_repeats_only_uncommitted_records(env: dict[str, str]) -> None:
    # One proof holds its offset back; without the map, all behind it would be repeated.
    ids = await submit(env, [*requests("slow", 1, "service=600", timeout=601), *requests("p", 200)])
    others = {each for each in ids if each.startswith("p")}
    with started(env, "worker") as process:
        await kafka_records.results(env, others)
        # Killed once the commits have all that was answered.
        async with asyncio.timeout(120):
            offsets = await maps(env)
            while sum(each.end for each in offsets.values()) < len(ids):
                await asyncio.sleep(0.1)
                offsets = await maps(env)
        process.kill()
    assert sum(len(each.incomplete) for each in offsets.values()) == 1
    assert all(each.open for each in offsets.values())
    before = len(await kafka_records.read(env, "RESULT_TOPIC", 200))
    with started(env, "worker") as process:
        log = Log(process)
        await log.says("partitions_restored")
        assert log.count("partitions_quarantined") == 1
        more = await submit(env, requests("more", 30))
        await kafka_records.results(env, more)
        await asyncio.to_thread(end, process)
        # The slow one was cut short by the drain's limit: it has not died.
        assert process.returncode == 130
    assert len(await kafka_records.read(env, "RESULT_TOPIC", before + 30)) == before + 30
    offsets = await maps(env)
    assert [list(each.incomplete.values()) for each in offsets.values() if each.incomplete] == [[0]]
    assert not any(each.open for each in offsets.values())


# --- the consumer alone ---------------------------------------------------------------------------------------------


class Assignor(StickyPartitionAssignor):
    """The assignor keeps its state on the class, and two members in one process must not share it."""


@contextlib.asynccontextmanager
async def consuming(env: Mapping[str, str], handler: FakeHandler) -> AsyncIterator[tuple[Partitions, CommitRequests]]:
    """A consumer that polls and commits: its partitions, and what asks for commits."""
    settings = settings_of(env)
    partitions, requests = Partitions(settings.request_topic), CommitRequests()
    consumer = RequestConsumer(settings, partitions, requests)
    await consumer.start(handler, 10)
    running = asyncio.create_task(consumer.run())
    try:
        yield partitions, requests
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await consumer.close(10)


async def until(condition: Any, patience: float = 120.0) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_restore_that_takes_longer_than_the_session_loses_the_worker_nothing(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await submit(env, requests("p", 30))
    reads = 0

    async def slow(*args: Any) -> Mapping[int, Committed | None]:
        nonlocal reads
        reads += 1
        await asyncio.sleep(SESSION + 2)
        return await committed_offsets(*args)

    monkeypatch.setattr(committer, "committed_offsets", slow)
    handler = FakeHandler()
    async with consuming(env, handler) as (partitions, _):
        await until(lambda: len(handler.records) == 30)
        assert partitions.are_restored
        assert reads == 1


async def test_a_commit_in_flight_at_the_revoke_is_waited_for_and_the_last_one_follows(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await submit(env, requests("p", 30))
    handler = FakeHandler()
    sending = asyncio.Event()
    original = OffsetCommitter._send

    async def slow(self: OffsetCommitter, commit: Any) -> None:
        sending.set()
        await asyncio.sleep(1)
        await original(self, commit)

    async with consuming(env, handler) as (partitions, commits):
        await until(lambda: len(handler.records) == len(ids))
        monkeypatch.setattr(OffsetCommitter, "_send", slow)
        for record in handler.records[:15]:
            partitions.records.complete(record)
        commits.commit_soon()
        await sending.wait()
        for record in handler.records[15:]:
            partitions.records.complete(record)
        commits.commit_soon()
        other = AIOKafkaConsumer(
            bootstrap_servers=env[PREFIX + "BOOTSTRAP_SERVERS"],
            group_id=env[PREFIX + "GROUP_ID"],
            partition_assignment_strategy=(Assignor,),
            enable_auto_commit=False,
        )
        other.subscribe([env[PREFIX + "REQUEST_TOPIC"]])
        await other.start()
        try:
            await until(other.assignment)
            offsets = await maps(env)
            assert sum(each.base for each in offsets.values()) == 30
            assert all(not each.incomplete for each in offsets.values())
            await until(lambda: partitions.are_restored)
            assert partitions.flow.in_flight == 0
        finally:
            await other.stop()
