"""Attempts of which one success is enough: how many of them Lean runs, simulated and on a real Kafka.

200 problems, 32 attempts at each, each attempt good with a probability of 10 %, all there at the start: problem after
problem, or by turns. What a *perfect* cluster would run of the same attempts in the same order is each problem's
attempts up to its first good one, or all 32 where there is none: as if they were run one at a time, and everybody heard
of each success at once. The ratio is runs / that. A run that is ended before its verdict counts as a run.

`simulate` runs the scheduler and the groups that run in production in virtual time, with proofs and imports of the
mix's times; a success reaches the broker after 10 ms and the other workers after 30 ms. `kafka` runs two workers with
the synthetic REPL.

    python -m benchmarks.pass_at_k simulate [--seeds 4]
    python -m benchmarks.pass_at_k kafka [--workers 2] [--slots 2] [--mean 0.2]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from benchmarks.cluster import all_have_partitions
from benchmarks.end_to_end import a_broker, fresh_topics
from benchmarks.workload import IMPORT_SECONDS, headers, mean_service, shuffled_services
from streamverify.core.groups.groups import GroupAttempt, Groups
from streamverify.core.job import RecordId
from streamverify.core.messages.models import Assurance
from streamverify.core.scheduling.scheduler import NO_PROCESS, Rules, Scheduler, SlotState, Start
from streamverify.core.scheduling.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from streamverify.core.groups.groups import Winner
    from streamverify.core.scheduling.scheduler import Warm
    from streamverify.core.syntax.header import Header
    from streamverify.settings import Settings

PROBLEMS, ATTEMPTS, GOOD = 200, 32, 0.1
ORDERS = ("problem after problem", "by turns")
TIMEOUT = 60.0
ACKNOWLEDGED, HEARD = 0.01, 0.03
"""Seconds after a verdict until the broker has it, and until the other workers know of it."""
IN_FLIGHT = 2_000
"""Records that a worker takes in at most: a thousand of each of its two partitions."""


@dataclass(frozen=True, slots=True, eq=False)
class Try:
    """One attempt."""

    number: int
    problem: int
    good: bool
    service: float
    header: Header


@dataclass(frozen=True, slots=True)
class Figures:
    """One run."""

    how: str
    order: str
    workers: int
    slots: int
    attempts: int
    runs: float
    perfect: float
    ratio: float
    ended: float
    """Of the runs, those that were ended before their verdict."""
    elapsed: float
    """Seconds."""
    elapsed_of_all: float
    """What all attempts would take: Lean's time / slots."""


def attempts(order: str, seed: int) -> list[Try]:
    """The attempts in their order."""
    rng = random.Random(seed)  # noqa: S311
    services = shuffled_services(PROBLEMS * ATTEMPTS, rng)
    pairs = [(problem, each) for problem in range(PROBLEMS) for each in range(ATTEMPTS)]
    if order == "by turns":
        pairs.sort(key=lambda pair: (pair[1], pair[0]))
    [header, *_] = headers()
    return [
        Try(number, problem, rng.random() < GOOD, service, header)
        for number, ((problem, _), service) in enumerate(zip(pairs, services, strict=True))
    ]


def perfect_runs(tries: Sequence[Try]) -> int:
    """The attempts up to the first good one of each problem."""
    solved: set[int] = set()
    runs = 0
    for each in tries:
        runs += each.problem not in solved
        if each.good:
            solved.add(each.problem)
    return runs


# --- simulated ------------------------------------------------------------------------------------------------------


class Cluster:
    """Workers in virtual time."""

    def __init__(self, workers: int, slots: int) -> None:
        self.now = 0.0
        self.runs = self.ended = self.answered = 0
        self.workers = [Worker(self, slots, f"worker-{number}") for number in range(workers)]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), act))

    def run(self, tries: Sequence[Try]) -> None:
        for worker in self.workers:
            worker.open()
        for number, each in enumerate(tries):
            self.workers[number % len(self.workers)].feed.append(each)
        for worker in self.workers:
            worker.admit()
        while self._events:
            self.now, _, act = heapq.heappop(self._events)
            act()


