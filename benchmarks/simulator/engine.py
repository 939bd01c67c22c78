"""A queueing simulator: workers with slots, proofs from partitions, events in the order of time. No clock, no I/O.

Partitions belong to workers as Kafka's sticky assignor gives them: a worker that leaves gives its partitions to those
that have the fewest, one that joins takes from those that have the most. What a lost worker had not answered is
delivered again.
"""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.simulator.policies import Policy, Run
    from benchmarks.workload import Proof

ADMITTED = 1_000
"""Proofs of a partition that a worker has taken in and not answered, at most."""

REBALANCE = 3.0
"""Seconds from the loss of a worker until the others have its partitions. Kafka's is longer: the session time-out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: shares of 1 and seconds. A proof waits until Lean runs it, also for its own import."""

    useful: float
    """Lean's time for proofs / (slots x elapsed)."""
    elapsed: float
    ideal: float
    """Lean's time for proofs / slots: no policy is faster."""
    imports: int
    wait_p50: float
    wait_p99: float
    longest_unserved: float
    """The longest time in which a header had a waiting proof and none of its proofs was started, on one worker."""
    steady_imports: float
    """Imports for 1,000 proofs. Steady state: without the first and the last tenth of the time in which proofs come."""
    steady_p50: float
    steady_p99: float
    importing: float
    """Part of the slots' time that imports take, in steady state."""


class Change(NamedTuple):
    """At a time, so many workers are lost without a word, or so many join."""

    at: float
    lost: int = 0
    joined: tuple[Policy, ...] = ()


