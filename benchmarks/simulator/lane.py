"""What the lane for short work is worth on one worker, and what it costs long work. With and without it."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.simulator.engine import Simulation
from benchmarks.simulator.policies import Ours
from benchmarks.workload import Proof, arrivals, headers, import_seconds, mean_service, shuffled_services
from streamverify.core.scheduling.durations import LONG_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = dict[str, Any]

LONG_SECONDS, SHORT, LONG = 300.0, 60.0, 600.0
"""What Lean takes for a long proof, and the time-outs of both kinds."""
SLOTS = (1, 2, 4, 8)


def behind(rng: random.Random, slots: int) -> list[Proof]:
    """400 short proofs that come right behind 20 long ones for each slot."""
    [header, *_] = headers()
    long = [Proof(header, 0.0, LONG_SECONDS, timeout=LONG) for _ in range(20 * slots)]
    return long + [Proof(header, 0.0, service, timeout=SHORT) for service in shuffled_services(400, rng)]


def together(rng: random.Random, slots: int) -> list[Proof]:
    """Both at random: short ones keep 30 % of the slots busy, long ones another 30 %."""
    short = 0.3 * slots / mean_service()
    count = int(20_000 * short)
    services = shuffled_services(count, rng)
    [header, *_] = headers()
    proofs = [
        Proof(header, at, service, timeout=SHORT)
        for at, service in zip(arrivals(count, rng, short), services, strict=True)
    ]
    rate = 0.3 * slots / LONG_SECONDS
    proofs += [Proof(header, at, LONG_SECONDS, timeout=LONG) for at in arrivals(int(20_000 * rate), rng, rate)]
    return sorted(proofs, key=lambda proof: proof.arrival)


def _run(proofs: Sequence[Proof], slots: int, long_timeout: float) -> Row:
    waits: dict[bool, list[float]] = {True: [], False: []}

    def done(proof: Proof) -> None:
        waits[proof.timeout > SHORT].append(simulation.waits[-1][1])

    simulation = Simulation([Ours(slots, long_timeout=long_timeout)], import_seconds(), slots=[slots], on_done=done)
    outcome = simulation.run((0, proof) for proof in proofs)
    row: Row = {"elapsed": outcome.elapsed}
    for is_long, name in ((False, "short"), (True, "long")):
        cuts = statistics.quantiles(waits[is_long], n=100)
        row |= {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}
    return row


def lane(seeds: int) -> Iterator[Row]:
    """Every case, with and without the lane."""
    for case, make in (("400 short behind long", behind), ("both at random", together)):
        for slots in SLOTS:
            for name, long_timeout in (("no lane", float("inf")), ("lane", LONG_TIMEOUT)):
                rows = [_run(make(random.Random(seed), slots), slots, long_timeout) for seed in range(seeds)]  # noqa: S311
                means = {key: round(statistics.mean(row[key] for row in rows), 2) for key in rows[0]}
                yield {"case": case, "slots": slots, "kind": name} | means
