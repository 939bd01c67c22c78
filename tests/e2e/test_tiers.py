"""Workers that take proofs above `audited`, on a broker: a scripted Lean, and stand-ins for compiler and kernels."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import kafka_records
import pytest
import tier_fakes
from command import descendants, end, make_environment, run_command, serving_worker, settings_of, wait_until_gone
from repl_fakes import FAKE, until

from streamverify.client import AsyncClient
from streamverify.core.messages.codec import decode_result
from streamverify.core.messages.models import ProofRequest
from streamverify.core.messages.newest import newest
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamverify.core.messages.models import ProofResult

pytestmark = pytest.mark.timeout(240)


def environment(broker: str, folder: Path, *, real: bool, **more: str) -> dict[str, str]:
    named = {PREFIX + name.upper(): path for name, path in tier_fakes.install(folder / "bin").items()}
    given = {
        "REPL": f"{sys.executable} -S -E {FAKE}",
        "REQUIRE": "audited",
        "SANDBOX": "none",
        "REPLAY_SLOTS": "2",
        "REPLAY_STORE": "none",
        "DRAIN_TIMEOUT": "60",
        **more,
    }
    ours = {PREFIX + name: value for name, value in given.items()}
    return make_environment(broker, real=real) | named | ours | {"TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def served(
    broker: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """A worker that reaches every tier, and upgrades to `replayed` what asks for less."""
    folder = tmp_path_factory.mktemp("tiers")
    env = environment(broker, folder, real=request.config.getoption("--kafka"), UPGRADE="replayed")
    with serving_worker(env):
        yield env


def proof(theorem: str, **fields: Any) -> ProofRequest:
    return ProofRequest(custom_id=theorem, proof=f"theorem {theorem} : True := trivial", **fields)


async def submitted(env: dict[str, str], request: ProofRequest) -> None:
    async with AsyncClient(settings_of(env)) as client:
        await client.submit(request)


async def verified(env: dict[str, str], *requests: ProofRequest) -> dict[str, ProofResult]:
    async with AsyncClient(settings_of(env)) as client:
        return {result.custom_id: result for result in await client.verify(list(requests), timeout=300)}


async def test_a_client_waits_for_the_tier_that_it_asks_for(served: dict[str, str]) -> None:
    results = await verified(
        served,
        proof("first", require="replayed"),
        proof("second", require="cross_checked", statement="theorem second : True := sorry"),
        proof("exit_101_at_nanoda_t", require="cross_checked"),
        proof("exit_1_at_nanoda_t", require="cross_checked"),
        proof("refused_by_leanchecker_t", require="replayed"),
        proof("exit_1_at_lean_t", require="replayed"),
        proof("axioms_cheat", require="cross_checked"),
    )
    assert {name: (each.status, each.reason, each.assurance, each.reached) for name, each in results.items()} == {
        "first": ("verified", "ok", "replayed", None),
        "second": ("verified", "ok", "cross_checked", None),
        "exit_101_at_nanoda_t": ("rejected", "kernel", "none", "replayed"),
        "exit_1_at_nanoda_t": ("inconclusive", "unsupported", "none", "replayed"),
        "refused_by_leanchecker_t": ("rejected", "kernel", "none", "audited"),
        "exit_1_at_lean_t": ("inconclusive", "unsupported", "none", "audited"),
        "axioms_cheat": ("rejected", "axiom", "none", None),
    }
    second = results["second"]
    assert [(each.name, each.outcome) for each in second.checkers] == [
        ("streamverify", "accepted"),
        ("leanchecker", "accepted"),
        ("nanoda", "accepted"),
    ]
    assert second.export_sha256 is not None
    assert second.timings.replay > 0
    assert second.timings.total >= second.timings.replay


async def test_an_upgrade_is_a_second_result_that_readers_prefer(served: dict[str, str]) -> None:
    [first] = (await verified(served, proof("upgraded"))).values()
    assert first.assurance == "audited"
    seen: list[ProofResult] = []
    count = 1
    while len(seen) < 2:
        # What other tests have published is on the topic, too.
        records = await kafka_records.read(served, "RESULT_TOPIC", count)
        seen = [result for each in records if (result := decode_result(each.value)).custom_id == "upgraded"]
        count = len(records) + (1 if len(seen) < 2 else 0)
    assert [each.assurance for each in seen] == ["audited", "replayed"]
    assert seen[0].source == seen[1].source
    assert newest(seen)["upgraded"].assurance == newest(seen[::-1])["upgraded"].assurance == "replayed"
    said = run_command(served, "results", "--json")
    rows = [json.loads(line) for line in said.stdout.splitlines() if '"upgraded"' in line]
    assert "replayed" in {row["assurance"] for row in rows}, said.stderr


@pytest.mark.any_broker
def test_a_step_that_hangs_ends_in_time_and_with_the_worker(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # Every step of this worker has too little time where the machine is busy: all of them end in the same result.
    env = environment(broker, tmp_path, real=request.config.getoption("--kafka"), REPLAY_TIMEOUT="2")
    with serving_worker(env) as worker:
        results = asyncio.run(verified(env, proof("hang_at_lean_t", require="replayed", timeout=60)))
        [result] = results.values()
        assert (result.status, result.reason, result.reached) == ("inconclusive", "timeout", "audited")
        assert not result.retriable
        children = descendants(worker.pid)
        end(worker, signal.SIGTERM)
        assert worker.returncode == 0
        assert wait_until_gone(children) == []
    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


@pytest.mark.any_broker
def test_a_worker_that_cannot_upgrade_does_not_start(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    env = environment(broker, tmp_path, real=request.config.getoption("--kafka"), UPGRADE="replayed")
    # A kernel that accepts everything is none.
    (tmp_path / "bin" / "leanchecker").write_text("#!/bin/sh\necho 'Lean default kernel accepts the solution'\n")
    ended = run_command(env, "worker")
    assert ended.returncode == 4
    assert "STREAMVERIFY_UPGRADE" in ended.stderr
    assert "does not refuse an ill-typed term" in ended.stderr


@pytest.mark.kafka
def test_a_worker_that_is_killed_on_the_way_up_leaves_the_proof_to_the_next(kafka: str, tmp_path: Path) -> None:
    # Under its name the second one gets the partitions of the first at once.
    env = environment(kafka, tmp_path, real=True, GROUP_INSTANCE_ID="w") | {"FAKE_STATE": str(tmp_path)}

    asked = proof("stall_at_lean_t", require="replayed")
    with serving_worker(env) as worker:
        asyncio.run(submitted(env, asked))
        # The compilation of the first worker hangs, and its files are there.
        asyncio.run(until((tmp_path / "stalled").exists, "the first step has begun", 300))
        children = descendants(worker.pid)
        worker.kill()
        worker.wait()
        assert wait_until_gone(children) == []
    assert list(tmp_path.glob("streamverify-tiers-*"))
    with serving_worker(env):
        [result] = asyncio.run(kafka_records.results(env, {asked.custom_id}, 180)).values()
    assert (result.status, result.assurance) == ("verified", "replayed")
    # What the first has left behind is removed.
    assert list(tmp_path.glob("streamverify-tiers-*")) == []
