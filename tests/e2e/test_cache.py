"""The result cache of a worker process: what a kill leaves in the store, and what the next worker says from it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from command import end, serving_worker, settings_of, started, wait_for_log

from streamverify.client import AsyncClient
from streamverify.core.messages.models import ProofRequest
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from streamverify.client.results import Results

COUNT = 20
KEY = "the secret of this test"


@pytest.fixture
def env(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return env | {
        PREFIX + "CACHE": f"sqlite:{tmp_path}/cache.db",
        PREFIX + "CACHE_KEY": KEY,
        PREFIX + "TEST_CACHE_STAND_INS": "1",
        PREFIX + "LOG_LEVEL": "info",
    }


async def verified(env: dict[str, str], run: str) -> Results:
    """Have each of the proofs verified, twice at once."""
    proofs = [f"theorem t{number} : True := trivial" for number in range(COUNT)]
    async with AsyncClient(settings_of(env)) as client:
        return await client.verify(
            [ProofRequest(custom_id=f"{run}-{at}", proof=proof, run=run) for at, proof in enumerate(proofs * 2)],
            timeout=300,
        )


def kept(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


@pytest.mark.timeout(400)
async def test_what_a_killed_worker_had_verified_the_next_one_answers_from_the_file(
    env: dict[str, str], tmp_path: Path
) -> None:
    with started(env, "worker") as process:
        await asyncio.to_thread(wait_for_log, process, "partitions_restored")
        first = await verified(env, "first")
        async with asyncio.timeout(200):
            while kept(tmp_path / "cache.db") < COUNT:
                await asyncio.sleep(0.05)
        process.kill()
    assert {result.status for result in first} == {"verified"}
    ran = [result for result in first if result.cached is None]
    assert len(ran) == COUNT, "of two equal proofs one was run, at once or one after the other"
    assert all(result.attempts == 0 and result.timings.run == 0 for result in first if result.cached)
    # Another group, as the broker in memory keeps the dead member's place for a while: it answers everything again.
    other = env | {PREFIX + "GROUP_ID": env[PREFIX + "GROUP_ID"] + "-next"}
    with serving_worker(other) as process:
        # A machine under load may make the file too slow once, and then the proof is run.
        for _ in range(5):
            again = await verified(other, "again")
            if all(result.cached for result in again):
                break
        assert not again.missing
        assert all(result.cached for result in again)
        assert all(result.cached.age_seconds > 0 for result in again if result.cached)
        assert {result.run for result in again} == {"again"}
        _, said = end(process)
    assert KEY not in said
    # What is the same is said of both in the same words.
    same = {"status", "reason", "summary", "assurance", "response", "theorems", "findings", "proof_sha256", "verifier"}
    for one, other_one in zip(sorted(ran, key=_proof), sorted(again, key=_proof)[::2], strict=True):
        assert one.model_dump(include=same) == other_one.model_dump(include=same)


@pytest.mark.any_broker
async def test_a_store_that_is_not_there_fails_no_proof_and_is_said_once(env: dict[str, str]) -> None:
    env |= {PREFIX + "CACHE": "redis://user:hidden@127.0.0.1:1/0"}
    with serving_worker(env) as process:
        results = await verified(env, "first")
        _, said = end(process)
    assert {result.status for result in results} == {"verified"}
    assert said.count("cache_store_failed") <= 2, "reading and writing, once each"
    assert "hidden" not in said


def _proof(result: object) -> str:
    return str(getattr(result, "proof_sha256", ""))
