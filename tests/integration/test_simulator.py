"""The simulator: small cases that can be worked out by hand, and that the policies do what their names say."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.simulator.__main__ import across, figures, within
from benchmarks.simulator.engine import Change, Simulation
from benchmarks.simulator.partitioners import PARTITIONERS
from benchmarks.simulator.policies import POLICIES, FirstInFirstOut, HeaderHash, LeastRecentlyUsed, Ours
from benchmarks.simulator.report import limits
from benchmarks.simulator.scenarios import SCENARIOS, Scenario
from benchmarks.workload import IMPORT_SECONDS, Proof, backlog, headers, import_seconds, stream

if TYPE_CHECKING:
    from benchmarks.simulator.engine import Outcome
    from benchmarks.simulator.policies import Policy

A, B = headers()[:2]
COST_A, COST_B = IMPORT_SECONDS[:2]


def run(policy: Policy, *proofs: Proof) -> Outcome:
    return Simulation([policy], import_seconds(), slots=[1]).run((0, proof) for proof in proofs)


def test_first_in_first_out_imports_for_every_change() -> None:
    outcome = run(FirstInFirstOut(1), *(Proof((A, B)[number % 2], 0.0, 10.0) for number in range(4)))
    assert (outcome.imports, outcome.elapsed) == (4, 40 + 2 * (COST_A + COST_B))
    assert outcome.useful == pytest.approx(40 / outcome.elapsed)


def test_a_process_that_dies_loses_what_it_had_imported() -> None:
    proofs = [Proof(A, 0.0, 1.0, kills=kills) for kills in (False, True, False)]
    for policy in (Ours(1), LeastRecentlyUsed(1), HeaderHash(1)):
        assert run(policy, *proofs).imports == 2


def test_ours_is_better_than_what_it_replaces_where_headers_are_mixed() -> None:
    proofs = backlog(300, seed=1)
    ours, lru = (within(proofs, 2, POLICIES[name]) for name in ("ours", "lru"))
    assert ours.imports < lru.imports / 5
    assert ours.elapsed < lru.elapsed
    assert ours.useful >= 0.9


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("partitioner", PARTITIONERS)
def test_every_proof_is_run_once_whatever_the_policy(policy: str, partitioner: str) -> None:
    proofs = stream(200, seed=2, slots=6, load=0.7)
    choose = PARTITIONERS[partitioner](3, random.Random(1))  # noqa: S311
    simulation = Simulation([POLICIES[policy](2) for _ in range(3)], import_seconds(), slots=[2, 2, 2])
    outcome = simulation.run((choose(each.header.fingerprint.encode()), each) for each in proofs)
    assert len(simulation.waits) == len(proofs)
    assert min(wait for _arrival, wait in simulation.waits) >= 0
    assert outcome.useful * outcome.elapsed == pytest.approx(outcome.ideal)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_runs_and_a_seed_gives_the_same_figures_again(scenario: Scenario) -> None:
    small = replace(scenario, workers=min(scenario.workers, 10), proofs_each=20)
    arrivals = [proof.arrival for proof in small.case(seed=1).proofs]
    assert (len(arrivals), arrivals) == (small.workers * 20, sorted(arrivals))
    first, again = (across(small, PARTITIONERS["ours"], seed=1) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_lost_worker_had_not_answered_is_run_by_another(policy: str) -> None:
    """At 5 s the first worker, of two, is lost: it runs one proof and has one more waiting."""
    workers, lost = [POLICIES[policy](1) for _ in range(2)], Change(5.0, lost=1)
    simulation = Simulation(workers, import_seconds(), slots=[1, 1], changes=[lost])
    outcome = simulation.run((partition, Proof(A, 0.0, 10.0)) for partition in (0, 0, 1))
    assert len(simulation.waits) == 3
    assert outcome.elapsed == COST_A + 3 * 10.0
    # A spare of the worker that is left is warmed, too.
    assert outcome.imports == (3 if "spares" in policy else 2)


def test_a_worker_that_joins_takes_partitions_and_what_waits_in_them() -> None:
    joined = Change(1.0, joined=(Ours(1),))
    simulation = Simulation([Ours(1)], import_seconds(), partitions_each=2, slots=[1], changes=[joined])
    outcome = simulation.run((partition, Proof(A, 0.0, 10.0)) for partition in (0, 0, 1, 1))
    assert (outcome.elapsed, outcome.imports) == (1.0 + COST_A + 20.0, 2)


@pytest.mark.parametrize("worse", [False, True])
def test_the_report_says_what_is_worse_than_round_robin(*, worse: bool) -> None:
    slow, fast = (figures([within(backlog(50, seed=1), slots, Ours)] * 2, 50) for slots in (1, 2))
    kinds = {"round robin": fast, "ours": slow} if worse else {"round robin": slow, "ours": fast}
    said = limits([{"scenario": "s", "partitioner": name} | row for name, row in kinds.items()])
    assert ("**worse**" in said) == worse
    assert worse or "better" in said
