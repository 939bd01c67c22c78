"""One chaos run: a broker, workers, a load of known verdicts, faults one after another, and then the count."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from chaos import faults, network
from chaos.faults import World
from chaos.fleet import Fleet
from chaos.load import by_id, make_cases
from chaos.outcome import Outcome, Seen, Sent, Strike, judge
from command import environment
from kafka_broker import KafkaNodes

from streamverify.bus.admin import patient_admin
from streamverify.bus.connection import client_options
from streamverify.bus.topics import create_topics, plan_topics
from streamverify.client import AsyncClient
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.codec import decode_result
from streamverify.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Literal

    from chaos.load import Case

    from streamverify.core.messages.models import ProofRequest, ProofResult

PARTITIONS = 6
JOIN_PATIENCE = 60.0
_BETWEEN = 1.0
"""Seconds from the end of a fault to the next."""
_BUSY_PATIENCE = 5.0
_SETTLE = 3.0
"""Seconds after the last answer in which repeats are still waited for."""
_READ = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of."""

    name: str
    nodes: Literal[1, 3]
    static: bool
    seconds: float
    """How long requests come and faults strike; the rest is answered after that."""
    records: int
    seed: int = 1
    workers: int = 3
    slots: int = 3
    poison: int = 0
    patience: float = 180.0
    """Seconds after the load until what is unanswered counts as lost."""
    network: bool = True
    only: tuple[str, ...] = ()
    """The names of the faults, in place of all that fit."""
    logs: Path | None = None
    """Where the workers' logs are kept; default: nowhere."""