class Simulation:
    """A cluster of workers and the partitions of one topic."""

    def __init__(  # noqa: PLR0913 - all but two have defaults
        self,
        policies: Sequence[Policy],
        import_seconds: Mapping[str, float],
        *,
        partitions_each: int = 1,
        slots: Sequence[int] = (),
        changes: Sequence[Change] = (),
        on_done: Callable[[Proof], None] | None = None,
    ) -> None:
        """Make it.

        Args:
            policies: One for each worker.
            import_seconds: What importing a header takes, by fingerprint.
            partitions_each: Partitions of the topic for each worker that is there at the start.
            slots: Of each worker; only for the figures. Default: one each.
            changes: Workers that are lost or join.
            on_done: Is told each proof that is done.
        """
        self.import_seconds = import_seconds
        self.workers = [_Worker(self, policy) for policy in policies]
        self._everybody = list(self.workers)
        self._slots = sum(slots) if slots else len(policies)
        self.partitions = [_Partition() for _ in range(len(policies) * partitions_each)]
        for number, each in enumerate(self.partitions):
            each.worker = self.workers[number // partitions_each]
        self._changes = changes
        self.on_done = on_done
        # Time, a number that keeps equal times in order, what happens. Plain tuples, as the heap compares them often.
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self.waits: list[tuple[float, float]] = []
        """When each proof came, and how long it waited."""
        self.imports: list[tuple[float, float]] = []
        """When each import began, and what it took."""
        self.finished = 0.0

    def at(self, time: float, act: Callable[[float], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._events, (time, next(self._numbers), act))

    def run(self, proofs: Iterable[tuple[int, Proof]]) -> Outcome:
        """Run until every proof is done.

        Args:
            proofs: Each with its partition, in the order of arrival.
        """
        useful, last, events = 0.0, 0.0, self._events
        for change in self._changes:
            self.at(change.at, partial(self._change, change))
        # Arrivals are in order already: only what they cause goes through the heap.
        for partition, proof in proofs:
            useful += proof.service
            last = proof.arrival
            while events and events[0][0] < last:
                time, _number, act = heapq.heappop(events)
                act(time)
            self.partitions[partition].arrived(proof, last)
        while events:
            time, _number, act = heapq.heappop(events)
            act(time)
        return self._outcome(useful, last or self.finished)

    def _outcome(self, useful: float, last: float) -> Outcome:
        first, end = last / 10, last * 9 / 10
        steady = [wait for arrival, wait in self.waits if first <= arrival <= end]
        if len(steady) < 2:
            # A backlog: every proof came at 0.
            steady = [wait for _arrival, wait in self.waits]
        imports = [seconds for begun, seconds in self.imports if first <= begun <= end]
        cuts, steady_cuts = (
            statistics.quantiles(waits, n=100) for waits in ([wait for _arrival, wait in self.waits], steady)
        )
        return Outcome(
            useful=useful / (self._slots * self.finished),
            elapsed=self.finished,
            ideal=useful / self._slots,
            imports=len(self.imports),
            wait_p50=cuts[49],
            wait_p99=cuts[98],
            longest_unserved=max(worker.longest_unserved for worker in self._everybody),
            steady_imports=1000 * len(imports) / len(steady),
            steady_p50=steady_cuts[49],
            steady_p99=steady_cuts[98],
            importing=sum(imports) / (self._slots * (end - first)),
        )

    def _change(self, change: Change, now: float) -> None:
        lost, self.workers = self.workers[: change.lost], self.workers[change.lost :]
        for worker in lost:
            worker.lose()
        for policy in change.joined:
            self.workers.append(_Worker(self, policy))
            self._everybody.append(self.workers[-1])
        self.at(now + REBALANCE if lost else now, self._rebalance)

    def _rebalance(self, now: float) -> None:
        owned: dict[_Worker, list[_Partition]] = {worker: [] for worker in self.workers}
        free = []
        for each in self.partitions:
            if each.worker in owned:
                owned[each.worker].append(each)
            else:
                free.append(each)
        for each in free:
            worker = min(owned, key=lambda one: len(owned[one]))
            owned[worker].append(each)
            each.move(worker)
        while len(owned[most := max(owned, key=lambda one: len(owned[one]))]) > 1 + len(
            owned[least := min(owned, key=lambda one: len(owned[one]))]
        ):
            moved = owned[most].pop()
            owned[least].append(moved)
            most.give_back(moved)
            moved.move(least)
        for each in self.partitions:
            each.admit(now)


class _Partition:
    """First in, first out; at most `ADMITTED` at the worker."""

    worker: _Worker

    def __init__(self) -> None:
        self._waiting: deque[Proof] = deque()
        self.inside: dict[Proof, None] = {}

    def arrived(self, proof: Proof, now: float) -> None:
        self._waiting.append(proof)
        self.admit(now)

    def done(self, proof: Proof, now: float) -> None:
        self.inside.pop(proof, None)
        self.admit(now)

    def back(self, proofs: Sequence[Proof]) -> None:
        """What a worker has not answered comes first again."""
        for proof in reversed(proofs):
            del self.inside[proof]
            self._waiting.appendleft(proof)

    def move(self, worker: _Worker) -> None:
        self.worker = worker

    def admit(self, now: float) -> None:
        while self._waiting and len(self.inside) < ADMITTED and not self.worker.lost:
            proof = self._waiting.popleft()
            self.inside[proof] = None
            self.worker.take(proof, self, now)


class _Worker:
    def __init__(self, simulation: Simulation, policy: Policy) -> None:
        self._simulation = simulation
        self._policy = policy
        self._from: dict[Proof, _Partition] = {}
        # When Lean begins with each.
        self._running: dict[Proof, float] = {}
        self._alarm: float | None = None
        self._unserved_since: dict[str, float] = {}
        self._queued: Counter[str] = Counter()
        self.longest_unserved = 0.0
        self.lost = False

    def take(self, proof: Proof, partition: _Partition, now: float) -> None:
        self._from[proof] = partition
        header = proof.header.fingerprint
        if not self._queued[header]:
            self._unserved_since[header] = now
        self._queued[header] += 1
        self._carry_out(self._policy.submit(proof, now), now)

    def lose(self) -> None:
        """It is gone; its proofs wait in their partitions."""
        self.lost = True
        for proof, partition in reversed(self._from.items()):
            partition.back([proof])

    def give_back(self, partition: _Partition) -> None:
        """Another worker has the partition now. What runs here goes on, and its answer counts."""
        queued = [proof for proof, of in self._from.items() if of is partition and proof not in self._running]
        doomed = set(queued)
        self._policy.discard(doomed.__contains__)
        for proof in queued:
            del self._from[proof]
            self._queued[proof.header.fingerprint] -= 1
        partition.back(queued)

    def _carry_out(self, runs: list[Run], now: float) -> None:
        simulation = self._simulation
        for run in runs:
            seconds = simulation.import_seconds[run.header.fingerprint] if run.cold else 0.0
            if run.proof is not None:
                self._started(run.proof, now, now + seconds)
            if run.cold:
                simulation.imports.append((now, seconds))
                simulation.at(now + seconds, partial(self._imported, run, seconds))
            elif run.proof is not None:
                simulation.at(now + run.proof.service, partial(self._ended, run))
        actions, again = self._policy.due(now)
        if actions:
            self._carry_out(actions, now)
        elif again is not None and again != self._alarm:
            self._alarm = again
            simulation.at(again, self._ring)

    def _started(self, proof: Proof, now: float, begins: float) -> None:
        header = proof.header.fingerprint
        self._running[proof] = begins
        self.longest_unserved = max(self.longest_unserved, now - self._unserved_since[header])
        self._queued[header] -= 1
        self._unserved_since[header] = now

    def _imported(self, run: Run, seconds: float, now: float) -> None:
        if self.lost:
            return
        if run.proof is not None:
            self._simulation.at(now + run.proof.service, partial(self._ended, run))
        self._carry_out(self._policy.imported(run.slot, run.header, seconds, now), now)
        if run.proof is None:
            self._carry_out(self._policy.freed(run.slot, now), now)

    def _ended(self, run: Run, now: float) -> None:
        if self.lost:
            return
        self._simulation.finished = now
        died = run.proof is not None and run.proof.kills
        self._carry_out(self._policy.freed(run.slot, now, died=died), now)
        if run.proof is not None:
            # Not when it started: it may be lost with its worker and run again.
            begun = self._running.pop(run.proof)
            self._simulation.waits.append((run.proof.arrival, begun - run.proof.arrival))
            if self._simulation.on_done is not None:
                self._simulation.on_done(run.proof)
            self._from.pop(run.proof).done(run.proof, now)

    def _ring(self, now: float) -> None:
        if self._alarm == now and not self.lost:
            self._alarm = None
            self._carry_out([], now)
