"""A record of the result topic becomes a result, also one of an older or a newer version."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from codec_cases import MESSAGE, decode, result
from jsonschema import Draft202012Validator
from support import recorded, recorded_sessions

from streamverify.core.errors import UndecodableResult
from streamverify.core.messages.codec import RequestLimits, decode_result, encode_result
from streamverify.core.messages.models import Checker, ProofResult, Reason, Response, Status, Timings
from streamverify.core.messages.schemas import schema_files


def encoded_dict(**fields: Any) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(encode_result(result(), limit=10**6, overhead=1).value)
    return value | fields


def test_fields_and_reasons_that_are_unknown_are_read() -> None:
    read = decode_result(orjson.dumps(encoded_dict(reason="moonlight", novelty={"a": 1}, assurance="kernel")))

    assert read.reason == "moonlight"
    assert read.assurance == "kernel"
    assert read.status is Status.REJECTED


def test_an_unknown_status_reads_as_inconclusive() -> None:
    assert decode_result(orjson.dumps(encoded_dict(status="partly_verified"))).status is Status.INCONCLUSIVE


V2: dict[str, Any] = {
    "schema_version": 2,
    "custom_id": "a",
    "retriable": False,
    "verifier": {"kind": "lean"},
    "source": {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0},
}


@pytest.mark.parametrize(
    ("status", "reason", "error", "response", "expected"),
    [
        ("verified", "ok", None, {"time": 1.0}, (None, True, "The verdict is verified (ok).")),
        ("rejected", "lean_error", "line 1: no", {"messages": [MESSAGE]}, (None, True, "line 1: no")),
        ("rejected", "policy", "it objects", None, ("it objects", False, "it objects")),
        ("inconclusive", "timeout", "too slow", None, ("too slow", False, "too slow")),
        # Version 2 had Lean's words on the import here, which a reader of messages took for a rejection.
        ("inconclusive", "import_failed", "no file", {"messages": [MESSAGE]}, ("no file", False, "no file")),
    ],
)
def test_a_result_of_version_2_is_read_in_the_form_of_today(
    status: str, reason: str, error: str | None, response: dict[str, Any] | None, expected: tuple[Any, ...]
) -> None:
    old = {**V2, "status": status, "reason": reason, "error": error, "response": response}
    read = decode_result(orjson.dumps(old))
    assert (read.error, read.response is not None, read.summary) == expected
    # It can be written again, and then says the same.
    assert decode_result(encode_result(read, limit=10**6, overhead=0).value) == read


@pytest.mark.parametrize("fields", [{"error": "x"}, {"response": None}, {"summary": ""}])
def test_a_result_that_could_be_misread_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(UndecodableResult, match="`error`"):
        decode_result(orjson.dumps(encoded_dict() | fields))


def test_of_a_newer_version_what_is_not_understood_gets_its_default() -> None:
    newer = encoded_dict(schema_version=4, timings="fast", findings={"a": 1}, theorems=[{"fullName": "t"}])

    read = decode_result(orjson.dumps(newer))

    assert read.schema_version == 4
    assert read.timings == Timings()
    assert (read.findings, read.theorems) == ([], [])
    assert read.reason is Reason.LEAN_ERROR


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no value"),
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "a list, not a JSON object"),
        (b"{}", "missing or not understood: `custom_id`, `status`, `reason`"),
        (orjson.dumps(encoded_dict(timings="fast")), "not understood: `timings`$"),
        (orjson.dumps(encoded_dict(schema_version=3, source=None)), "not understood: `source`$"),
        (orjson.dumps(encoded_dict(status=None)), "not understood: `status`$"),
    ],
)
def test_what_is_no_result_is_told(value: bytes | None, message: str) -> None:
    with pytest.raises(UndecodableResult, match=message):
        decode_result(value)


def test_answers_of_a_real_lean_go_round() -> None:
    for recording in recorded("core-lean"):
        original = result(
            custom_id=recording["custom_id"], response=Response.model_validate(recording["file_response"])
        )

        assert decode(orjson.dumps(recording), RequestLimits(10**6)).proof == recording["proof"]
        assert decode_result(encode_result(original, limit=10**6, overhead=1).value) == original


def test_answers_of_a_current_repl_go_round() -> None:
    seen = 0
    for file in recorded_sessions():
        for text in file.with_name(f"{file.stem}.expected.out").read_text().split("\n\n"):
            answer = json.loads(text) if text.strip() else None
            if not isinstance(answer, dict) or "message" in answer:
                continue
            original = result(response=Response.model_validate(answer))
            encoded = encode_result(original, limit=10**6, overhead=1).value

            assert orjson.loads(encoded)["response"].items() >= answer.items()
            assert decode_result(encoded) == original
            seen += 1
    assert seen > 10


@pytest.mark.parametrize("levels", [900, 1_000, 1_020])
@pytest.mark.parametrize("name", list(ProofResult.model_fields))
def test_a_deep_value_on_the_result_topic_is_no_result(name: str, levels: int) -> None:
    value = b'{"custom_id":"a","status":"verified","%b":%b}' % (name.encode(), b"[" * levels + b"]" * levels)
    with pytest.raises(UndecodableResult):
        decode_result(value)


@pytest.mark.parametrize("name", list(Checker.model_fields))
def test_a_deep_value_in_a_checker_is_no_result(name: str) -> None:
    deep = b"[" * 1_000 + b"]" * 1_000
    checker = b'{"name":"a","outcome":"accepted","%b":%b}' % (name.encode(), deep)
    with pytest.raises(UndecodableResult):
        decode_result(b'{"custom_id":"a","status":"verified","checkers":[%b]}' % checker)


def test_a_verified_result_without_an_answer_of_lean_is_not_valid_by_the_schema() -> None:
    schema = Draft202012Validator(orjson.loads(schema_files()["proof-result.schema.json"]))
    value = orjson.loads(encode_result(result(reason=Reason.TIMEOUT, error="x"), limit=10**6, overhead=0).value)
    assert schema.is_valid(value)
    assert not schema.is_valid({**value, "status": "verified"})
