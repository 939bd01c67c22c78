"""No verdict but `verified` reads as valid in `kimina-client`: judged by its real `analyze()`, for every reason."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from gateway_results import CASES, ERROR, INFO, PROOF, RESPONSES, SHA256, SORRY, result
from hypothesis import given
from hypothesis import strategies as st
from kimina import BackwardResponse, ReplResponse, SnippetStatus, VerifyResponse
from pydantic import TypeAdapter

from streamverify.core.messages.models import OUTCOMES, Assurance, Finding, ProofResult, Reason, Status
from streamverify.gateway.kimina import check_answer, verify_answer
from streamverify.gateway.outcome import ProofOutcome, no_verdict, outcome_of, refused

BACKWARD = TypeAdapter(BackwardResponse)
TIME_OUTS = {Reason.TIMEOUT, Reason.IMPORT_TIMEOUT}


def read(outcome: ProofOutcome, *, debug: bool = False) -> ReplResponse:
    """The answer as the client reads it."""
    return ReplResponse.model_validate(orjson.loads(orjson.dumps(check_answer("a", outcome, debug=debug))))


def outcome_for(given_result: ProofResult, asked: Assurance = Assurance.CHECKED) -> ProofOutcome:
    return outcome_of(given_result, asked, SHA256)


@pytest.mark.parametrize(("reason", "answer"), CASES)
def test_what_the_client_makes_of_every_reason(reason: Reason, answer: dict[str, Any] | None) -> None:
    status = read(outcome_for(result(reason, answer))).analyze().status
    match OUTCOMES[reason].status:
        case Status.VERIFIED:
            # A worker says `ok` of neither; should one do so, the client believes what it sees.
            doubtful = {"an error": SnippetStatus.lean_error, "a sorry": SnippetStatus.sorry}
            names = {id(each): name for name, each in RESPONSES.items()}
            assert status == doubtful.get(names[id(answer)], SnippetStatus.valid)
        case Status.REJECTED:
            by_sorry = reason is Reason.SORRY and answer is RESPONSES["a sorry"]
            assert status == (SnippetStatus.sorry if by_sorry else SnippetStatus.lean_error)
        case Status.INCONCLUSIVE:
            expected = SnippetStatus.timeout_error if reason in TIME_OUTS else SnippetStatus.server_error
            assert status == expected


@pytest.mark.parametrize(("reason", "answer"), CASES)
def test_exactly_one_of_error_and_response_is_set_on_both_endpoints(
    reason: Reason, answer: dict[str, Any] | None
) -> None:
    outcome = outcome_for(result(reason, answer))
    for each in (check_answer(7, outcome, debug=True), verify_answer(7, outcome)):
        assert (each["error"] is None) != (each["response"] is None)
        assert each["streamverify"]["reason"] == reason
    VerifyResponse.model_validate({"results": [verify_answer("7", outcome)]})


@pytest.mark.parametrize("reason", [each for each in Reason if OUTCOMES[each].status is Status.REJECTED])
@pytest.mark.parametrize("name", ["no answer", "an empty answer", "an info", "a warning"])
def test_a_rejection_without_an_error_of_lean_has_a_message_of_ours(reason: Reason, name: str) -> None:
    finding = Finding(rule="own_axiom", line=3, column=5, excerpt="axiom")
    for findings, position in (([], {"line": 1, "column": 0}), ([finding], {"line": 3, "column": 5})):
        answer = check_answer("a", outcome_for(result(reason, RESPONSES[name], findings=findings)), debug=False)
        message = answer["response"]["messages"][-1]
        assert message["severity"] == "error"
        assert message["pos"] == position
        assert message["data"] == f"streamverify: {reason}: the sentence for {reason}"


@pytest.mark.parametrize("reason", [each for each in Reason if OUTCOMES[each].status is Status.INCONCLUSIVE])
def test_only_a_time_out_says_timed_out(reason: Reason) -> None:
    sentence = "the broker timed out, it says"
    outcome = outcome_for(result(reason, None, error=sentence, summary=sentence))
    assert ("timed out" in str(outcome.error)) == (reason in TIME_OUTS)
    assert reason in str(outcome.error)


def test_a_verdict_that_is_worth_less_than_was_asked_for_is_none() -> None:
    checked = result("ok", {}, assurance="checked")
    assert read(outcome_for(checked)).analyze().status == SnippetStatus.valid
    assert read(outcome_for(checked, Assurance.AUDITED)).analyze().status == SnippetStatus.server_error
    for better in ("audited", "replayed", "cross_checked"):
        assert outcome_for(result("ok", {}, assurance=better), Assurance.AUDITED).verified
    for strange in ("none", "unheard_of"):
        assert not outcome_for(result("ok", {}, assurance=strange)).verified


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_a_verdict_on_another_text_is_none(sha256: str | None) -> None:
    outcome = outcome_for(result("ok", {}, proof_sha256=sha256))
    assert read(outcome).analyze().status == SnippetStatus.server_error


def test_what_was_never_sent_is_not_valid() -> None:
    assert read(no_verdict("expired", "no verdict within 5 s")).analyze().status == SnippetStatus.server_error
    assert read(refused("invalid_request", "no proof")).analyze().status == SnippetStatus.lean_error


WORDS = st.sampled_from(["ok", "news", *Reason])
MESSAGES = st.lists(st.sampled_from([ERROR, INFO, RESPONSES["a warning"]["messages"][0]]), max_size=3)  # type: ignore[index]


@given(
    status=st.sampled_from(list(Status)),
    reason=WORDS,
    messages=MESSAGES,
    sorries=st.sampled_from([[], [SORRY]]),
    answered=st.booleans(),
    assurance=st.sampled_from(["none", "checked", "audited", "replayed", "cross_checked", "x"]),
    asked=st.sampled_from([Assurance.CHECKED, Assurance.AUDITED]),
    sha256=st.sampled_from([SHA256, None, "1" * 64]),
)
def test_whatever_a_record_says_only_verified_reads_as_valid(  # noqa: PLR0913, PLR0917
    status: Status,
    reason: str,
    messages: list[dict[str, Any]],
    sorries: list[dict[str, Any]],
    answered: bool,  # noqa: FBT001
    assurance: str,
    asked: Assurance,
    sha256: str | None,
) -> None:
    # A worker cannot say verified without an answer of Lean: such a record is not decoded.
    response = {"messages": messages, "sorries": sorries} if answered or status is Status.VERIFIED else None
    fields = {"status": status, "reason": reason, "assurance": assurance, "proof_sha256": sha256}
    outcome = outcome_for(result("ok", response, **fields), asked)
    enough = {
        "checked": {"checked", "audited", "replayed", "cross_checked"},
        "audited": {"audited", "replayed", "cross_checked"},
    }[asked]
    if read(outcome).analyze().status == SnippetStatus.valid:
        assert status is Status.VERIFIED
        assert assurance in enough
        assert sha256 == SHA256
    assert PROOF


def test_the_answer_has_what_the_repl_says_and_no_more() -> None:
    response = {
        "messages": [INFO],
        "tactics": [{"tactic": "rfl"}],
        "infotree": [{"node": 1}],
        "env": 4,
        "time": 0.5,
        "news": 1,
    }
    outcome = outcome_for(result("ok", response, timings={"run": 0.5}))
    assert check_answer(3, outcome, debug=False) == {
        "id": 3,
        "time": 0.5,
        "error": None,
        "response": {"messages": [INFO], "tactics": [{"tactic": "rfl"}], "infotree": [{"node": 1}], "env": 4},
        "streamverify": {
            "status": "verified",
            "reason": "ok",
            "summary": outcome.sentence,
            "retriable": False,
            "assurance": "audited",
            "verifier": "lean",
        },
    }
    assert verify_answer(3, outcome)["response"]["time"] == 0.5
    assert check_answer(3, outcome, debug=True)["diagnostics"]["repl_uuid"] == "w1"
