"""The answers of the endpoints of `kimina-lean-server`, of both of its generations, from outcomes. Pure.

Its client takes an answer without `error`, without a message of severity `error` and without `sorries` for valid, and
ignores what it does not know: so the whole verdict stands beside, as `streamverify`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from streamverify.gateway.outcome import ProofOutcome


class Verdict(BaseModel):
    """The fields of the verdict itself, which every answer has."""

    model_config = ConfigDict(extra="allow")

    status: Annotated[str, Field(description="verified, rejected or inconclusive.")]
    reason: Annotated[str, Field(description="Why (docs/messages.md).")]
    summary: Annotated[str, Field(description="One sentence for people.")]
    retriable: Annotated[bool, Field(description="Whether it may have another outcome if sent again.")]
    assurance: Annotated[
        str, Field(description="How much `verified` is worth: checked, audited, replayed or cross_checked; else none.")
    ]


class Checked(BaseModel):
    """The answer to one snippet of a check. Exactly one of `error` and `response` is set."""

    id: Annotated[str | int, Field(description="As it was sent.")]
    time: Annotated[float, Field(description="Seconds that Lean ran.")]
    error: Annotated[str | None, Field(description="Why nothing is known of the proof.")]
    response: Annotated[dict[str, Any] | None, Field(description="Lean's answer, as the REPL gives it.")]
    diagnostics: Annotated[dict[str, Any] | None, Field(description="With `debug`.")] = None
    streamverify: Verdict


class CheckAnswer(BaseModel):
    """The answer to a check, in the order of its snippets."""

    results: list[Checked]


class Verified(BaseModel):
    """The answer to one proof of `/verify`. Exactly one of `error` and `response` is set."""

    custom_id: Annotated[str | int, Field(description="As it was sent.")]
    error: Annotated[str | None, Field(description="Why nothing is known of the proof.")]
    response: Annotated[dict[str, Any] | None, Field(description="Lean's answer, with `time` in seconds.")]
    streamverify: Verdict


class VerifyAnswer(BaseModel):
    """The answer to `/verify`, in the order of its codes."""

    results: list[Verified]


def check_answer(callers_id: str | int, outcome: ProofOutcome, *, debug: bool) -> dict[str, Any]:
    """Make the answer to one snippet of `POST /api/check`."""
    answer = {
        "id": callers_id,
        "time": outcome.seconds,
        "error": outcome.error,
        "response": _response(outcome),
        "streamverify": outcome.fields(),
    }
    if debug:
        result = outcome.result
        timings = {} if result is None else result.timings.model_dump()
        answer["diagnostics"] = {"repl_uuid": "" if result is None else result.worker, "timings": timings}
    return answer


def verify_answer(callers_id: str | int, outcome: ProofOutcome) -> dict[str, Any]:
    """Make the answer to one proof of `POST /verify`."""
    response = _response(outcome)
    if response is not None:
        response["time"] = outcome.seconds
    return {
        "custom_id": callers_id,
        "error": outcome.error,
        "response": response,
        "streamverify": outcome.fields(),
    }


def _response(outcome: ProofOutcome) -> dict[str, Any] | None:
    """Return what the REPL answers, which leaves out what is empty; None where there is no verdict."""
    # An answer has one of the two: its client takes any `response` without errors for a valid proof.
    if outcome.error is not None:
        return None
    response: dict[str, Any] = {}
    if outcome.messages:
        response["messages"] = outcome.messages
    if outcome.sorries:
        response["sorries"] = outcome.sorries
    lean = None if outcome.result is None else outcome.result.response
    if lean is not None:
        if lean.tactics:
            response["tactics"] = lean.tactics
        if lean.infotree is not None:
            response["infotree"] = lean.infotree
        if lean.env is not None:
            response["env"] = lean.env
    return response
