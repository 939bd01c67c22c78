"""The named cases that the simulator compares partitioners in: who sends what when, and who is there to run it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.simulator.engine import Change
from benchmarks.simulator.policies import Ours
from benchmarks.workload import SHARES, Proof, arrivals, headers, import_seconds, mean_service, shuffled_services

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamverify.core.syntax.header import Header

ZIPF = tuple(1 / rank for rank in range(1, 1001))
"""A thousand headers, the second half as frequent as the first, the third a third: the first has 13 %."""


class Case(NamedTuple):
    """One run of a scenario."""

    proofs: list[Proof]
    import_seconds: Mapping[str, float]
    slots: list[int]
    """Of each worker."""
    changes: list[Change]


@dataclass(frozen=True)
class Scenario:
    """What differs from 4 slots a worker, a partition each, one producer, proofs of the mix at random and load 0.8."""

    name: str
    workers: int = 100
    slots: tuple[int, ...] = (4,)
    """The workers' slots, by turns."""
    load: float = 0.8
    proofs_each: int = 200
    """Proofs for each worker."""
    partitions_each: int = 1
    shares: Sequence[float] | None = SHARES
    """Of the headers; None: no two proofs have the same."""
    drift: bool = False
    """Whether the shares go over to the headers in reverse order, little by little."""
    together: int = 1
    """Proofs that come at once."""
    in_a_row: int = 1
    """Proofs with the same header, one after the other."""
    slowness: Sequence[float] = field(default=(1.0,))
    """What Lean's times are multiplied by, by header; the last for all that follow."""
    told: bool = False
    """Whether ours is tried as a producer, too, that learns from the results what each header's proofs take."""
    producers: int | str = 1
    """How many send the proofs, each proof one of them; `header`: each header its own; `proof`: each proof its own."""
    headers_per_repl: int = 1
    """Headers that a process of a worker may hold."""
    changes: bool = False
    """Whether a tenth of the workers is lost after a third of the time, and as many join after two thirds."""

    def case(self, seed: int) -> Case:
        """The proofs of one run, and the workers."""
        rng = random.Random(seed)  # noqa: S311
        count = self.workers * self.proofs_each
        slots = [self.slots[number % len(self.slots)] for number in range(self.workers)]
        chosen = self._chosen(count, rng)
        services = [
            seconds * self.slowness[min(number, len(self.slowness) - 1)]
            for number, seconds in zip(chosen, shuffled_services(count, rng), strict=True)
        ]
        # What Lean takes in all is what the load is of, however slow some headers are.
        faster = count * mean_service() / sum(services)
        times = arrivals(count, rng, self.load * sum(slots) / mean_service(), self.together)
        every: Sequence[Header] = headers(count if self.shares is None else len(self.shares))
        proofs = [
            Proof(every[number], at, service * faster, self._producer(at_number, number, rng))
            for at_number, (number, at, service) in enumerate(zip(chosen, times, services, strict=True))
        ]
        return Case(proofs, import_seconds(len(every)), slots, self._changes(times[-1]) if self.changes else [])

    def _chosen(self, count: int, rng: random.Random) -> list[int]:
        """The number of each proof's header."""
        if self.shares is None:
            # Shuffled: import times go round with the number, and so do turns over the partitions.
            return rng.sample(range(count), count)
        numbers = range(len(self.shares))
        if self.drift:
            late = self.shares[::-1]
            return [
                rng.choices(numbers, late if rng.random() < proof / count else self.shares)[0] for proof in range(count)
            ]
        runs = rng.choices(numbers, self.shares, k=-(-count // self.in_a_row))
        return [number for number in runs for _ in range(self.in_a_row)][:count]

    def _producer(self, proof: int, header: int, rng: random.Random) -> int:
        if self.producers == "proof":
            return proof
        return header if self.producers == "header" else rng.randrange(int(self.producers))

    def _changes(self, end: float) -> list[Change]:
        some = max(1, self.workers // 10)
        return [
            Change(end / 3, lost=some),
            Change(end * 2 / 3, joined=tuple(Ours(self.slots[0]) for _ in range(some))),
        ]


SCENARIOS = (
    Scenario("1 worker", workers=1, proofs_each=2000),
    Scenario("10 workers", workers=10, proofs_each=400, told=True),
    Scenario("100 workers", told=True),
    Scenario("1,000 workers", workers=1000),
    Scenario("10 workers, load 0.9", workers=10, proofs_each=400, load=0.9),
    Scenario("100 workers, load 0.9", load=0.9),
    Scenario("3 partitions a worker", partitions_each=3),
    Scenario("100 producers of 400 proofs", proofs_each=400, producers=100),
    Scenario("a producer for each header", producers="header"),
    Scenario("a producer for each proof", producers="proof"),
    Scenario("100 workers, 4 headers a process", headers_per_repl=4),
    Scenario("1,000 headers (Zipf)", shares=ZIPF),
    Scenario("1,000 headers (Zipf), 4 a process", shares=ZIPF, headers_per_repl=4),
    Scenario("1,000 headers (Zipf), 10 workers", shares=ZIPF, workers=10, proofs_each=400),
    Scenario("all headers different, 20 workers, load 0.4", shares=None, load=0.4, workers=20),
    Scenario("one header", shares=(1,)),
    Scenario("bursts of 1,000 proofs", together=1000),
    Scenario("200 proofs in a row with the same header", in_a_row=200),
    Scenario("10 of 100 workers lost, 10 added", changes=True, load=0.7),
    Scenario("workers of 3 and of 5 slots, load 0.6", slots=(3, 5), load=0.6),
    Scenario("shares drift", drift=True),
    Scenario("rare headers 4 times as slow", slowness=(1.0, 4.0), told=True),
)
