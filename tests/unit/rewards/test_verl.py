"""What verl does with a reward function: loads it from a path by name, and calls it by keyword, from threads too.

As in verl/trainer/ppo/reward.py, verl/utils/import_utils.py and the reward managers of January 2026.
"""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from reward_fakes import Verifier

import streamverify.rewards.verl
from streamverify.core.errors import SettingsError, Unscored
from streamverify.rewards import scorer

STATEMENT = "theorem t : True := by"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "_PAUSES", (0.0,))


def load(name: str, **reward_kwargs: Any) -> Any:
    """The function as verl loads it: the module is not in `sys.modules`, `reward_kwargs` win over the call's."""
    path = str(Path(streamverify.rewards.verl.__file__))
    spec = importlib.util.spec_from_file_location(f"custom_module_{hash(path)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)

    def call(raw: Any, extra: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return raw(*args, **{**kwargs, **extra})

    async def call_async(raw: Any, extra: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return await raw(*args, **{**kwargs, **extra})

    return partial(call_async if inspect.iscoroutinefunction(function) else call, function, reward_kwargs)


def block(proof: str) -> str:
    return f"```lean4\n{proof}\n```"


def single(proof: str, **changes: Any) -> dict[str, Any]:
    """What the reward managers `naive` and `dapo` hand in, with the reward loop's additions."""
    return {
        "data_source": "workbook",
        "solution_str": block(proof),
        "ground_truth": STATEMENT,
        "extra_info": {"num_turns": None, "rollout_reward_scores": {}},
        "reward_router_address": None,
        "reward_model_tokenizer": None,
        **changes,
    }


def test_one_by_one() -> None:
    verify = Verifier()
    score = load("compute_score", verify=verify)
    assert score(**single("ok")) == 1.0
    assert score(**single("lean_error")) == 0.0
    assert score(**single("timeout")) == 0.0
    assert isinstance(score(**single("ok")), float)
    assert verify.asked[0][0]["statement"] == "theorem t : True := by sorry"
    assert "first_success" not in verify.asked[0][0]


def test_it_goes_to_other_processes_by_value_as_ray_sends_it() -> None:
    sent = cloudpickle.dumps(load("compute_score", statement=None, require="checked"))
    # There the module of the path is unknown.
    receiver = (
        "import pickle, sys; score = pickle.load(sys.stdin.buffer); "
        "print(score(data_source='d', solution_str='no block', ground_truth=None))"
    )
    done = subprocess.run([sys.executable, "-c", receiver], input=sent, capture_output=True, timeout=60, check=True)
    assert done.stdout.decode().strip() == "0.0"


def test_by_position_as_prime_does() -> None:
    assert load("compute_score", verify=Verifier())("workbook", block("ok"), STATEMENT, None) == 1.0


def test_from_threads() -> None:
    score = load("compute_score", verify=Verifier())
    proofs = ["ok", "lean_error"] * 50
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda proof: score(**single(proof)), proofs)) == [1.0, 0.0] * 50


async def test_the_reward_loop_awaits_a_coroutine_function() -> None:
    score = load("compute_score_async", verify=Verifier().verify_async)
    # verl asks this of what it has wrapped.
    assert inspect.iscoroutinefunction(score)
    assert await score(**single("ok")) == 1.0
    assert await score(**single("lean_error")) == 0.0


def test_a_batch_is_one_request() -> None:
    verify = Verifier()
    score = load("compute_score_batch", verify=verify)
    rewards = score(
        data_sources=["workbook"] * 3,
        solution_strs=[block("ok"), block("lean_error"), "no block"],
        ground_truths=[STATEMENT] * 3,
        extra_infos=[{"rollout_reward_scores": {}}] * 3,
    )
    assert rewards == [1.0, 0.0, 0.0]
    assert len(verify.asked) == 1


def test_the_statement_may_be_in_extra_info() -> None:
    verify = Verifier()
    score = load("compute_score", verify=verify, statement="formal")
    assert score(**single("ok", ground_truth="42", extra_info={"formal": STATEMENT})) == 1.0
    assert verify.asked[0][0]["statement"] == "theorem t : True := by sorry"
    with pytest.raises(Unscored, match="'formal'"):
        score(**single("ok", extra_info=None))


def test_without_a_statement_it_must_be_said() -> None:
    with pytest.raises(Unscored, match="ground_truth"):
        load("compute_score", verify=Verifier())(**single("ok", ground_truth=None))
    verify = Verifier()
    assert load("compute_score", verify=verify, statement=None)(**single("ok", ground_truth=None)) == 1.0
    assert "statement" not in verify.asked[0][0]


def test_infrastructure_raises_or_is_the_callers_number() -> None:
    with pytest.raises(Unscored, match="worker_error"):
        load("compute_score", verify=Verifier())(**single("worker_error"))
    assert load("compute_score", verify=Verifier(), on_failure=-1.0)(**single("worker_error")) == -1.0
    with pytest.raises(SettingsError, match="None"):
        load("compute_score", verify=Verifier(), on_failure=None)(**single("ok"))


def test_a_misspelt_option_is_named() -> None:
    with pytest.raises(SettingsError, match="did you mean 'on_failure'"):
        load("compute_score", verify=Verifier(), on_failur=0.0)(**single("ok"))