class Worker:
    """The scheduler and the groups of production, with slots that only pretend."""

    def __init__(self, cluster: Cluster, slots: int, name: str) -> None:
        self.feed: deque[Try] = deque()
        self._cluster = cluster
        self._scheduler: Scheduler[Try] = Scheduler(Rules(slots, worker=name))
        self._groups = Groups(ttl=1e9)
        self._inside: dict[RecordId, Try] = {}
        # The job of each busy slot; another object there means that an event is of a job that was ended.
        self._in_slot: dict[int, Try] = {}
        self._slots = slots

    def open(self) -> None:
        for slot in range(self._slots):
            self._scheduler.slot_freed(slot, NO_PROCESS, 0.0)

    def admit(self) -> None:
        while self.feed and len(self._inside) < IN_FLIGHT:
            each = self.feed.popleft()
            if self._groups.enter(_attempt(each), self._cluster.now) is not None:
                self._cluster.answered += 1
                continue
            self._inside[_id(each)] = each
            work = Work(TIMEOUT, None, str(each.problem))
            self._act(self._scheduler.submit(each, self._cluster.now, work=work))

    def _act(self, actions: list[Start[Try] | Warm]) -> None:
        for action in actions:
            if not isinstance(action, Start):
                self._cluster.after(IMPORT_SECONDS[0], partial(self._warmed, action.slot, action.header))
                continue
            self._in_slot[action.slot] = action.job
            if self._scheduler_imports(action.slot):
                self._cluster.after(IMPORT_SECONDS[0], partial(self._imported, action.slot, action.job))
            else:
                self._begin(action.slot, action.job)

    def _scheduler_imports(self, slot: int) -> bool:
        return self._scheduler.slots.busy[slot].importing

    def _warmed(self, slot: int, header: Header) -> None:
        self._act(self._scheduler.imported(slot, header, IMPORT_SECONDS[0], self._cluster.now))
        self._act(self._scheduler.slot_freed(slot, _holding(header), self._cluster.now))

    def _imported(self, slot: int, job: Try) -> None:
        self._act(self._scheduler.imported(slot, job.header, IMPORT_SECONDS[0], self._cluster.now))
        if _id(job) in self._inside:
            self._begin(slot, job)
        else:
            self._free(slot, _holding(job.header))

    def _begin(self, slot: int, job: Try) -> None:
        self._cluster.runs += 1
        self._cluster.after(job.service, partial(self._finished, slot, job))

    def _finished(self, slot: int, job: Try) -> None:
        if self._in_slot.get(slot) is not job:
            return
        self._answer(job)
        if job.good:
            self._scheduler.groups.started(str(job.problem))
            self._cluster.after(ACKNOWLEDGED, partial(self._acknowledged, job))
        self._free(slot, _holding(job.header))

    def _free(self, slot: int, state: SlotState) -> None:
        del self._in_slot[slot]
        self._act(self._scheduler.slot_freed(slot, state, self._cluster.now))
        self.admit()

    def _answer(self, job: Try) -> None:
        self._groups.finished(_id(job))
        if self._inside.pop(_id(job), None) is not None:
            self._cluster.answered += 1

    def _acknowledged(self, job: Try) -> None:
        winner = self._groups.acknowledged(_attempt(job), Assurance.CHECKED, self._cluster.now, ours=True)
        assert winner is not None  # noqa: S101
        self.hear(winner)
        for worker in self._cluster.workers:
            if worker is not self:
                self._cluster.after(HEARD - ACKNOWLEDGED, partial(worker.hear, winner))
        self._scheduler.groups.ended(str(job.problem))

    def hear(self, winner: Winner) -> None:
        for attempt in self._groups.won(winner, self._cluster.now):
            job = self._inside[attempt.record_id]
            if self._scheduler.withdraw(job):
                self._answer(job)
            elif (slot := self._scheduler.slot_to_end(job, self._cluster.now)) is not None:
                self._answer(job)
                if not self._scheduler_imports(slot):
                    self._cluster.ended += 1
                    self._free(slot, NO_PROCESS)
        self.admit()


def _holding(header: Header) -> SlotState:
    return SlotState((header.fingerprint,), IMPORT_SECONDS[0], room=False)


def _id(each: Try) -> RecordId:
    return RecordId(0, each.number, 0)


def _attempt(each: Try) -> GroupAttempt:
    return GroupAttempt(_id(each), str(each.problem), str(each.number), Assurance.CHECKED)


def simulate(order: str, workers: int, slots: int, seeds: int) -> Figures:
    """The means over the seeds."""
    runs, perfect, ended, elapsed, everything = [], [], [], [], []
    for seed in range(seeds):
        tries = attempts(order, seed)
        cluster = Cluster(workers, slots)
        cluster.run(tries)
        if cluster.answered != len(tries):
            raise SystemExit(f"{len(tries) - cluster.answered} attempts have no answer")
        runs.append(cluster.runs)
        perfect.append(perfect_runs(tries))
        ended.append(cluster.ended)
        elapsed.append(cluster.now)
        everything.append(sum(each.service for each in tries) / workers / slots)
    mean = statistics.mean
    return Figures(
        "simulated",
        order,
        workers,
        slots,
        PROBLEMS * ATTEMPTS,
        mean(runs),
        mean(perfect),
        round(mean(runs) / mean(perfect), 3),
        mean(ended),
        round(mean(elapsed)),
        round(mean(everything)),
    )


# --- on a real Kafka ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workers_of(settings: Settings, args: argparse.Namespace, folder: Path) -> Iterator[list[Path]]:
    """Worker processes; their logs."""
    environment = os.environ | {
        "XDG_STATE_HOME": str(folder),
        "STREAMVERIFY_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "STREAMVERIFY_REQUEST_TOPIC": settings.request_topic,
        "STREAMVERIFY_RESULT_TOPIC": settings.result_topic,
        "STREAMVERIFY_DLQ_TOPIC": settings.dlq_topic,
        "STREAMVERIFY_GROUPS_TOPIC": settings.groups_topic,
        "STREAMVERIFY_GROUP_ID": settings.request_topic,
        "STREAMVERIFY_REPL": f"synthetic --default-import {args.import_seconds}",
        "STREAMVERIFY_SLOTS": str(args.slots),
        "STREAMVERIFY_REQUIRE": "checked",
        "STREAMVERIFY_HTTP_PORT": "0",
        "STREAMVERIFY_LOG_LEVEL": "info",
    }
    logs = [folder / f"worker-{number}.log" for number in range(args.workers)]
    with contextlib.ExitStack() as stack:
        for log in logs:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "streamverify", "worker"],
                    env=environment,
                    stderr=stack.enter_context(log.open("wb")),
                )
            )
            stack.callback(process.terminate)
        yield logs


