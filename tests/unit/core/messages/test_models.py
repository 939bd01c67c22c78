"""Requests and results keep what Lean and producers send, and refuse what they do not understand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from streamverify.core.messages.models import (
    OUTCOMES,
    Assurance,
    ProofRequest,
    ProofResult,
    Reason,
    Response,
    Source,
    Status,
    Timings,
    Verifier,
)


def request(**fields: Any) -> ProofRequest:
    return ProofRequest.model_validate({"custom_id": "a", "proof": "p"} | fields)


def test_every_reason_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(Reason)


def test_only_ok_is_verified_and_only_what_is_inconclusive_is_retriable() -> None:
    assert [reason for reason, outcome in OUTCOMES.items() if outcome.status is Status.VERIFIED] == [Reason.OK]
    assert {outcome.status for outcome in OUTCOMES.values() if outcome.retriable} == {Status.INCONCLUSIVE}


@pytest.mark.parametrize("reason", ["import_failed", "import_timeout", "out_of_memory", "repl_crash", "worker_error"])
def test_an_infrastructure_failure_is_never_a_rejection(reason: str) -> None:
    assert OUTCOMES[Reason(reason)] == (Status.INCONCLUSIVE, True)


def test_a_request_has_defaults_for_all_but_id_and_proof() -> None:
    made = request()

    assert made.timeout is None
    assert made.infotree_type is None
    assert not made.all_tactics
    assert not made.disable_cache
    assert made.require is None
    assert made.deadline is None
    assert made.metadata is None


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        request().proof = "another"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5+01:30", datetime(2026, 1, 31, 10, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789-00:00", datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_deadline_is_kept_in_utc(sent: object, meant: datetime) -> None:
    deadline = request(deadline=sent).deadline

    assert deadline == meant
    assert deadline is not None
    assert deadline.tzinfo is UTC


@pytest.mark.parametrize(
    "metadata",
    [
        {1: "a"},
        {"a": {2: 3}},
        {"a": float("nan")},
        {"a": [float("inf")]},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": {1, 2}},
    ],
)
def test_metadata_made_in_python_is_json(metadata: dict[Any, Any]) -> None:
    with pytest.raises(ValidationError, match="metadata"):
        request(metadata=metadata)


def test_metadata_that_holds_itself_is_refused() -> None:
    metadata: dict[str, Any] = {}
    metadata["self"] = metadata

    with pytest.raises(ValidationError, match="nested too deeply"):
        request(metadata=metadata)


def test_a_request_is_text_that_utf8_can_encode() -> None:
    for field in ("custom_id", "proof", "theorem", "statement"):
        with pytest.raises(ValidationError, match=field):
            request(**{field: "\ud800"})


def test_timings_are_made_by_name_and_read_by_alias() -> None:
    assert Timings(import_=1.0) == Timings.model_validate({"import": 1.0})


def test_a_reason_is_known_or_kept_as_text() -> None:
    fields: dict[str, Any] = {
        "custom_id": "a",
        "status": "rejected",
        "retriable": False,
        "summary": "x",
        "response": {},
        "verifier": {"kind": "lean"},
        "source": {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0},
    }

    assert ProofResult.model_validate(fields | {"reason": "sorry"}).reason is Reason.SORRY
    assert ProofResult.model_validate(fields | {"reason": "moonlight"}).reason == "moonlight"
    assert ProofResult.model_validate(fields | {"reason": "ok", "assurance": "checked"}).assurance is Assurance.CHECKED


def test_what_a_newer_repl_adds_is_kept() -> None:
    message = {"severity": "trace", "pos": {"line": 1, "column": 0}, "data": "x", "kind": "linter.unused"}

    response = Response.model_validate({"messages": [message], "env": 3, "goals": ["⊢ True"]})

    assert response.messages == [message]
    assert response.model_extra == {"goals": ["⊢ True"]}


def test_an_answer_without_a_position_is_no_answer() -> None:
    with pytest.raises(ValidationError):
        Response.model_validate({"messages": [{"severity": "error", "data": "x"}]})


def test_a_topic_is_no_longer_than_kafka_allows() -> None:
    with pytest.raises(ValidationError):
        Source(topic="t" * 250, partition=0, offset=0, timestamp=0)


def test_a_new_kind_of_verifier_is_read() -> None:
    assert Verifier.model_validate({"kind": "kernel"}).kind == "kernel"