@dataclass(slots=True)
class Report:
    """What a run has shown."""

    plan: Plan
    outcome: Outcome
    strikes: list[Strike]
    seconds: float
    ends: dict[int, int]
    """How often workers ended, by exit code; negative: by that signal."""
    defects: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Faults that this machine cannot make, with the reason."""
    dead_letters: int = 0

    @property
    def ok(self) -> bool:
        """Nothing lost, nothing wrong, no worker that ended in a way that it must not."""
        return self.outcome.ok and not self.defects and self.dead_letters == self.plan.poison


def say(text: str) -> None:
    """Progress, for people."""
    sys.stderr.write(f"chaos: {text}\n")
    sys.stderr.flush()


def choose(plan: Plan) -> tuple[list[Callable[[World], Awaitable[None]]], list[str]]:
    """The faults of a run, in the order of one round, and those that cannot be had here with the reason."""
    chosen = [*faults.WORKER_FAULTS, *faults.BROKER_FAULTS]
    if plan.static:
        chosen += faults.STATIC_FAULTS
    if plan.nodes > 1:
        chosen += faults.QUORUM_FAULTS
    skipped = []
    if plan.network and network.inside():
        chosen += faults.NETWORK_FAULTS
    elif plan.network:
        skipped = [f"{fault.__name__}: no network namespaces here" for fault in faults.NETWORK_FAULTS]
    if plan.only:
        known = {fault.__name__: fault for fault in chosen}
        chosen = [known[name] for name in plan.only if name in known]
    return chosen, skipped


async def run(plan: Plan) -> Report:
    """Make the run. Everything that it started is gone at its end.

    Raises:
        TimeoutError: The workers did not even join before the first fault.
    """
    chosen, skipped = choose(plan)
    wires = network.inside() and plan.network
    say(
        f"{plan.name}: {plan.nodes} node(s), {'static' if plan.static else 'dynamic'} membership, {plan.records} proofs"
    )
    host = ("--host", network.BROKERS) if wires else ()
    with contextlib.ExitStack() as stack:
        folder = plan.logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        # In a thread, for the sake of a run beside this one.
        nodes = await asyncio.to_thread(stack.enter_context, KafkaNodes(plan.nodes, *host))
        env = make_environment(nodes.bootstrap_servers, plan)
        settings = client_settings(env)
        await make_topics(settings, plan)
        fleet = stack.enter_context(Fleet(env, folder, static=plan.static, wires=wires))
        world = World(nodes, plan.nodes, fleet, settings, random.Random(plan.seed))  # noqa: S311 - no secret
        return await _run(plan, world, chosen, skipped)


async def _run(
    plan: Plan, world: World, chosen: list[Callable[[World], Awaitable[None]]], skipped: list[str]
) -> Report:
    began = time.monotonic()
    cases = make_cases(plan.records, plan.seed, plan.poison)
    for _ in range(plan.workers):
        world.fleet.add()
    async with background(world.fleet.watch()):
        await world.fleet.until_joined(JOIN_PATIENCE)
        sent: list[Sent] = []
        seen: list[Seen] = []
        reader = Reader(world.settings, lambda record: seen.append(_seen(record)))
        async with background(reader.follow()):
            loading = asyncio.create_task(_load(world.settings, cases, plan.seconds, sent))
            await _torment(world, chosen, time.monotonic() + plan.seconds)
            await loading
            await _until_answered(seen, sent, plan.patience)
        letters = await _count(world.settings, world.settings.dlq_topic)
    strikes = world.strikes + [_poisoned(at, held) for at, held in world.fleet.deaths]
    expected = {custom_id: case.expected.value for custom_id, case in by_id(cases).items()}
    outcome = judge(sent, seen, expected, strikes)
    seconds = time.monotonic() - began
    fleet = world.fleet
    return Report(plan, outcome, strikes, seconds, dict(fleet.ends), fleet.defects, skipped, letters)


def _poisoned(at: int, held: dict[str, int]) -> Strike:
    in_flight = held.get("in_flight", 0)
    return Strike("poison", "", at, at, in_flight, in_flight - held.get("queued", 0))


async def _torment(world: World, chosen: list[Callable[[World], Awaitable[None]]], until: float) -> None:
    """One fault after another, in rounds of their own order each, until the time is up; at least one round."""
    done = 0
    while chosen and (time.monotonic() < until or done < len(chosen)):
        order = list(chosen)
        world.rng.shuffle(order)
        for fault in order:
            await asyncio.sleep(_BETWEEN)
            if time.monotonic() >= until and done >= len(chosen):
                return
            await world.until_busy(_BUSY_PATIENCE)
            await fault(world)
            struck = world.strikes[-1]
            struck.end = int(time.time() * 1000)
            done += 1
            say(f"{struck.kind} ({struck.target}), {struck.in_flight} in flight, {struck.at_risk} at risk")


# --- the load ---------------------------------------------------------------------------------------------------


async def _load(settings: Settings, cases: list[Case], seconds: float, sent: list[Sent]) -> None:
    """Send all cases, spread over `seconds`; what a broker did not acknowledge is sent again."""
    began = time.monotonic()
    left = list(cases)
    while left:
        acknowledged: set[str] = set()
        try:
            async with AsyncClient(settings) as client:
                async for ticket in client.submit_all(_paced(left, seconds / len(cases), began + seconds)):
                    acknowledged.add(ticket.custom_id)
                    sent.append(Sent(ticket.custom_id, (ticket.partition, ticket.offset), ticket.timestamp))
        except StreamVerifyError as error:
            say(f"the producer goes on after: {error}")
        left = [case for case in left if case.custom_id not in acknowledged]


async def _paced(cases: list[Case], step: float, end: float) -> AsyncIterator[ProofRequest]:
    """The requests, one every `step` seconds, the last one at the monotonic time `end`."""
    for index, case in enumerate(cases):
        await asyncio.sleep(max(0.0, end - (len(cases) - index) * step - time.monotonic()))
        yield case.request


# --- the results ------------------------------------------------------------------------------------------------


class Reader:
    """Follows the result topic from its beginning, whatever happens to the brokers."""

    def __init__(self, settings: Settings, take: Callable[[Any], None]) -> None:
        """Have each record of it taken by `take`."""
        self._settings = settings
        self._take = take
        self._positions = {TopicPartition(settings.result_topic, number): 0 for number in range(PARTITIONS)}

    async def follow(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
            except KafkaError as error:
                say(f"the reader connects again after: {error!r}")
                await asyncio.sleep(1.0)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(**client_options(self._settings), group_id=None, auto_offset_reset="earliest")
        try:
            await consumer.start()
            consumer.assign(list(self._positions))
            for partition, offset in self._positions.items():
                consumer.seek(partition, offset)
            while True:
                for partition, records in (await consumer.getmany(timeout_ms=int(_READ * 1000))).items():
                    for record in records:
                        self._take(record)
                    self._positions[partition] = records[-1].offset + 1
        finally:
            await consumer.stop()


def _seen(kafka_record: Any) -> Seen:
    result: ProofResult = decode_result(kafka_record.value)
    source = result.source
    return Seen(result.custom_id, (source.partition, source.offset), result.reason, kafka_record.timestamp)


async def _until_answered(seen: list[Seen], sent: list[Sent], patience: float) -> None:
    """Wait until every request has its answer, or patience ends; then for repeats that are still on their way."""
    give_up = time.monotonic() + patience
    places = {record.place for record in sent}
    while time.monotonic() < give_up:
        missing = len(places - {record.place for record in seen})
        if not missing:
            await asyncio.sleep(_SETTLE)
            return
        await asyncio.sleep(_READ)
    say(f"{missing} of {len(places)} are still unanswered after {patience:g} s")


async def _count(settings: Settings, topic: str) -> int:
    """How many different records lie on the first partition of the dead letter topic, by where they came from."""
    partition = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(**client_options(settings), group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([partition])
        ends = await consumer.end_offsets([partition])
        found = set()
        while await consumer.position(partition) < ends[partition]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found |= {dict(record.headers).get("__streamverify.errors.offset") for record in records}
        return len(found)
    finally:
        await consumer.stop()


# --- surroundings -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def background(work: Any) -> AsyncIterator[None]:
    """Do `work` beside the block; what it raises ends the block's task when the block is over."""
    task = asyncio.create_task(work)
    try:
        yield
        if task.done():
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make_environment(servers: str, plan: Plan) -> dict[str, str]:
    name = uuid.uuid4().hex[:8]
    return environment(
        BOOTSTRAP_SERVERS=servers,
        GROUP_ID=name,
        REQUEST_TOPIC=f"{name}.proofs",
        RESULT_TOPIC=f"{name}.results",
        DLQ_TOPIC=f"{name}.dlq",
        REPL="synthetic",
        # It cannot be asked for axioms.
        REQUIRE="checked",
        SLOTS=str(plan.slots),
        SESSION_TIMEOUT_MS=str(int(faults.SESSION * 1000)),
        DRAIN_TIMEOUT="10",
    )


def client_settings(env: dict[str, str]) -> Settings:
    names = ("BOOTSTRAP_SERVERS", "REQUEST_TOPIC", "RESULT_TOPIC", "DLQ_TOPIC", "GROUP_ID")
    given: dict[str, Any] = {name.lower(): env[PREFIX + name] for name in names}
    return load_settings(**given)


async def make_topics(settings: Settings, plan: Plan) -> None:
    async with patient_admin(settings) as admin:
        await create_topics(admin, plan_topics(settings, partitions=PARTITIONS, replication=plan.nodes))
