"""What a delivered record becomes, and in which order the reasons are looked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from streamverify.core.job import Job, Record, RecordId
from streamverify.core.messages.codec import RequestLimits
from streamverify.core.messages.models import Assurance, Reason, Source
from streamverify.worker.intake import ImmediateVerdict, IntakeRules, RefusedParts, Unanswerable, take_in

RECORD = RecordId(1, 7, 0)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAST = "2025-12-31T23:59:59Z"
RULES = IntakeRules(
    RequestLimits(max_proof_bytes=100), Assurance.CHECKED, Assurance.CHECKED, highest_tier=Assurance.CHECKED
)
PROOF = "import Mathlib\n\ntheorem t : 1 = 1 := rfl"
LARGE = "-" * 101


def record(value: bytes | None) -> Record:
    source = Source(topic="lean.proofs", partition=1, offset=7, timestamp=1)
    return Record(RECORD, source, b"key", value, [("trace", b"1")], received=12.5)


def taken(**fields: Any) -> Job | ImmediateVerdict | Unanswerable:
    body = {"custom_id": "a", "proof": PROOF} | fields
    return take_in(record(json.dumps(body).encode()), RULES, NOW)


def reason(**fields: Any) -> Reason | None:
    answer = taken(**fields)
    return answer.verdict.reason if isinstance(answer, ImmediateVerdict) else None


def test_a_proof_becomes_a_job_that_has_its_record() -> None:
    job = taken(deadline="2026-01-01T00:00:00Z")
    assert isinstance(job, Job)
    assert job.header.canonical == "import Mathlib\n"
    assert (job.record.id, job.record.received) == (RECORD, 12.5)
    assert list(job.record.kafka_headers) == [("trace", b"1")]
    assert job.record.source.offset == 7


@pytest.mark.parametrize("value", [None, b"", b"no JSON", b"[]", b'{"proof": ""}'])
def test_a_record_without_a_custom_id_is_unanswerable(value: bytes | None) -> None:
    assert isinstance(take_in(record(value), RULES, NOW), Unanswerable)


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        (Reason.INVALID_REQUEST, {"timeout": -1, "proof": LARGE, "deadline": PAST}),
        (Reason.TOO_LARGE, {"proof": LARGE, "deadline": PAST, "require": "audited"}),
        (Reason.EXPIRED, {"proof": "import 5", "deadline": PAST, "require": "audited"}),
        (Reason.HEADER_ERROR, {"proof": "import 5", "require": "audited"}),
        (Reason.UNSUPPORTED, {"require": "audited"}),
        (None, {"statement": "theorem t : 1 = 1 := sorry"}),
        (Reason.HEADER_ERROR, {"proof": "import 5"}),
        (Reason.HEADER_ERROR, {"proof": "prelude"}),
    ],
)
def test_the_first_reason_that_applies(expected: Reason, fields: dict[str, Any]) -> None:
    assert reason(**fields) == expected


def test_a_header_error_names_its_line_and_column() -> None:
    answer = taken(proof="\n  import 5")
    assert isinstance(answer, ImmediateVerdict)
    assert answer.verdict.summary.startswith("line 2, column 9: ")
    assert answer.verdict.response is None


@pytest.mark.parametrize("wrong", [{"timeout": "x"}, {"proof": "x" * 100_000}])
def test_a_refused_requester_gets_back_what_it_sent_beside_the_proof(wrong: dict[str, Any]) -> None:
    answer = taken(metadata={"n": 1}, run="r", group="g", **wrong)
    assert isinstance(answer, ImmediateVerdict)
    assert answer.requester.request == RefusedParts("a", {"n": 1}, "r", "g")
    assert str(next(iter(wrong))) in answer.verdict.summary


def test_a_run_that_is_wrong_is_not_returned() -> None:
    answer = taken(metadata={"n": 1}, run="r" * 129, group="g")
    assert isinstance(answer, ImmediateVerdict)
    assert answer.requester.request == RefusedParts("a", {"n": 1}, None, "g")
    assert answer.verdict.summary == "`run` has more than 128 characters"


def test_a_deadline_that_is_over_does_not_matter_where_a_topic_is_verified_again() -> None:
    late = record(json.dumps({"custom_id": "a", "proof": PROOF, "deadline": PAST}).encode())
    assert reason(deadline=PAST) is Reason.EXPIRED
    job = take_in(late, replace(RULES, ignore_deadlines=True), NOW)
    assert isinstance(job, Job)
    # Nor later, when a slot is free for it.
    assert job.request.deadline is None
