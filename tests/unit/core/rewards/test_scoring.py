from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_fakes import Verifier, a_result

from streamverify.core.errors import InvalidRequest, RequestTooLarge, Unscored
from streamverify.core.messages.models import OUTCOMES, Reason, Status
from streamverify.core.rewards.scoring import GIVEN_UP_ON_PROOF, Batch, CompletionProof, RewardRules

REQUIRE = {"require": "audited"}


def run(proofs: list[str | None], policy: RewardRules) -> tuple[list[float | None], Verifier]:
    verify = Verifier()
    batch = Batch([CompletionProof(proof, "s") for proof in proofs], policy, fields=REQUIRE)
    while requests := batch.requests():
        batch.take(verify(requests, 1))
    return batch.rewards(), verify


def by_itself(reason: Reason, *, retriable: bool) -> float | None:
    batch = Batch([CompletionProof("p", "s")], RewardRules(retries=0, on_timeout=0.25, on_failure=0.75), fields=REQUIRE)
    [request] = batch.requests()
    batch.take([a_result(request["custom_id"], reason, retriable=retriable)])
    return batch.rewards()[0]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_reward(reason: Reason) -> None:
    status, retriable = OUTCOMES[reason]
    value = by_itself(reason, retriable=retriable)
    if status is Status.VERIFIED:
        assert value == 1.0
    elif status is Status.REJECTED and reason is not Reason.INVALID_REQUEST:
        assert value == 0.0
    elif reason in GIVEN_UP_ON_PROOF and not retriable:
        assert value == 0.25
    else:
        # Neither a wrong request nor a failure of the infrastructure is the model's fault.
        assert value == 0.75


def test_a_proof_that_crashes_a_fresh_lean_too_is_the_proofs_fault() -> None:
    assert by_itself(Reason.REPL_CRASH, retriable=False) == 0.25
    assert by_itself(Reason.REPL_CRASH, retriable=True) == 0.75


def test_a_reason_of_a_newer_worker_is_judged_by_its_status() -> None:
    batch = Batch([CompletionProof("p", "s"), CompletionProof("q", "s")], RewardRules(on_failure=0.75), fields=REQUIRE)
    first, second = batch.requests()
    unknown = a_result(first["custom_id"], Reason.LEAN_ERROR).model_copy(update={"reason": "kernel_of_next_year"})
    new = a_result(second["custom_id"], Reason.EXPIRED).model_copy(update={"reason": "new_trouble"})
    batch.take([unknown, new])
    assert batch.rewards() == [0.0, 0.75]


@pytest.mark.parametrize(
    ("asked", "said", "enough"),
    [("audited", "none", False), ("audited", "checked", False), ("audited", "audited", True),
     ("audited", "replayed", True), ("audited", "guessed", False),
     ("checked", "none", False), ("checked", "checked", True), ("checked", "audited", True)],
)  # fmt: skip
def test_a_worker_that_verifies_less_than_was_asked_for_earns_no_reward(asked: str, said: str, *, enough: bool) -> None:
    batch = Batch([CompletionProof("p", "s")], RewardRules(on_failure=0.75), fields={"require": asked})
    [request] = batch.requests()
    batch.take([a_result(request["custom_id"], Reason.OK).model_copy(update={"assurance": said})])
    assert batch.rewards() == [1.0 if enough else 0.75]


def test_only_what_is_retriable_or_missing_is_asked_again() -> None:
    rewards, verify = run(
        ["ok", "worker_error ok", "lean_error", "missing missing ok", "timeout"], RewardRules(retries=2)
    )
    assert rewards == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert [[each["proof"] for each in requests] for requests in verify.asked] == [
        ["ok", "worker_error ok", "lean_error", "missing missing ok", "timeout"],
        ["worker_error ok", "missing missing ok"],
        ["missing missing ok"],
    ]


def test_after_all_tries_it_raises_and_says_why() -> None:
    with pytest.raises(Unscored, match=r"2 of 3 completions .* 2 times worker_error \(it is worker_error\)"):
        run(["ok", "worker_error", "worker_error"], RewardRules(retries=1))
    with pytest.raises(Unscored, match="no answer in time"):
        run(["missing"], RewardRules(retries=0))


def test_the_callers_value_is_given_instead() -> None:
    rewards, _ = run(["ok", "worker_error", "timeout"], RewardRules(retries=0, on_timeout=-1.0, on_failure=None))
    assert rewards == [1.0, None, -1.0]


def test_a_timeout_may_raise() -> None:
    with pytest.raises(Unscored, match="timeout"):
        run(["timeout"], RewardRules(on_timeout="raise"))


def test_one_that_cannot_be_sent_costs_the_others_nothing() -> None:
    attempts = [
        CompletionProof("ok", "s"),
        CompletionProof("large", "s"),
        CompletionProof("odd", "s"),
        CompletionProof("lean_error", "s"),
    ]
    batch, verify = (
        Batch(attempts, RewardRules(retries=0, on_timeout=0.25, on_failure=0.75), fields=REQUIRE),
        Verifier(),
    )
    batch.refuse(RequestTooLarge("it has too many bytes", custom_id=batch.requests()[1]["custom_id"]))
    batch.refuse(InvalidRequest("its statement is odd", custom_id=batch.requests()[1]["custom_id"]))
    batch.take(verify(batch.requests(), 1))
    assert batch.rewards() == [1.0, 0.25, 0.75, 0.0]
    with pytest.raises(InvalidRequest):
        batch.refuse(InvalidRequest("whose?", custom_id="another"))


def test_the_same_completion_is_asked_for_once() -> None:
    rewards, verify = run(["ok", "lean_error", "ok", "ok"], RewardRules())
    assert rewards == [1.0, 0.0, 1.0, 1.0]
    assert len(verify.asked[0]) == 2


def test_without_a_file_there_is_nothing_to_ask() -> None:
    rewards, verify = run([None, "\ud800"], RewardRules())
    assert rewards == [0.0, 0.0]
    assert verify.asked == []


def test_requests_never_let_one_success_end_the_others() -> None:
    _, verify = run(["ok", "lean_error"], RewardRules())
    [requests] = verify.asked
    assert all({"first_success", "group"}.isdisjoint(each) for each in requests)
    assert all(each["require"] == "audited" and each["statement"] == "s" for each in requests)


@given(
    st.lists(st.sampled_from(["ok", "lean_error", "timeout", "worker_error", "worker_error ok", "missing"]) | st.none())
)
def test_rewards_are_in_the_order_of_the_completions(proofs: list[str | None]) -> None:
    expected = {
        None: 0.0,
        "ok": 1.0,
        "lean_error": 0.0,
        "timeout": 0.5,
        "worker_error": None,
        "worker_error ok": 1.0,
        "missing": None,
    }
    rewards, _ = run(proofs, RewardRules(retries=1, on_timeout=0.5, on_failure=None))
    assert rewards == [expected[proof] for proof in proofs]