async def send(settings: Settings, tries: Sequence[Try], args: argparse.Namespace) -> None:
    """All of them, to the partitions by turns: where our partitioner puts the proofs of one header."""
    scale = args.mean / mean_service()
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=20)
    await producer.start()
    try:
        for each in tries:
            words = f"service={each.service * scale:.5f}" + ("" if each.good else " error")
            value = {
                "custom_id": str(each.number),
                "proof": f"{each.header.canonical}theorem t : 1 = 1 := rfl -- synthetic: {words}",
                "statement": f"{each.header.canonical}theorem t : 1 = 1 := by sorry",
                "group": f"p{each.problem}",
                "first_success": True,
            }
            partition = each.number % args.partitions
            await producer.send(settings.request_topic, json.dumps(value).encode(), partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


async def collect(settings: Settings, count: int) -> tuple[dict[str, dict[str, object]], float]:
    """Every result, and the seconds from the first record to the last result."""
    consumer = AIOKafkaConsumer(
        settings.result_topic, bootstrap_servers=settings.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: dict[str, dict[str, object]] = {}
    first, last = float("inf"), 0.0
    try:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    result = json.loads(record.value or b"")
                    first, last = min(first, result["source"]["timestamp"]), max(last, record.timestamp)
                    found[result["custom_id"]] = result
    finally:
        await consumer.stop()
    return found, (last - first) / 1000


async def on_kafka(order: str, servers: str, args: argparse.Namespace) -> Figures:
    """One run, with topics and workers of its own."""
    tries = attempts(order, args.seed)
    settings = await fresh_topics(servers, args.partitions)
    with tempfile.TemporaryDirectory() as folder, workers_of(settings, args, Path(folder)) as logs:
        await all_have_partitions(logs, args.partitions)
        collecting = asyncio.create_task(collect(settings, len(tries)))
        begun = time.monotonic()
        await send(settings, tries, args)
        print(f"sent in {time.monotonic() - begun:.1f} s", flush=True)
        found, elapsed = await collecting
    check(tries, found)
    runs = [result for result in found.values() if result["reason"] != "superseded" or result["attempts"]]
    perfect = perfect_runs(tries)
    scale = args.mean / mean_service()
    return Figures(
        "kafka",
        order,
        args.workers,
        args.slots,
        len(tries),
        len(runs),
        perfect,
        round(len(runs) / perfect, 3),
        sum(result["reason"] == "superseded" for result in runs),
        round(elapsed, 1),
        round(sum(each.service for each in tries) * scale / args.workers / args.slots, 1),
    )


def check(tries: Sequence[Try], found: dict[str, dict[str, object]]) -> None:
    """See that each answer is right: its own verdict, or superseded by a verified attempt of the same problem."""
    for each in tries:
        result = found[str(each.number)]
        if result["reason"] == "superseded":
            winner = tries[int(str(result["superseded_by"]))]
            if winner.problem != each.problem or found[str(winner.number)]["status"] != "verified":
                raise SystemExit(f"superseded by what is no success of its problem: {result}")
        elif result["status"] != ("verified" if each.good else "rejected"):
            raise SystemExit(f"a wrong verdict: {result}")
    solvable = {each.problem for each in tries if each.good}
    solved = Counter(each.problem for each in tries if found[str(each.number)]["status"] == "verified")
    if solved.keys() != solvable:
        raise SystemExit(f"{len(solvable - solved.keys())} problems with a good attempt have no verified one")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=("simulate", "kafka"))
    parser.add_argument("--broker", default="kafka", help="kafka, or host:port")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--mean", type=float, default=0.2, help="seconds of a proof, on Kafka")
    parser.add_argument("--import-seconds", type=float, default=0.5, help="on Kafka")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    if args.how == "simulate":
        sizes = ((1, 2), (1, 8), (2, 2), (2, 4), (2, 8), (4, 4), (8, 8))
        figures = [simulate(order, *size, args.seeds) for order in ORDERS for size in sizes]
    else:
        with a_broker(args.broker) as servers:
            figures = [asyncio.run(on_kafka(order, servers, args)) for order in ORDERS]
    shown = Table(title="attempts of which one success is enough")
    for heading in asdict(figures[0]):
        shown.add_column(heading, justify="left" if heading in {"how", "order"} else "right")
    for each in figures:
        shown.add_row(*(str(value) for value in asdict(each).values()))
    Console(width=160).print(shown)
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / f"pass_at_k_{args.how}.json"
    file.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
