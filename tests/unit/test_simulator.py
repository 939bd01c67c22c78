"""The simulator: small cases that can be worked out by hand, and that the policies do what their names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.simulator.__main__ import PARTITIONERS, simulate
from benchmarks.simulator.engine import Simulation
from benchmarks.simulator.policies import POLICIES, FirstInFirstOut, HeaderHash, LeastRecentlyUsed, Ours
from benchmarks.workload import IMPORT_SECONDS, Proof, backlog, headers, import_seconds, service_times, stream

if TYPE_CHECKING:
    from benchmarks.simulator.engine import Outcome
    from benchmarks.simulator.policies import Policy

A, B, C = headers()[:3]
COST_A, COST_B, COST_C = IMPORT_SECONDS[:3]


def run(policy: Policy, proofs: list[Proof], slots: int = 1) -> Outcome:
    return Simulation([policy]).run(((0, proof) for proof in proofs), slots)


def alternating(count: int) -> list[Proof]:
    return [Proof((A, B)[number % 2], 0.0, 10.0) for number in range(count)]


def test_first_in_first_out_imports_for_every_change() -> None:
    outcome = run(FirstInFirstOut(1), alternating(4))
    assert outcome.imports == 4
    assert outcome.elapsed == 40 + 2 * (COST_A + COST_B)
    assert outcome.useful == pytest.approx(40 / outcome.elapsed)


def test_least_recently_used_finds_the_idle_slot_that_suits() -> None:
    warm = [Proof(A, 0.0, 1.0), Proof(B, 0.0, 1.0), Proof(B, 100.0, 1.0), Proof(A, 100.0, 1.0)]
    assert run(LeastRecentlyUsed(2), warm, 2).imports == 2
    # B was idle longest when C came, and is cold when it comes again; A is not.
    for header, imports in ((A, 3), (B, 4)):
        proofs = [*warm[:2], Proof(C, 50.0, 1.0), Proof(header, 100.0, 1.0)]
        assert run(LeastRecentlyUsed(2), proofs, 2).imports == imports


def test_by_hash_every_header_is_imported_once_a_slot_if_they_do_not_meet() -> None:
    outcome = run(HeaderHash(64), [Proof(A, 0.0, seconds) for seconds in (1.0, 2.0, 3.0)], 64)
    assert (outcome.imports, outcome.elapsed) == (1, COST_A + 6)


def test_ours_stays_with_a_header() -> None:
    outcome = run(Ours(1), alternating(4))
    assert (outcome.imports, outcome.elapsed) == (2, 40 + COST_A + COST_B)
    assert outcome.ideal == 40


def test_ours_is_better_than_what_it_replaces_where_headers_are_mixed() -> None:
    proofs = backlog(300, seed=1)
    ours, lru = (simulate(proofs, 1, 2, POLICIES[name], lambda _key: 0) for name in ("ours", "lru"))
    assert ours.imports < lru.imports / 5
    assert ours.elapsed < lru.elapsed
    assert ours.useful >= 0.9


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("partitioner", PARTITIONERS)
def test_every_proof_is_run_once_whatever_the_policy(policy: str, partitioner: str) -> None:
    proofs = stream(200, seed=2, slots=6, load=0.7)
    choose = PARTITIONERS[partitioner](3)
    simulation = Simulation([POLICIES[policy](2) for _ in range(3)])
    outcome = simulation.run(((choose(each.header.fingerprint.encode()), each) for each in proofs), 2)
    assert len(simulation.waits) == len(proofs)
    assert min(simulation.waits) >= 0
    assert outcome.useful * outcome.elapsed == pytest.approx(outcome.ideal)


def test_a_partition_lets_in_no_more_than_is_admitted() -> None:
    proofs = [Proof(A, 0.0, 0.001) for _ in range(1_500)] + [Proof(B, 0.0, 1.0)]
    outcome = run(FirstInFirstOut(1), proofs)
    assert outcome.imports == 2


def test_the_workload_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[tuple[str, float, float]]:
        proofs = stream(50, seed, slots=2, load=0.5)
        return [(proof.header.fingerprint, proof.arrival, proof.service) for proof in proofs]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {proof.header for proof in backlog(20, 1, one_header=True)} == {A}
    assert set(import_seconds().values()) == set(IMPORT_SECONDS)
    assert min(service_times()) > 0
