"""The faults. Each is a function that strikes once and returns when the cause is gone; a run chooses and repeats.

What is in flight at the victims is asked just before the blow.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from chaos.fleet import EXIT_FENCED
from chaos.outcome import Strike

from streamverify.bus.admin import open_admin

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterable

    from chaos.fleet import Fleet, Worker
    from kafka_broker import KafkaNodes

    from streamverify.settings import Settings

SESSION = 6.0
"""Seconds: the shortest session that a broker allows by default."""
FENCED_PATIENCE = 60.0
"""Seconds within which one of two workers of the same name must have ended the other."""


@dataclass(slots=True)
class World:
    """What the faults act on."""

    nodes: KafkaNodes
    count: int
    """Brokers."""
    fleet: Fleet
    settings: Settings
    rng: random.Random
    strikes: list[Strike] = field(default_factory=list)
    spared: Worker | None = None
    """The worker that no fault ends, so that one process lives through the whole run; None: any may be hit."""

    async def strike(self, kind: str, target: str, hit: Iterable[Worker]) -> Strike:
        """Write down that a fault is about to hit these workers."""
        held = await asyncio.gather(*(worker.ask() for worker in hit))
        struck = Strike(kind, target, int(time.time() * 1000))
        struck.in_flight = sum(one.get("in_flight", 0) for one in held)
        struck.at_risk = struck.in_flight - sum(one.get("queued", 0) for one in held)
        self.strikes.append(struck)
        return struck

    def mortals(self) -> list[Worker]:
        """The workers that a fault may end."""
        return [worker for worker in self.fleet.workers if worker is not self.spared]

    def victim(self, *, survives: bool = False) -> Worker:
        """Any worker that may be hit, one that has work where there is one; `survives`: the blow ends nobody."""
        workers = self.fleet.workers if survives else self.mortals()
        busy = [worker for worker in workers if worker.running and worker.held.get("in_flight")]
        return self.rng.choice(busy or workers)

    async def until_busy(self, patience: float) -> None:
        """Wait until some worker has work: a blow at idle ones would show nothing."""
        give_up = time.monotonic() + patience
        while time.monotonic() < give_up and not any(worker.held.get("in_flight") for worker in self.fleet.workers):
            await asyncio.sleep(0.1)

    def node(self) -> int:
        """Any broker."""
        return self.rng.randint(1, self.count)


async def kill_worker(world: World) -> None:
    """SIGKILL; its supervisor starts it again."""
    worker = world.victim()
    await world.strike("worker killed", worker.name, [worker])
    worker.expected_end = True
    worker.signal(signal.SIGKILL)
    await asyncio.sleep(1.5)


async def kill_all_workers(world: World) -> None:
    """SIGKILL to every worker at once that is not spared."""
    workers = world.mortals()
    await world.strike("all workers killed", "all", workers)
    for worker in workers:
        worker.expected_end = True
        worker.signal(signal.SIGKILL)
    await asyncio.sleep(3.0)


async def pause_worker(world: World) -> None:
    """Stopped for less than the session: the group does not notice."""
    await _pause(world, "worker stopped, short", world.rng.uniform(0.5, 2.5))


async def pause_worker_long(world: World) -> None:
    """Stopped for longer than the session: its partitions go to others meanwhile, and it believes to own them."""
    await _pause(world, "worker stopped, long", SESSION + world.rng.uniform(2.0, 4.0))


async def _pause(world: World, kind: str, seconds: float) -> None:
    worker = world.victim(survives=seconds < SESSION)
    await world.strike(kind, f"{worker.name} {seconds:.1f} s", [worker])
    worker.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        worker.signal(signal.SIGCONT)


async def drain_worker(world: World) -> None:
    """SIGTERM, as in a rolling update."""
    worker = world.victim()
    await world.strike("worker drained", worker.name, [worker])
    worker.expected_end = True
    worker.signal(signal.SIGTERM)
    await asyncio.sleep(2.0)


async def overlap_rebalances(world: World) -> None:
    """Two workers join, one after the other, while others leave, orderly and not: no rebalance ends undisturbed."""
    leaver = world.victim()
    await world.strike("rebalances overlap", leaver.name, world.fleet.workers)
    first = world.fleet.add()
    await asyncio.sleep(world.rng.uniform(0.8, 1.6))
    leaver.expected_end = True
    leaver.signal(signal.SIGTERM)
    second = world.fleet.add()
    await asyncio.sleep(world.rng.uniform(0.8, 2.0))
    for worker in (first, second):
        worker.expected_end = True
        worker.signal(world.rng.choice([signal.SIGTERM, signal.SIGKILL]))
        await asyncio.sleep(world.rng.uniform(0.2, 1.0))
    await asyncio.sleep(1.5)
    for worker in (first, second):
        world.fleet.remove(worker)


async def take_name(world: World) -> None:
    """A second worker under the name of a first, both with supervisors: each ends the other with exit code 6."""
    worker = world.victim()
    await world.strike("name taken", worker.name, [worker])
    worker.expected_end = True
    twin = world.fleet.add(worker.name)
    twin.expected_end = True
    # On a busy machine it takes its time until one of them has joined under the name that the other has.
    fenced = world.fleet.ends[EXIT_FENCED]
    give_up = time.monotonic() + FENCED_PATIENCE
    while world.fleet.ends[EXIT_FENCED] == fenced and time.monotonic() < give_up:
        await asyncio.sleep(0.2)
    await asyncio.sleep(world.rng.uniform(3.0, 6.0))
    world.fleet.remove(twin)
    await asyncio.sleep(1.5)


async def kill_broker(world: World) -> None:
    """SIGKILL to a broker; it comes back."""
    node = world.node()
    await world.strike("broker killed", f"node {node}", world.fleet.workers)
    await asyncio.to_thread(world.nodes.kill, node)
    await asyncio.sleep(world.rng.uniform(1.0, 4.0))
    await asyncio.to_thread(world.nodes.start, node)


async def restart_broker(world: World) -> None:
    """An orderly end of a broker; it comes back."""
    node = world.node()
    await world.strike("broker restarted", f"node {node}", world.fleet.workers)
    await asyncio.to_thread(world.nodes.stop, node)
    await asyncio.to_thread(world.nodes.start, node)


async def pause_broker(world: World) -> None:
    """A broker is stopped and goes on: slow results, slow commits, and with one node, slow everything."""
    node = world.node()
    seconds = world.rng.uniform(2.0, 5.0)
    await world.strike("broker stopped, goes on", f"node {node} {seconds:.1f} s", world.fleet.workers)
    await asyncio.to_thread(world.nodes.pause, node)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(world.nodes.resume, node)


async def half_start_broker(world: World) -> None:
    """A broker comes back, hangs in the middle of its start, and goes on."""
    node = world.node()
    seconds = world.rng.uniform(3.0, 6.0)
    await world.strike("broker half up", f"node {node} hangs {seconds:.1f} s", world.fleet.workers)
    await asyncio.to_thread(world.nodes.kill, node)
    before = set(world.nodes.processes())
    starting = asyncio.create_task(asyncio.to_thread(world.nodes.start, node))
    await asyncio.sleep(world.rng.uniform(1.0, 3.0))
    hung = [pid for pid in world.nodes.processes() if pid not in before]
    for pid in hung:
        _signal(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        for pid in hung:
            _signal(pid, signal.SIGCONT)
        await starting


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


async def half_cluster(world: World) -> None:
    """Two of three brokers die, so that none answers for the cluster; one comes back, and the other later."""
    first, second = world.rng.sample(range(1, world.count + 1), 2)
    await world.strike("cluster half up", f"nodes {first} and {second}", world.fleet.workers)
    for node in (first, second):
        await asyncio.to_thread(world.nodes.kill, node)
    await asyncio.sleep(world.rng.uniform(1.0, 4.0))
    await asyncio.to_thread(world.nodes.start, first)
    await asyncio.sleep(world.rng.uniform(2.0, 5.0))
    await asyncio.to_thread(world.nodes.start, second)


async def refuse_results(world: World) -> None:
    """Too few replicas in sync for the result topic: it takes nothing, all else works. Three nodes."""
    node = world.node()
    await world.strike("results not taken", f"node {node} down, min.insync.replicas=3", world.fleet.workers)
    await _min_insync(world.settings, 3)
    await asyncio.to_thread(world.nodes.kill, node)
    try:
        await asyncio.sleep(world.rng.uniform(4.0, 7.0))
    finally:
        await asyncio.to_thread(world.nodes.start, node)
        await _min_insync(world.settings, 2)


async def _min_insync(settings: Settings, replicas: int) -> None:
    admin = await open_admin(settings, broker_timeout=30)
    try:
        wanted: dict[str, Any] = {"min.insync.replicas": str(replicas)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.result_topic, wanted)])
    finally:
        await admin.close()


async def cut_wire(world: World) -> None:
    """The network between one worker and every broker is gone for less than the session."""
    await _cut(world, "network cut, short", world.rng.uniform(1.0, 3.0))


async def cut_wire_long(world: World) -> None:
    """The same for longer than the session: the worker runs on, and others get its partitions."""
    await _cut(world, "network cut, long", SESSION + world.rng.uniform(3.0, 6.0))


async def cut_answers(world: World) -> None:
    """What the worker sends arrives, and no acknowledgement comes back."""
    await _cut(world, "network, one way", world.rng.uniform(3.0, SESSION + 3.0), one_way=True)


async def _cut(world: World, kind: str, seconds: float, *, one_way: bool = False) -> None:
    worker = world.victim(survives=seconds < SESSION)
    assert worker.wire is not None
    await world.strike(kind, f"{worker.name} {seconds:.1f} s", [worker])
    await asyncio.to_thread(worker.wire.cut_answers if one_way else worker.wire.cut)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(worker.wire.mend)


WORKER_FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (
    kill_worker,
    pause_worker,
    overlap_rebalances,
    kill_worker,
    pause_worker_long,
    drain_worker,
    kill_all_workers,
)
STATIC_FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (take_name,)
"""Those that need workers with names."""
BROKER_FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (
    kill_broker,
    pause_broker,
    restart_broker,
    half_start_broker,
)
NETWORK_FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (cut_wire, cut_wire_long, cut_answers)
QUORUM_FAULTS: tuple[Callable[[World], Awaitable[None]], ...] = (refuse_results, half_cluster)
ALL = (*WORKER_FAULTS, *STATIC_FAULTS, *BROKER_FAULTS, *NETWORK_FAULTS, *QUORUM_FAULTS)
"""Every fault; which of them fit is for a run to say."""
