"""The records of the result topic: what readers of the `/verify` API may rely on, for every reason and however cut."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.job import Record, RecordId, Verdict
from streamverify.core.messages.codec import MIN_LIMIT
from streamverify.core.messages.models import (
    OUTCOMES,
    Cached,
    Finding,
    ProofRequest,
    Reason,
    Response,
    Source,
    Theorem,
    Verifier,
)
from streamverify.core.messages.schemas import schema_files
from streamverify.worker.intake import Requester
from streamverify.worker.results import ResultBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    Header = tuple[str, bytes | None]

SOURCE = Source(topic="lean.proofs", partition=2, offset=5, timestamp=77)
# Made once: `jsonschema.validate` holds the schema itself against its own at each call.
SCHEMA = jsonschema.Draft202012Validator(json.loads(schema_files()["proof-result.schema.json"]))
ERROR: Any = {"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": None, "data": "unsolved goals " * 50}

# Verdicts have a response where Lean said something, whatever became of the proof later; `ok` always has.
verdicts = st.sampled_from(Reason).flatmap(
    lambda reason: st.builds(
        Verdict,
        st.just(reason),
        st.text(min_size=1, max_size=700),
        st.builds(
            Response,
            messages=st.lists(st.just(ERROR), max_size=40),
            infotree=st.none() | st.text(max_size=60_000),
            time=st.floats(0, 9),
        )
        | (st.nothing() if reason is Reason.OK else st.none()),
        theorems=st.lists(st.builds(Theorem, name=st.text(), type=st.text()), max_size=3),
        findings=st.lists(st.just(Finding(rule="axiom", line=1, column=0, excerpt="x" * 400)), max_size=40),
        superseded_by=st.none() | st.text(max_size=512),
        cached_age=st.none() | st.floats(0, 1e9),
    )
)
names = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=128)


def requester(run: str | None = None, group: str | None = None, *, sent: Sequence[Header] = ()) -> Requester:
    record = Record(RecordId(2, 5, 0), SOURCE, b"key", b"{}", sent, received=0.0)
    proof = "theorem t : True := trivial"
    return Requester(record, ProofRequest(custom_id="a", proof=proof, metadata={"n": 1}, run=run, group=group))


def builder(limit: int = 10**6) -> ResultBuilder:
    return ResultBuilder("worker-1", Verifier(kind="lean"), "lean.results", limit)


@given(verdicts, names, names, st.sampled_from([MIN_LIMIT, 30_000, 10**6]))
def test_a_record_has_an_answer_of_lean_or_an_error_and_always_a_summary(
    verdict: Verdict, run: str | None, group: str | None, limit: int
) -> None:
    record = builder(limit).record(requester(run, group), verdict, lambda: None)
    assert record.smaller is not None
    for value in (record.value, record.smaller().value):
        assert value is not None
        result = json.loads(value)
        SCHEMA.validate(result)
        assert (result["error"] is None) != (result["response"] is None)
        assert result["summary"]
        assert result["error"] in {None, result["summary"]}
        assert (result["run"], result["group"]) == (run, group)
        assert result["superseded_by"] == verdict.superseded_by
        # Messages without an error among them are read as "valid": no failure of ours may come with any.
        if OUTCOMES[verdict.reason].status == "inconclusive" or verdict.reason in {"policy", "invalid_request"}:
            assert result["response"] is None


@pytest.mark.parametrize("reason", Reason)
def test_where_lean_answered_there_is_no_error(reason: Reason) -> None:
    """The table of docs/messages.md, spelt out."""
    answered = ["ok", "lean_error", "sorry", "axiom", "no_theorem", "statement_mismatch", "kernel", "header_error"]
    result = builder().result(requester(), Verdict(reason, "It is so.", Response(time=1.0)))
    assert (result.error is None) is (reason in answered)
    assert result.summary == "It is so."


def test_a_header_that_lean_was_not_asked_about_has_no_response() -> None:
    result = builder().result(requester(), Verdict(Reason.HEADER_ERROR, "line 1, column 7: no"))
    assert (result.error, result.response) == ("line 1, column 7: no", None)


def test_superseded_is_final_and_names_the_winner() -> None:
    result = builder().result(requester(), Verdict(Reason.SUPERSEDED, "b was verified first.", superseded_by="b"))
    assert (result.status, result.retriable, result.superseded_by) == ("inconclusive", False, "b")


def test_a_cached_verdict_says_how_old_it_is_and_another_one_nothing() -> None:
    verdict = Verdict(Reason.OK, "fine", Response())
    assert builder().result(requester(), verdict).cached is None
    hit = builder().result(requester(), replace(verdict, cached_age=12.34567))
    assert hit.cached == Cached(age_seconds=12.346)


@pytest.mark.parametrize("limit", [MIN_LIMIT, 10**6])
def test_the_run_is_a_kafka_header_once_whatever_the_request_had(limit: int) -> None:
    verdict = Verdict(Reason.OK, "fine", Response(time=1.0))
    sent = [("trace", b"x" * (MIN_LIMIT if limit == MIN_LIMIT else 1)), ("streamverify-run", b"another")]
    for record in (
        builder(limit).record(requester("r\u00e9sum\u00e9", sent=sent), verdict, lambda: None),
        builder(limit).record(requester("r\u00e9sum\u00e9"), verdict, lambda: None),
    ):
        runs = [value for name, value in record.kafka_headers if name == "streamverify-run"]
        assert runs == ["r\u00e9sum\u00e9".encode()]
        assert record.smaller is not None
        assert ("streamverify-run", runs[0]) in record.smaller().kafka_headers


def test_a_header_of_that_name_is_copied_where_the_request_names_no_run() -> None:
    verdict = Verdict(Reason.OK, "fine", Response(time=1.0))
    record = builder().record(requester(sent=[("streamverify-run", b"theirs")]), verdict, lambda: None)
    assert ("streamverify-run", b"theirs") in record.kafka_headers
