"""Bytes become a request or a named error, whatever they are; a request becomes bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from codec_cases import decode, invalid, refused, sent, wrong

from streamverify.core.errors import InvalidRequest, RequestTooLarge, UndecodableRequest
from streamverify.core.messages.codec import encode_request
from streamverify.core.messages.models import ProofRequest

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


MAX_DEPTH = 1024
"""Levels of nesting that orjson can read; docs/messages.md names them."""


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
