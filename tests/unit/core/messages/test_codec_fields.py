"""Each field of a request: names, aliases, nulls, types and bounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from codec_cases import LIMITS, decode, invalid, nested, refused, sent, wrong

from streamverify.core.errors import InvalidRequest
from streamverify.core.messages.codec import RequestLimits, decode_request
from streamverify.core.messages.models import MAX_METADATA_DEPTH, ProofRequest

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


@pytest.mark.parametrize("field", ["timeout", "all_tactics", "theorem", "deadline", "require"])
def test_an_integer_that_no_double_holds_is_an_invalid_field(field: str) -> None:
    value = b'{"custom_id": "a", "proof": "", "' + field.encode() + b'": 1' + b"0" * 400 + b"}"
    with pytest.raises(InvalidRequest, match=field) as caught:
        decode_request(value, limits=LIMITS)
    assert caught.value.custom_id == "a"
