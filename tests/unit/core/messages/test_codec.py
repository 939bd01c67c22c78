"""A record becomes a request or a named error; a result becomes a record."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from support import recorded, recorded_sessions

from streamverify.core.errors import (
    InvalidRequest,
    RequestTooLarge,
    UndecodableRequest,
    UndecodableResult,
)
from streamverify.core.messages.codec import (
    MIN_LIMIT,
    RECORD_RESERVE,
    EncodedResult,
    RequestLimits,
    decode_request,
    decode_result,
    encode_bare_result,
    encode_request,
    encode_result,
    record_overhead,
)
from streamverify.core.messages.jsontext import MAX_DEPTH
from streamverify.core.messages.models import (
    MAX_METADATA_DEPTH,
    OUTCOMES,
    Cached,
    Checker,
    Finding,
    ProofRequest,
    ProofResult,
    Reason,
    Response,
    Source,
    Status,
    Theorem,
    Timings,
    Verifier,
)
from streamverify.core.messages.schemas import schema_files
from streamverify.core.messages.truncation import PARTS

LIMITS = RequestLimits(max_proof_bytes=1000)


def decode(value: bytes | None, limits: RequestLimits = LIMITS) -> ProofRequest:
    return decode_request(value, limits=limits)


def sent(**fields: Any) -> ProofRequest:
    """A valid request with these fields, decoded."""
    return decode(json.dumps({"custom_id": "a", "proof": "p"} | fields).encode())


def refused(value: bytes | None) -> str:
    """What the dead letter for this value says."""
    with pytest.raises(UndecodableRequest) as caught:
        decode(value)
    return str(caught.value)


def invalid(value: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decode(value)
    return caught.value


def wrong(**fields: Any) -> str:
    """What the answer to a request with this wrong field says."""
    error = invalid(json.dumps({"custom_id": "a", "proof": "p"} | fields).encode())
    assert error.custom_id == "a"
    return str(error)


# Requests: names, aliases, nulls


def test_a_whole_request() -> None:
    request = sent(
        timeout=1.5,
        infotree_type="full",
        all_tactics=True,
        disable_cache=True,
        require="audited",
        theorem="Foo.bar",
        statement="theorem Foo.bar : True := sorry",
        deadline="2026-01-31T12:00:00+01:00",
        metadata={"deep": [{"x": None}]},
    )

    assert request == ProofRequest(
        custom_id="a",
        proof="p",
        timeout=1.5,
        infotree_type="full",
        all_tactics=True,
        disable_cache=True,
        require="audited",
        theorem="Foo.bar",
        statement="theorem Foo.bar : True := sorry",
        deadline=datetime(2026, 1, 31, 11, tzinfo=UTC),
        metadata={"deep": [{"x": None}]},
    )


def test_unknown_fields_are_ignored() -> None:
    assert sent(model="prover-7b", nested={"a": [1]}) == sent()


@pytest.mark.parametrize(
    ("fields", "proof"),
    [
        ({"code": "c"}, "c"),
        ({"proof": "p", "code": "c"}, "p"),
        ({"proof": None, "code": "c"}, "c"),
        ({"proof": "p", "code": 5}, "p"),
        ({"proof": "", "code": "c"}, ""),
    ],
)
def test_code_is_read_where_proof_is_not_given(fields: dict[str, Any], proof: str) -> None:
    assert decode(orjson.dumps({"custom_id": "a", **fields})).proof == proof


@pytest.mark.parametrize(
    ("fields", "infotree_type"),
    [
        ({"infotree": "full"}, "full"),
        ({"infotree_type": "tactics", "infotree": "full"}, "tactics"),
        ({"infotree_type": None, "infotree": "full"}, "full"),
        ({"infotree_type": "original", "infotree": 5}, "original"),
        ({"infotree_type": None, "infotree": None}, None),
    ],
)
def test_infotree_is_read_where_infotree_type_is_not_given(fields: dict[str, Any], infotree_type: str | None) -> None:
    assert sent(**fields).infotree_type == infotree_type


def test_a_field_of_a_wrong_type_is_not_replaced_by_its_alias() -> None:
    assert str(invalid(b'{"custom_id":"a","proof":5,"code":"c"}')) == (
        "`proof` must be a string, the whole Lean file, not 5"
    )


def test_a_wrong_field_is_named_as_it_was_sent() -> None:
    assert str(invalid(b'{"custom_id":"a","code":5}')).startswith("`code` must be")
    assert wrong(infotree="all") == '`infotree` must be null, full, tactics, original or substantive, not "all"'
    assert wrong(infotree_type="all", infotree="full").startswith("`infotree_type` must be")


def test_null_counts_as_not_given() -> None:
    optional = set(ProofRequest.model_fields) - {"custom_id", "proof"}

    assert sent(**dict.fromkeys(optional)) == sent()


@pytest.mark.parametrize("value", [b'{"custom_id":"a"}', b'{"custom_id":"a","proof":null}'])
def test_a_missing_proof_is_invalid(value: bytes) -> None:
    assert str(invalid(value)) == "`proof` is missing: it must be a string, the whole Lean file"


# Requests: the custom_id


@pytest.mark.parametrize(
    ("literal", "custom_id"),
    [
        ('"a"', "a"),
        ("0", "0"),
        ("-7", "-7"),
        ("-0", "0"),
        (str(2**63), str(2**63)),
        (str(2**64 - 1), str(2**64 - 1)),
        (str(2**64), str(2**64)),
        (str(-(2**63) - 1), str(-(2**63) - 1)),
        ("340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
        (json.dumps("\U0001f600" * 512), "\U0001f600" * 512),
        ('"\\u0000"', "\x00"),
    ],
)
def test_a_custom_id_is_a_string_or_an_exact_integer(literal: str, custom_id: str) -> None:
    assert decode(f'{{"custom_id":{literal},"proof":"p"}}'.encode()).custom_id == custom_id


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ("true", "`custom_id` must be a string or an integer, not true"),
        ("1.0", "`custom_id` must be a string or an integer, not 1.0"),
        ("1e30", "`custom_id` must be a string or an integer, not 1e+30"),
        ("[]", "`custom_id` must be a string or an integer, not a list"),
        ('{"a":1}', "`custom_id` must be a string or an integer, not an object"),
        ("null", "`custom_id` is missing: it must be a string or an integer"),
        ('""', "`custom_id` is empty"),
        (json.dumps("a" * 513), "`custom_id` has more than 512 characters"),
    ],
)
def test_without_a_valid_custom_id_nobody_can_be_answered(literal: str, message: str) -> None:
    assert refused(f'{{"custom_id":{literal},"proof":"p"}}'.encode()) == message


def test_a_bad_custom_id_comes_before_any_other_fault() -> None:
    assert refused(b'{"timeout":"60"}').startswith("`custom_id` is missing")
    assert refused(b'{"timeout":"60","custom_id":1.5}').startswith("`custom_id` must be")


# Requests: each field


@pytest.mark.parametrize("timeout", ["60", True, 0, -1, [60]])
def test_a_timeout_is_a_number_above_0(timeout: object) -> None:
    assert wrong(timeout=timeout).startswith("`timeout` must be a number of seconds above 0, not ")


def test_a_timeout_may_be_an_integer_or_huge() -> None:
    assert sent(timeout=60).timeout == 60.0
    assert sent(timeout=2**70).timeout == 2.0**70


@pytest.mark.parametrize("field", ["all_tactics", "disable_cache"])
@pytest.mark.parametrize("value", [1, 0, "true", []])
def test_a_flag_is_true_or_false(field: str, value: object) -> None:
    assert wrong(**{field: value}).startswith(f"`{field}` must be true or false, not ")


def test_require_is_an_assurance_that_can_be_asked_for() -> None:
    assert wrong(require="none") == '`require` must be null, checked, audited, replayed or cross_checked, not "none"'


def test_a_theorem_has_at_most_512_characters() -> None:
    assert sent(theorem="ü" * 512).theorem == "ü" * 512
    assert wrong(theorem="ü" * 513) == "`theorem` has more than 512 characters"
    assert wrong(theorem=5) == "`theorem` must be a string or null, not 5"


def test_a_statement_is_a_string() -> None:
    assert wrong(statement=["s"]) == "`statement` must be a string or null, not a list"


@pytest.mark.parametrize(
    "deadline",
    [
        "2026-01-31T12:00:00",  # no offset
        "2026-01-31 12:00:00Z",
        "2026-01-31",
        "2026-02-30T12:00:00Z",
        "2026-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+05:75",
        "2026-01-31T12:00:00Z\n",
        "٢٠٢٦-01-31T12:00:00Z",
        "tomorrow",
        1_769_860_800,
        1_769_860_800.5,
        True,
    ],
)
def test_a_deadline_is_rfc_3339_with_its_offset(deadline: object) -> None:
    message = wrong(deadline=deadline)

    assert message.startswith("`deadline` must be an RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z, not ")


def test_a_deadline_that_utc_cannot_say_is_invalid() -> None:
    assert wrong(deadline="9999-12-31T23:59:59-01:00") == "`deadline` is outside of the years 1 to 9999 in UTC"


# Requests: the metadata


@pytest.mark.parametrize("metadata", ["x", 5, [], True])
def test_metadata_is_an_object(metadata: object) -> None:
    assert wrong(metadata=metadata).startswith("`metadata` must be an object or null, not ")


def test_metadata_has_at_most_4_kib_as_compact_utf8() -> None:
    room = 4096 - len('{"k":""}')
    fits = {"k": "é" * (room // 2)}

    spacious = json.dumps({"custom_id": "a", "proof": "p", "metadata": fits}, indent=8).encode()

    assert decode(spacious, RequestLimits(10**6)).metadata == fits
    assert "takes 4097 bytes as JSON; at most 4096 are allowed" in wrong(metadata={"k": "a" * (room + 1)})


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_metadata_has_at_most_32_levels() -> None:
    deepest = {"k": nested(MAX_METADATA_DEPTH - 1)}

    assert sent(metadata=deepest).metadata == deepest
    assert wrong(metadata={"k": nested(MAX_METADATA_DEPTH)}) == "`metadata` is nested too deeply"


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**128, 2**63, -(2**63)])
def test_integers_in_metadata_are_exact(number: int) -> None:
    assert sent(metadata={"seeds": [{"n": number}]}).metadata == {"seeds": [{"n": number}]}


def test_huge_floats_in_metadata_stay_floats() -> None:
    metadata = decode(b'{"custom_id":"a","proof":"p","metadata":{"x":1e300,"y":1e2}}').metadata

    assert metadata == {"x": 1e300, "y": 100.0}
    assert metadata is not None
    assert isinstance(metadata["x"], float)


def test_an_invalid_request_keeps_its_metadata_where_that_is_valid() -> None:
    assert invalid(b'{"custom_id":"a","metadata":{"k":36893488147419103232}}').metadata == {"k": 2**65}
    assert invalid(b'{"custom_id":"a","proof":"p","metadata":[1]}').metadata is None
    assert invalid(b'{"custom_id":"a","proof":5}').metadata is None


# Requests: what is no JSON


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the record has no value (a tombstone)"),
        (b"", "the value is empty"),
        (b"\xef\xbb\xbf", "the value is empty"),
        (b"[]", "the value is a list, not a JSON object"),
        (b'"proof"', 'the value is "proof", not a JSON object'),
        (b"null", "the value is null, not a JSON object"),
        (b"1.5", "the value is 1.5, not a JSON object"),
        (b'{"custom_id":"a"', "the value is not valid JSON: "),
        (b'{"custom_id":"a"} {}', "the value is not valid JSON: "),
        (b"\xff\xfe{\x00}\x00", "the value is not valid JSON: "),
        (b"NaN", "the value is not valid JSON: "),
        (b"{'custom_id': 'a'}", "the value is not valid JSON: "),
        (b"[" * 100_000, "the value is not valid JSON: "),
        (b'{"custom_id":' * 100_000, "the value is not valid JSON: "),
    ],
)
def test_what_is_no_json_object_is_undecodable(value: bytes | None, message: str) -> None:
    assert refused(value).startswith(message)


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"custom_id":"a","proof":"p"}') == sent()


def test_of_duplicate_keys_the_last_counts() -> None:
    assert decode(b'{"custom_id":"a","custom_id":"b","proof":"p","proof":"q"}') == ProofRequest(
        custom_id="b", proof="q"
    )
    assert decode(b'{"custom_id":1,"custom_id":36893488147419103232,"proof":"p"}').custom_id == str(2**65)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (rb'"proof":"a\ud800b"', "`proof` has characters that UTF-8 cannot encode (half of a surrogate pair)"),
        (b'"proof":"a\xffb"', "`proof` has characters that UTF-8 cannot encode (half of a surrogate pair)"),
        (b'"proof":"p","metadata":{"x":NaN}', "`metadata` has a number that JSON cannot express"),
        (b'"proof":"p","metadata":{"x":-Infinity}', "`metadata` has a number that JSON cannot express"),
        (b'"proof":"p","timeout":Infinity', "`timeout` must be a number of seconds above 0, not inf"),
        (b'"proof":"p","timeout":1e999', "`timeout` must be a number of seconds above 0, not inf"),
        (b'"proof":"p\n"', "the value is not valid JSON: unexpected control character in string"),
        (b'"proof":"p","score":NaN', "the value is not valid JSON: "),
        (b'"proof":"p","n":' + b"9" * 5000, "the value is not valid JSON: "),
    ],
)
def test_what_only_a_lenient_reader_understands_is_answered_under_its_custom_id(fields: bytes, message: str) -> None:
    error = invalid(b'{"custom_id":36893488147419103232,' + fields + b"}")

    assert str(error).startswith(message)
    assert error.custom_id == str(2**65)


def test_metadata_comes_back_also_where_only_a_lenient_reader_understands() -> None:
    assert invalid(rb'{"custom_id":"a","proof":"\ud800","metadata":{"k":1}}').metadata == {"k": 1}


@pytest.mark.parametrize("custom_id", [rb'"\ud800"', b'"\xff"', b"NaN", b"1e999", b"9" * 5000])
def test_a_custom_id_is_never_guessed(custom_id: bytes) -> None:
    assert refused(b'{"custom_id":' + custom_id + b',"proof":"p"}')


def with_ignored_levels(levels: int) -> bytes:
    return b'{"custom_id":18446744073709551616,"proof":"p","x":' + b"[" * levels + b"]" * levels + b"}"


def test_nesting_of_ignored_fields_does_not_matter_up_to_hundreds_of_levels() -> None:
    assert decode(with_ignored_levels(500)).custom_id == str(2**64)


@pytest.mark.parametrize("levels", [1000, 1022, 1024, 5000, 100_000])
def test_more_levels_than_can_be_read_are_refused(levels: int) -> None:
    # how many those are, and whether the custom_id can still be made out, depends on the interpreter's stack
    value = with_ignored_levels(levels)

    if levels < MAX_DEPTH:
        with suppress(UndecodableRequest):
            assert decode(value).custom_id == str(2**64)
    else:
        with pytest.raises((InvalidRequest, UndecodableRequest), match="depth limit exceeded"):
            decode(value)


# Requests: size, and which fault comes first


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"proof": "a" * 1001}, 1001),
        ({"proof": "é" * 501}, 1002),
        ({"proof": "a" * 600, "statement": "a" * 401}, 1001),
        ({"proof": "", "statement": "a" * 1001}, 1001),
    ],
)
def test_proof_and_statement_together_have_a_limit(fields: dict[str, Any], size: int) -> None:
    words = f"{size:,} bytes, and this worker takes at most 1,000: its MAX_PROOF_BYTES raises that"
    with pytest.raises(RequestTooLarge, match=words) as caught:
        sent(metadata={"k": 1}, **fields)

    assert caught.value.custom_id == "a"
    assert caught.value.metadata == {"k": 1}


@pytest.mark.parametrize(
    "fields", [{"proof": "a" * 1000}, {"proof": "\n" * 1000}, {"proof": "a" * 600, "statement": "a" * 400}]
)
def test_a_proof_at_the_limit_is_taken_whatever_its_escapes(fields: dict[str, Any]) -> None:
    assert sent(**fields).proof == fields["proof"]


def test_invalid_comes_before_too_large() -> None:
    assert wrong(proof="a" * 2000, timeout=0).startswith("`timeout`")


@pytest.mark.parametrize(
    "fields",
    [{"timeout": "x" * 10_000}, {"proof": {"a": "x" * 10_000}}, {"require": '"' * 10_000}, {"timeout": -(10**300)}],
)
def test_a_message_is_one_short_sentence(fields: dict[str, Any]) -> None:
    message = wrong(**fields)

    assert len(message) < 250
    assert "\n" not in message
    assert not {"pydantic", "http", "input_value", "type="} & set(message.replace("=", "= ").split())


def test_encode_request_leaves_out_what_is_not_given() -> None:
    assert encode_request(sent()) == b'{"custom_id":"a","proof":"p"}'
    assert orjson.loads(encode_request(sent(deadline="2026-01-31T12:00:00.25+01:00", all_tactics=True))) == {
        "custom_id": "a",
        "proof": "p",
        "all_tactics": True,
        "deadline": "2026-01-31T11:00:00.250000+00:00",
    }


# Results


def result(**fields: Any) -> ProofResult:
    given: dict[str, Any] = {
        "custom_id": "a",
        "status": Status.REJECTED,
        "reason": Reason.LEAN_ERROR,
        "retriable": False,
        "summary": "Lean says no",
        "response": None if fields.get("error") else Response(),
        "verifier": Verifier(kind="lean", lean_version="4.33.0"),
        "source": Source(topic="lean.proofs", partition=1, offset=2, timestamp=3),
    }
    return ProofResult(**(given | fields))


MESSAGE = {"severity": "error", "pos": {"line": 1, "column": 0}, "endPos": None, "data": "unsolved goals\n⊢ False"}


def full() -> ProofResult:
    """A result that has every part, each of 10 to 11 KB."""
    pad = "x" * 10_000
    return result(
        response=Response.model_validate(
            {
                "messages": [MESSAGE | {"data": pad}],
                "sorries": [{"goal": pad}],
                "tactics": [{"tactic": pad}],
                "infotree": [{"node": pad}],
                "env": 4,
                "time": 0.5,
                "goals": [pad],
            }
        ),
        theorems=[Theorem(name="t" + pad, type=pad, axioms=["propext"])],
        findings=[Finding(rule="own_axiom", line=1, column=0, excerpt=pad)],
        metadata={"k": pad},
    )


def parts(truncated: list[str]) -> list[str]:
    """The parts that `truncated` names, without how much of each is missing."""
    return [name.partition(":")[0] for name in truncated]


def cut_to(limit: int, overhead: int = 10_001) -> tuple[dict[str, Any], EncodedResult]:
    encoded = encode_result(full(), limit=limit + RECORD_RESERVE, overhead=overhead)
    return orjson.loads(encoded.value), encoded


def test_a_result_has_all_that_users_of_the_verify_api_parse() -> None:
    response = Response.model_validate({"messages": [MESSAGE], "env": 1, "time": 0.25})

    value = orjson.loads(encode_result(result(response=response), limit=10**6, overhead=0).value)

    assert value["custom_id"] == "a"
    assert value["error"] is None
    assert value["response"] == {
        "messages": [MESSAGE],
        "sorries": [],
        "tactics": [],
        "infotree": None,
        "env": 1,
        "time": 0.25,
    }
    assert value["timings"] == {"queued": 0, "import": 0, "run": 0, "audit": 0, "replay": 0, "total": 0}
    assert value["schema_version"] == 3


def test_what_fits_is_sent_whole() -> None:
    encoded = encode_result(full(), limit=10**6, overhead=500_000)

    assert decode_result(encoded.value) == full()
    assert not encoded.kafka_headers_dropped


def test_parts_are_left_out_in_order_until_the_rest_fits() -> None:
    for count in range(len(PARTS) + 1):
        # after `count` parts this much is left, give or take the names in `truncated`
        value, encoded = cut_to(limit=(10 - count) * 10_000 + 5_000)

        assert parts(value["truncated"]) == list(PARTS[:count])
        assert encoded.kafka_headers_dropped == ("headers" in PARTS[:count])
        assert value["status"] == "rejected"
        assert value["reason"] == "lean_error"


def test_the_order_is_that_of_the_promise() -> None:
    promised = ["infotree", "tactics", "theorem_types", "sorries", "messages", "findings", "headers", "metadata"]

    assert [part for part in PARTS if part in promised] == promised


def test_without_the_headers_the_key_still_counts() -> None:
    bare = result(custom_id="é" * 50, metadata={})
    room = len(encode_result(bare, limit=10**6, overhead=0).value) + len(',"headers"') - 1 + 100

    fits = encode_result(bare, limit=room + RECORD_RESERVE, overhead=10**6)
    tight = encode_result(bare.model_copy(update={"metadata": {"k": ""}}), limit=room + RECORD_RESERVE, overhead=10**6)

    assert decode_result(fits.value).truncated == ["headers"]
    assert len(fits.value) + 100 == room
    assert decode_result(tight.value).truncated == ["headers", "metadata"]


def test_what_is_left_out_is_empty_and_the_rest_is_there() -> None:
    value, _ = cut_to(limit=0)

    assert parts(value["truncated"]) == list(PARTS)
    [message] = value["response"].pop("messages")
    assert message == {**MESSAGE, "data": message["data"]}
    assert len(message["data"]) == 80
    assert value["response"] == {
        "sorries": [],
        "tactics": [],
        "infotree": None,
        "env": 4,
        "time": 0.5,
    }
    assert (value["theorems"], value["findings"], value["metadata"]) == ([], [], None)
    assert value["summary"] == "Lean says no"
    assert (value["error"], value["response"]["env"]) == (None, 4)
    assert value["verifier"]["lean_version"] == "4.33.0"


def test_theorems_lose_their_types_before_their_names() -> None:
    value, _ = cut_to(limit=65_000)

    assert value["truncated"][-1] == "theorem_types"
    assert value["theorems"] == [{"name": "t" + "x" * 10_000, "type": None, "axioms": ["propext"]}]


def many(count: int, *, reason: Reason = Reason.LEAN_ERROR, **more: Any) -> ProofResult:
    """A result with so many different errors, each of some 100 bytes."""
    messages = [
        MESSAGE | {"data": f"error number {number:>9}", "pos": {"line": number, "column": 0}} for number in range(count)
    ]
    return result(
        status=OUTCOMES[reason].status, reason=reason, response=Response.model_validate({"messages": messages, **more})
    )


def test_of_too_many_messages_the_first_stay_and_the_rest_is_counted() -> None:
    read = decode_result(encode_result(many(9000), limit=100_000, overhead=1).value)

    assert read.response is not None
    kept = read.response.messages
    assert 500 < len(kept) < 9000
    assert [message["pos"]["line"] for message in kept] == list(range(len(kept)))
    assert read.truncated == [f"messages: {9000 - len(kept):,} of 9,000"]


def test_equal_messages_go_first_and_are_counted() -> None:
    messages = [
        MESSAGE | {"data": f"text {number % 3}", "pos": {"line": number, "column": 0}} for number in range(9000)
    ]
    loud = result(reason=Reason.LEAN_ERROR, response=Response.model_validate({"messages": messages}))

    read = decode_result(encode_result(loud, limit=100_000, overhead=1).value)

    assert read.response is not None
    kept = read.response.messages
    assert [(message["data"], message["pos"]["line"], message.get("count")) for message in kept] == [
        (f"text {number}", number, 3000) for number in range(3)
    ]
    assert read.truncated == ["messages: 8,997 of 9,000"]


@pytest.mark.parametrize("part", ["sorries", "tactics"])
def test_equal_entries_of_the_repls_lists_are_counted_too(part: str) -> None:
    entries = [
        {"goal": f"⊢ {number % 2}", "pos": {"line": number, "column": 0}, "proofState": number}
        for number in range(5000)
    ]
    given: dict[str, Any] = {part: entries}
    read = decode_result(encode_result(many(1, **given), limit=50_000, overhead=1).value)

    assert read.response is not None
    kept = getattr(read.response, part)
    assert [(entry["goal"], entry["proofState"], entry["count"]) for entry in kept] == [
        ("⊢ 0", 0, 2500),
        ("⊢ 1", 1, 2500),
    ]
    assert read.truncated == [f"{part}: 4,998 of 5,000"]


def test_findings_and_theorems_are_counted_and_cut_from_the_end() -> None:
    findings = [Finding(rule="own_axiom", line=number, column=0, excerpt=f"a{number % 10}") for number in range(2000)]
    theorems = [Theorem(name=f"t{number}", axioms=["propext"]) for number in range(2000)]

    read = decode_result(encode_result(result(findings=findings), limit=50_000, overhead=1).value)
    assert [(finding.excerpt, finding.count) for finding in read.findings] == [(f"a{n}", 200) for n in range(10)]
    assert read.truncated == ["findings: 1,990 of 2,000"]

    read = decode_result(encode_result(result(theorems=theorems), limit=50_000, overhead=1).value)
    assert 100 < len(read.theorems) < 2000
    assert read.theorems == theorems[: len(read.theorems)]
    assert read.truncated == [f"theorems: {2000 - len(read.theorems):,} of 2,000"]


def test_the_first_error_of_a_rejection_stays_behind_all_its_warnings() -> None:
    warnings = [MESSAGE | {"severity": "warning", "data": f"warning {number}"} for number in range(3000)]
    response = Response.model_validate({"messages": [*warnings, MESSAGE | {"data": "x" * 500_000}]})
    read = decode_result(encode_result(result(response=response), limit=60_000, overhead=1).value)

    assert read.response is not None
    [message] = read.response.messages
    assert message["severity"] == "error"
    # as much of it as there is room for
    assert 55_000 < len(message["data"]) < 60_000
    assert message["data"].endswith("xx…")
    assert read.truncated == ["messages: 3,000 of 3,001"]


def test_only_a_rejection_keeps_a_message_whatever_happens() -> None:
    timed_out = many(1, reason=Reason.TIMEOUT)

    read = decode_result(encode_bare_result(timed_out))

    assert read.response is not None
    assert read.response.messages == []
    assert read.truncated[0] == "messages: 1 of 1"


def test_the_bound_is_exact() -> None:
    whole = len(encode_result(full(), limit=10**6, overhead=0).value)
    limit = whole + 7 + RECORD_RESERVE

    assert len(encode_result(full(), limit=limit, overhead=7).value) == whole
    assert decode_result(encode_result(full(), limit=limit, overhead=8).value).truncated == ["infotree"]


def test_only_what_is_there_is_named() -> None:
    small = result(response=Response.model_validate({"messages": [MESSAGE]}))

    value = orjson.loads(encode_result(small, limit=0, overhead=len("a")).value)

    assert parts(value["truncated"]) == ["messages"]


def test_copied_headers_alone_may_be_what_does_not_fit() -> None:
    encoded = encode_result(result(), limit=100_000, overhead=99_999)

    assert encoded.kafka_headers_dropped
    assert decode_result(encoded.value).truncated == ["headers"]


def test_what_the_pool_left_out_stays_named() -> None:
    value = orjson.loads(
        encode_result(full().model_copy(update={"truncated": ["infotree", "stderr"]}), limit=0, overhead=1).value
    )

    assert parts(value["truncated"]) == ["infotree", "stderr", *(part for part in PARTS[1:] if part != "headers")]


def test_a_result_without_a_response_is_cut_too() -> None:
    encoded = encode_result(result(metadata={"k": "x" * 9000}), limit=5000, overhead=1)

    assert decode_result(encoded.value).truncated == ["metadata"]
    assert len(encoded.value) < 5000


def test_texts_that_always_stay_are_cut() -> None:
    long = "é" * 100_000

    value = orjson.loads(
        encode_result(
            result(summary=long, error=long, worker=long, verifier=Verifier(kind="lean", lean_version=long)),
            limit=10**6,
            overhead=1,
        ).value
    )

    assert value["error"] == value["summary"] == "é" * 499 + "…"
    assert value["worker"] == "é" * 127 + "…"
    assert value["verifier"]["lean_version"] == "é" * 63 + "…"
    assert value["truncated"] == []


@pytest.mark.parametrize("character", ["\x01", "\U0001f600", "\ud800", '"'])
def test_the_largest_rest_fits_the_smallest_limit(character: str) -> None:
    long = character * 10_000
    far = {"line": 2**63 - 1, "column": 2**63 - 1}
    custom_id = ("\x01" if character == "\ud800" else character) * 512
    word = "w" * 64
    worst = result(
        schema_version=2**63 - 1,
        custom_id=custom_id,
        status=Status.REJECTED,
        reason=word,
        summary=long,
        run=("\x01" if character == "\ud800" else character) * 128,
        group=("\x01" if character == "\ud800" else character) * 128,
        cached=Cached(age_seconds=1.7976931348623157e308),
        superseded_by=custom_id,
        response=Response.model_validate(
            {
                "messages": [{"severity": "error", "pos": far, "endPos": far, "data": long, "x" + word: long}] * 11,
                "sorries": [{"goal": long}] * 11,
                "tactics": [{"goals": long}] * 11,
                "infotree": long,
                "env": -(2**63),
                "time": -2.2250738585072014e-308,
                "k" + word: long,
            }
        ),
        truncated=[f"w{number:063}" for number in range(100)],
        assurance=word,
        theorems=[Theorem(name=long, type=long, axioms=[long])],
        findings=[Finding(rule=long, line=1, column=1, excerpt=long)],
        timings=Timings(**dict.fromkeys(["queued", "import", "run", "audit", "total"], -2.2250738585072014e-308)),
        attempts=-(2**63),
        worker=long,
        verifier=Verifier(
            kind=word,
            sandbox=long,
            lean_version=long,
            repl_version=long,
            mathlib_version=long,
            policy_version=long,
        ),
        source=Source(topic="t" * 249, partition=-(2**63), offset=-(2**63), timestamp=-(2**63)),
        proof_sha256="0" * 64,
        metadata={"k": "x" * 10_000},
    )
    key = len(custom_id.encode())

    for value in (encode_result(worst, limit=MIN_LIMIT, overhead=10**6).value, encode_bare_result(worst)):
        assert len(value) + key + RECORD_RESERVE <= MIN_LIMIT
        read = decode_result(value)
        assert (read.custom_id, read.status, read.reason) == (custom_id, Status.REJECTED, word)
        assert read.response is not None
        assert len(read.response.messages) == 1


def test_a_bare_result_has_no_parts() -> None:
    value = orjson.loads(encode_bare_result(full()))

    assert sorted(parts(value["truncated"])) == sorted(PARTS)
    assert len(encode_bare_result(full())) < 1700
    assert value["summary"] == "Lean says no"
    assert (value["error"], value["response"]["env"]) == (None, 4)


def test_encoding_does_not_change_the_result() -> None:
    kept = full()

    encode_result(kept, limit=0, overhead=10**6)
    encode_bare_result(kept)

    assert kept == full()


@pytest.mark.parametrize("levels", [250, 254, 255, 400, 700])
def test_an_infotree_deeper_than_orjson_writes_is_kept(levels: int) -> None:
    deep = result(response=Response(infotree=nested(levels)))

    read = decode_result(encode_result(deep, limit=10**6, overhead=1).value)

    assert read.truncated == []
    assert read.response is not None
    assert read.response.infotree == nested(levels)


@pytest.mark.parametrize("levels", [1023, 5000, 100_000])
def test_an_infotree_too_deep_to_be_read_again_is_left_out_alone(levels: int) -> None:
    response = Response.model_validate({"infotree": nested(levels), "messages": [MESSAGE]})

    read = decode_result(encode_result(result(response=response), limit=10**6, overhead=1).value)

    assert read.truncated == ["infotree"]
    assert read.response is not None
    assert read.response.messages == [MESSAGE]


def test_half_surrogate_pairs_become_replacement_characters() -> None:
    half = "a\ud800b"
    response = Response.model_validate({"messages": [MESSAGE | {"data": half}], "infotree": {half: [half]}})

    read = decode_result(
        encode_result(result(summary=half, worker=half, response=response), limit=10**6, overhead=1).value
    )

    assert read.summary == read.worker == "a\ufffdb"
    assert read.response is not None
    assert read.response.messages[0]["data"] == "a\ufffdb"
    assert read.response.infotree == {"a\ufffdb": ["a\ufffdb"]}


def test_integers_beyond_64_bits_in_metadata_come_back_exact() -> None:
    metadata = {"seed": 2**100, "x": [1.5, -(2**70)]}

    assert decode_result(encode_result(result(metadata=metadata), limit=10**6, overhead=1).value).metadata == metadata


def test_overhead_covers_key_headers_and_their_lengths() -> None:
    assert record_overhead(b"key", []) == 3
    assert record_overhead(b"key", [("é", b"123"), ("n", None)]) == 3 + (2 + 3 + 10) + (1 + 10)


# Reading results


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


@pytest.mark.parametrize("field", ["timeout", "all_tactics", "theorem", "deadline", "require"])
def test_an_integer_that_no_double_holds_is_an_invalid_field(field: str) -> None:
    value = b'{"custom_id": "a", "proof": "", "' + field.encode() + b'": 1' + b"0" * 400 + b"}"
    with pytest.raises(InvalidRequest, match=field) as caught:
        decode_request(value, limits=LIMITS)
    assert caught.value.custom_id == "a"


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
