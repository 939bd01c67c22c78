from __future__ import annotations

import inspect
from typing import Any

import pytest
from reward_fakes import Verifier

from streamverify.core.errors import BrokerUnavailable, SettingsError, Unscored
from streamverify.rewards import async_lean_reward, lean_reward, scorer

STATEMENT = "theorem t : True := by"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "_PAUSES", (0.0,))


def block(proof: str) -> str:
    return f"Here it is.\n```lean4\n{proof}\n```\n"


def called(completions: list[Any], **columns: Any) -> dict[str, Any]:
    """What TRL 1.16 hands to a reward function, by name."""
    count = len(completions)
    return {
        "prompts": ["prove it"] * count,
        "completions": completions,
        "completion_ids": [[1, 2]] * count,
        "trainer_state": object(),
        "log_extra": lambda *_: None,
        "log_metric": lambda *_: None,
        **columns,
    }


def test_texts_and_messages_get_their_rewards() -> None:
    verify = Verifier()
    reward = lean_reward(statement="formal", verify=verify)
    completions = [
        block("ok"),
        [{"role": "assistant", "content": block("lean_error")}],
        [{"role": "assistant", "content": block("ok")}],
        "no block at all",
    ]
    assert reward(**called(completions, formal=[STATEMENT] * 4)) == [1.0, 0.0, 1.0, 0.0]
    [asked] = verify.asked
    assert [each["proof"] for each in asked] == ["ok", "lean_error"]
    assert all(each["require"] == "audited" for each in asked)
    assert all(each["statement"] == "theorem t : True := by sorry" for each in asked)
    assert all("first_success" not in each and "group" not in each for each in asked)


async def test_the_asynchronous_one_does_the_same() -> None:
    reward = async_lean_reward(statement="formal", verify=Verifier().verify_async)
    assert inspect.iscoroutinefunction(reward)
    rewards = await reward(**called([block("ok"), block("worker_error lean_error"), "no"], formal=[STATEMENT] * 3))
    assert rewards == [1.0, 0.0, 0.0]


def test_trl_logs_it_under_its_name() -> None:
    assert lean_reward(statement=None, verify=Verifier()).__name__ == "lean_reward"
    assert async_lean_reward(statement=None, verify=Verifier().verify_async).__name__ == "lean_reward"


def test_it_is_called_by_hand_in_the_same_way() -> None:
    assert lean_reward(statement=None, verify=Verifier())(["p"], [block("ok")]) == [1.0]
    assert lean_reward(statement=None, verify=Verifier())([], []) == []


def test_header_and_time_of_a_proof_are_options() -> None:
    verify = Verifier()
    reward = lean_reward(
        statement="formal", verify=verify, header="import Mathlib", proof_timeout=30, require="checked"
    )
    reward(**called([block("ok")], formal=["theorem t : True := by sorry"]))
    [[asked]] = verify.asked
    assert asked["proof"] == "import Mathlib\n\nok"
    assert asked["statement"] == "import Mathlib\n\ntheorem t : True := by sorry"
    assert (asked["timeout"], asked["require"]) == (30, "checked")
    assert "deadline" in asked


def test_a_column_that_is_missing_or_empty_is_named() -> None:
    reward = lean_reward(statement="formal", verify=Verifier())
    with pytest.raises(Unscored, match=r"no column 'formal'.*formal_statement"):
        reward(**called([block("ok")], formal_statement=[STATEMENT]))
    with pytest.raises(Unscored, match="row 1 of the batch has no statement in 'formal': None"):
        reward(**called([block("ok")] * 2, formal=[STATEMENT, None]))


def test_infrastructure_raises_or_gives_the_callers_value() -> None:
    columns = called([block("ok"), block("worker_error")], formal=[STATEMENT] * 2)
    with pytest.raises(Unscored, match="1 of 2"):
        lean_reward(statement="formal", verify=Verifier())(**columns)
    assert lean_reward(statement="formal", verify=Verifier(), on_failure=None)(**columns) == [1.0, None]
    assert lean_reward(statement="formal", verify=Verifier(), on_failure=-0.5)(**columns) == [1.0, -0.5]


def test_a_broker_that_is_away_is_tried_again() -> None:
    verify, failures = Verifier(), [BrokerUnavailable("no broker"), BrokerUnavailable("no broker")]

    def flaky(requests: list[dict[str, Any]], timeout: float) -> Any:
        if failures:
            raise failures.pop()
        return verify(requests, timeout)

    assert lean_reward(statement=None, verify=flaky)([], [block("ok")]) == [1.0]
    failures[:] = [BrokerUnavailable("no broker")] * 9
    with pytest.raises(Unscored, match="no broker"):
        lean_reward(statement=None, verify=flaky)([], [block("ok")])


def test_when_the_budget_is_over_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "_PAUSES", (0.0, 3600.0))
    verify = Verifier()
    reward = lean_reward(statement=None, verify=verify, timeout=600, on_failure=None)
    assert reward([], [block("worker_error ok")]) == [None]
    assert len(verify.asked) == 1


def test_wrong_options_are_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="on_failure"):
        lean_reward(statement=None, on_failure="zero")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="timeout=0"):
        lean_reward(statement=None, timeout=0)
    with pytest.raises(SettingsError, match="require"):
        lean_reward(statement=None, require="verified")
    with pytest.raises(TypeError, match="on_fail"):
        lean_reward(statement=None, on_fail=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="statement"):
        lean_reward()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("proof", "statement", "require", "sent"),
    [
        ("import Made.Up\ntheorem t : True := trivial\nok", "theorem t : True", "audited", False),
        ("import Made.Up\ntheorem t : True := trivial\nok", "theorem t : True", "checked", True),
        ("import A\ntheorem t : True := trivial\nok", "import A\nimport B\ntheorem t : True", "audited", False),
        ("theorem t : True := trivial\nok", "import A\ntheorem t : True", "audited", False),
        ("-- c\nimport  A\ntheorem t : True := trivial\nok", "import A\ntheorem t : True", "audited", True),
        ("import .\nok", "import A\ntheorem t : True", "audited", True),
    ],
)
def test_an_import_that_a_model_makes_up_is_its_own_fault(
    proof: str, statement: str, require: str, *, sent: bool
) -> None:
    verify = Verifier()
    reward = lean_reward(statement="s", verify=verify, require=require)
    rewards = reward([], [f"```lean4\n{proof}\n```"], s=[statement])
    assert bool(verify.asked) == sent
    if not sent:
        assert rewards == [0.0]
