"""A queueing simulator: workers with slots, proofs from partitions, events in the order of time. No clock, no I/O."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.workload import import_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.simulator.policies import Policy, Run
    from benchmarks.workload import Proof

ADMITTED = 1_000
"""Proofs of a partition that a worker has taken in and not answered, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: shares of 1 and seconds."""

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


class _Event(NamedTuple):
    at: float
    number: int
    act: Callable[[float], None]


class Simulation:
    """A cluster of equal workers; each has `partitions_each` partitions of the topic."""

    def __init__(self, policies: Sequence[Policy], *, partitions_each: int = 1) -> None:
        self._workers = [_Worker(self, policy) for policy in policies]
        self._partitions = [
            _Partition(self._workers[n // partitions_each]) for n in range(len(policies) * partitions_each)
        ]
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self.waits: list[float] = []
        self.imports = 0
        self.finished = 0.0

    def at(self, time: float, act: Callable[[float], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._events, _Event(time, next(self._numbers), act))

    def run(self, proofs: Iterable[tuple[int, Proof]], slots: int) -> Outcome:
        """Run until every proof is done.

        Args:
            proofs: Each with its partition, in the order of arrival.
            slots: Slots of one worker.
        """
        useful = 0.0
        for partition, proof in proofs:
            useful += proof.service
            self.at(proof.arrival, partial(self._partitions[partition].arrived, proof))
        while self._events:
            event = heapq.heappop(self._events)
            event.act(event.at)
        every = slots * len(self._workers)
        cuts = statistics.quantiles(self.waits, n=100)
        return Outcome(
            useful=useful / (every * self.finished),
            elapsed=self.finished,
            ideal=useful / every,
            imports=self.imports,
            wait_p50=cuts[49],
            wait_p99=cuts[98],
            longest_unserved=max(worker.longest_unserved for worker in self._workers),
        )


class _Partition:
    """First in, first out; at most `ADMITTED` at the worker."""

    def __init__(self, worker: _Worker) -> None:
        self._worker = worker
        self._waiting: deque[Proof] = deque()
        self._inside = 0

    def arrived(self, proof: Proof, now: float) -> None:
        self._waiting.append(proof)
        self.admit(now)

    def done(self, now: float) -> None:
        self._inside -= 1
        self.admit(now)

    def admit(self, now: float) -> None:
        while self._waiting and self._inside < ADMITTED:
            self._inside += 1
            self._worker.take(self._waiting.popleft(), self, now)


class _Worker:
    def __init__(self, simulation: Simulation, policy: Policy) -> None:
        self._simulation = simulation
        self._policy = policy
        self._from: dict[Proof, _Partition] = {}
        self._alarm: float | None = None
        self._unserved_since: dict[str, float] = {}
        self._queued: Counter[str] = Counter()
        self.longest_unserved = 0.0

    def take(self, proof: Proof, partition: _Partition, now: float) -> None:
        self._from[proof] = partition
        header = proof.header.fingerprint
        if not self._queued[header]:
            self._unserved_since[header] = now
        self._queued[header] += 1
        self._carry_out(self._policy.submit(proof, now), now)

    def _carry_out(self, runs: list[Run], now: float) -> None:
        for run in runs:
            if run.proof is not None:
                self._simulation.waits.append(now - run.proof.arrival)
                self._started(run.header.fingerprint, now)
            seconds = import_seconds()[run.header.fingerprint] if run.cold else 0.0
            self._simulation.imports += run.cold
            if run.cold:
                self._simulation.at(now + seconds, partial(self._imported, run, seconds))
            elif run.proof is not None:
                self._simulation.at(now + run.proof.service, partial(self._ended, run))
        actions, again = self._policy.due(now)
        if actions:
            self._carry_out(actions, now)
        elif again is not None and again != self._alarm:
            self._alarm = again
            self._simulation.at(again, self._ring)

    def _started(self, header: str, now: float) -> None:
        self.longest_unserved = max(self.longest_unserved, now - self._unserved_since[header])
        self._queued[header] -= 1
        self._unserved_since[header] = now

    def _imported(self, run: Run, seconds: float, now: float) -> None:
        if run.proof is not None:
            self._simulation.at(now + run.proof.service, partial(self._ended, run))
        self._carry_out(self._policy.imported(run.slot, run.header, seconds, now), now)
        if run.proof is None:
            self._carry_out(self._policy.freed(run.slot, now), now)

    def _ended(self, run: Run, now: float) -> None:
        self._simulation.finished = now
        self._carry_out(self._policy.freed(run.slot, now), now)
        if run.proof is not None:
            self._from.pop(run.proof).done(now)

    def _ring(self, now: float) -> None:
        if self._alarm == now:
            self._alarm = None
            self._carry_out([], now)
