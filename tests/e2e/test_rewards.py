"""Reward functions with verdicts from a worker: from threads, from an event loop, and in forked processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from command import make_environment, serving_worker

from streamverify.core.errors import Unscored
from streamverify.rewards import async_lean_reward, lean_reward
from streamverify.rewards.verl import compute_score, compute_score_async
from streamverify.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.any_broker

FORKING = """
import json, multiprocessing, sys
from streamverify.rewards import lean_reward

reward = lean_reward(statement=None, require="checked", timeout=300)
good, bad = ("```lean4\\ntheorem t : 1 = 1 := rfl%s\\n```" % end for end in ("", " -- synthetic: error"))

def score(text):
    return reward(["p"], [text])[0]

# Before the parent connects, and after.
with multiprocessing.get_context("fork").Pool(2) as pool:
    before = pool.map(score, [good, bad, good])
own = score(good)
with multiprocessing.get_context("fork").Pool(2) as pool:
    after = pool.map(score, [good, bad, good])
print(json.dumps([before, own, after]))
"""


@pytest.fixture(scope="module")
def env(broker: str, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment of a worker with the synthetic REPL, which runs."""
    made = make_environment(broker, real=bool(request.config.getoption("--kafka")))
    with serving_worker(made):
        yield made


@pytest.fixture(autouse=True)
def _settings(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions read the environment, as in a trainer."""
    for name, value in env.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)


def block(end: str = "") -> str:
    return f"It follows.\n```lean4\ntheorem t : 1 = 1 := rfl{end}\n```"


COMPLETIONS = [block(), block(" -- synthetic: error"), "no proof", block(" -- synthetic: sorry"), block()]
REWARDS = [1.0, 0.0, 0.0, 0.0, 1.0]


def test_a_batch_and_calls_from_threads() -> None:
    reward = lean_reward(statement=None, require="checked", timeout=300)
    assert reward(["p"] * 5, COMPLETIONS) == REWARDS
    with ThreadPoolExecutor(8) as pool:
        scores = pool.map(
            lambda text: compute_score("d", text, None, statement=None, require="checked", timeout=300), COMPLETIONS * 8
        )
        assert list(scores) == REWARDS * 8


async def test_in_an_event_loop() -> None:
    reward = async_lean_reward(statement=None, require="checked", timeout=300)
    assert await reward(["p"] * 5, COMPLETIONS) == REWARDS
    options = {"statement": None, "require": "checked", "timeout": 60}
    scores = await asyncio.gather(*(compute_score_async("d", text, None, None, **options) for text in COMPLETIONS * 8))
    assert scores == REWARDS * 8
    # The synchronous one blocks the loop, but it works in it: a notebook has one.
    assert lean_reward(statement=None, require="checked", timeout=300)(["p"], [block()]) == [1.0]


def test_what_a_stand_in_cannot_audit_is_no_zero() -> None:
    with pytest.raises(Unscored, match="unsupported"):
        lean_reward(statement=None, timeout=300)(["p"], [block()])
    assert lean_reward(statement=None, timeout=300, on_failure=None)(["p"], [block()]) == [None]


def test_a_proof_that_runs_out_of_time_is_the_callers_to_judge() -> None:
    slow = [block(" -- synthetic: hang"), block()]
    assert lean_reward(statement=None, require="checked", timeout=300, proof_timeout=0.5)(["p"] * 2, slow) == [0.0, 1.0]
    reward = lean_reward(statement=None, require="checked", timeout=300, proof_timeout=0.5, on_timeout="raise")
    with pytest.raises(Unscored, match="timeout"):
        reward(["p"] * 2, slow)


def test_too_large_a_proof_costs_the_others_nothing() -> None:
    large = block(" -- " + "a" * 3_000_000)
    reward = lean_reward(statement=None, require="checked", timeout=300, on_timeout=-1.0)
    assert reward(["p"] * 3, [block(), large, block(" -- synthetic: error")]) == [1.0, -1.0, 0.0]


def test_in_forked_processes(env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[1.0, 0.0, 1.0], 1.0, [1.0, 0.0, 1.0]]
