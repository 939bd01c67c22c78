from __future__ import annotations

import json
import math
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from message_strategies import (
    any_results,
    any_texts,
    exact_values,
    huge,
    int64s,
    json_values,
    messages,
    requests,
    sound_results,
    texts,
)

from streamverify.core.errors import RefusedRequest, RequestTooLarge, UndecodableRequest, UndecodableResult
from streamverify.core.messages.codec import (
    MIN_LIMIT,
    RECORD_RESERVE,
    RequestLimits,
    decode_request,
    decode_result,
    encode_bare_result,
    encode_request,
    encode_result,
    record_overhead,
)
from streamverify.core.messages.jsontext import repaired
from streamverify.core.messages.models import ALIASES, ProofRequest, ProofResult, Response, Status
from streamverify.core.messages.schemas import schema_files

# the first draw builds tables of Unicode's categories, which takes a second on a busy machine
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

LIMITS = RequestLimits(max_proof_bytes=200)
NO_LIMITS = RequestLimits(max_proof_bytes=10**9)

REQUEST_SCHEMA, RESULT_SCHEMA = (
    Draft202012Validator(json.loads(schema_files()[f"proof-{what}.schema.json"])) for what in ("request", "result")
)


# Whatever comes


def outcome(value: bytes, limits: RequestLimits) -> ProofRequest | UndecodableRequest | RefusedRequest:
    """What the decoder makes of it; anything raised but its own errors fails the test."""
    try:
        return decode_request(value, limits=limits)
    except (UndecodableRequest, RefusedRequest) as error:
        return error


def decodes(value: bytes, limits: RequestLimits = LIMITS) -> bool:
    """Whether the decoder takes it, and whether what it says is usable."""
    read = outcome(value, limits)
    if isinstance(read, UndecodableRequest):
        assert 0 < len(str(read)) < 400
        return False
    assert 1 <= len(read.custom_id) <= 512
    assert read.custom_id.encode()
    if isinstance(read, RefusedRequest):
        assert 0 < len(str(read)) < 400
        returned = {"metadata": read.metadata, "run": read.run, "group": read.group}
        again = ProofRequest.model_validate({"custom_id": "a", "proof": "", **returned})
        assert {name: getattr(again, name) for name in returned} == returned
        return False
    assert len(read.proof.encode()) <= limits.max_proof_bytes
    return True


@untimed
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_the_decoders_own_errors(value: bytes) -> None:
    decodes(value)


fields_of_any_kind = st.dictionaries(
    st.sampled_from([*ProofRequest.model_fields, *ALIASES.values(), "other"]),
    json_values(any_texts, st.integers() | huge)
    | st.floats()
    | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
)


@untimed
@given(fields_of_any_kind, st.booleans())
@example(fields={"custom_id": 10**400, "proof": ""}, ensure_ascii=False)
@example(fields={"custom_id": "a", "proof": "", "metadata": {"k": 10**4000}}, ensure_ascii=False)
@example(fields={"custom_id": math.nan, "proof": ""}, ensure_ascii=True)
def test_no_json_raises_anything_but_the_decoders_own_errors(fields: dict[str, Any], ensure_ascii: bool) -> None:  # noqa: FBT001 - drawn
    decodes(json.dumps(fields, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass"))


@untimed
@given(requests, st.data())
def test_no_mutated_request_raises_anything_but_the_decoders_own_errors(
    request: ProofRequest, data: st.DataObject
) -> None:
    value = bytearray(encode_request(request))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(value)))
        end = start + data.draw(st.integers(0, 3))
        value[start:end] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"\\ud800", b"null", b"1e999", b"NaN", b"{", b"[" * 2000, b"9" * 700])
        )

    decodes(bytes(value))


@untimed
@given(st.binary(max_size=200) | exact_values.map(json.dumps).map(str.encode) | any_results.map(encode_bare_result))
def test_no_bytes_raise_anything_but_the_result_decoders_own_error(value: bytes) -> None:
    with suppress(UndecodableResult):
        assert decode_result(value).custom_id


# There and back


@untimed
@given(requests)
def test_a_request_goes_round(request: ProofRequest) -> None:
    assert decode_request(encode_request(request), limits=NO_LIMITS) == request


@untimed
@given(requests, st.integers(0, 200))
def test_too_large_is_decided_by_utf8_bytes_alone(request: ProofRequest, limit: int) -> None:
    size = len(request.proof.encode()) + len((request.statement or "").encode())
    read = outcome(encode_request(request), RequestLimits(limit))

    assert isinstance(read, RequestTooLarge if size > limit else ProofRequest)
    assert not isinstance(read, UndecodableRequest)
    assert (read.custom_id, read.metadata) == (request.custom_id, request.metadata)


@untimed
@given(st.integers(-(10**511) + 1, 10**512 - 1) | st.integers(-(2**70), 2**70))
def test_an_integer_custom_id_is_exact_or_refused(custom_id: int) -> None:
    read = outcome(b'{"custom_id":%d,"proof":""}' % custom_id, LIMITS)

    assert not isinstance(read, UndecodableRequest)
    assert read.custom_id == str(custom_id)
    # beyond a double's range orjson refuses the number
    assert isinstance(read, ProofRequest) or abs(custom_id) > 10**308


@untimed
@given(sound_results)
def test_a_result_goes_round(result: ProofResult) -> None:
    encoded = encode_result(result, limit=10**9, overhead=0)

    assert decode_result(encoded.value) == result
    assert not encoded.kafka_headers_dropped


# Sizes


@untimed
@given(any_results, st.integers(MIN_LIMIT, MIN_LIMIT + 4000), st.lists(st.tuples(texts, st.binary()), max_size=4))
def test_every_result_fits(result: ProofResult, limit: int, headers: list[tuple[str, bytes]]) -> None:
    key = result.custom_id.encode()
    overhead = record_overhead(key, [*headers, ("pad", b"x" * 12_000)])

    encoded = encode_result(result, limit=limit, overhead=overhead)

    left = len(key) if encoded.kafka_headers_dropped else overhead
    assert len(encoded.value) + left + RECORD_RESERVE <= limit
    read = decode_result(encoded.value)
    assert (read.custom_id, read.status, read.reason) == (result.custom_id, result.status, result.reason)
    assert encoded.kafka_headers_dropped == ("headers" in read.truncated)


def missing_of(read: ProofResult, before: ProofResult) -> dict[str, int | None]:
    """What `truncated` says besides what it said before: part to entries that are missing, None for the part itself."""
    said = [name for name in read.truncated if name not in before.truncated]
    parts = [name.partition(": ") for name in said]
    return {part: int(rest.partition(" of ")[0].replace(",", "")) if rest else None for part, _, rest in parts}


@untimed
@given(any_results, st.integers(0, 3000))
def test_what_is_left_out_is_named_and_counted_and_what_is_not_is_there(result: ProofResult, limit: int) -> None:
    read = decode_result(encode_result(result, limit=limit, overhead=0).value)
    cut = missing_of(read, result)

    for part in ("tactics", "sorries", "messages"):
        before, after = (getattr(one.response, part, []) for one in (result, read))
        assert len(before) - len(after) == (cut.get(part) or 0)
    for part in ("findings", "theorems"):
        assert len(getattr(result, part)) - len(getattr(read, part)) == (cut.get(part) or 0)
    before, after = (getattr(one.response, "infotree", None) for one in (result, read))
    assert bool(after) == (bool(before) and "infotree" not in cut)
    assert "metadata" in cut or bool(read.metadata) == bool(result.metadata)


first_errors = st.lists(messages, max_size=5).flatmap(
    lambda drawn: st.integers(1, 400).map(lambda times: [each for each in drawn for _ in range(times)])
)


@untimed
@given(any_results, first_errors, st.integers(MIN_LIMIT, 10 * MIN_LIMIT), st.booleans())
def test_of_a_rejection_the_first_error_survives(
    result: ProofResult,
    said: list[Any],
    limit: int,
    bare: bool,  # noqa: FBT001 - drawn
) -> None:
    """And whatever is kept is what was said, in its order, each text with the number of times that it was said."""
    whole = result.model_copy(update={"error": None, "response": Response.model_validate({"messages": said})})
    overhead = len(result.custom_id.encode())
    value = encode_bare_result(whole) if bare else encode_result(whole, limit=limit, overhead=overhead).value
    read = decode_result(value)
    kept = read.response.messages if read.response else []

    assert len(value) + overhead + RECORD_RESERVE <= limit
    assert (read.status, read.reason) == (result.status, result.reason)
    first = next((each for each in said if each["severity"] == "error"), said[0] if said else None)
    if result.status is Status.REJECTED and first is not None:
        stem = repaired(first["data"])
        assert any(
            each["severity"] == first["severity"]
            and (each["data"] == stem or stem.startswith(each["data"].removesuffix("…")))
            for each in kept
        )
    said_so = Counter(repaired(each["data"]) for each in said)
    assert all(each.get("count", 1) <= said_so[each["data"]] for each in kept if "count" in each)


@untimed
@given(any_results)
def test_a_bare_result_always_fits(result: ProofResult) -> None:
    value = encode_bare_result(result)

    assert len(value) + len(result.custom_id.encode()) + RECORD_RESERVE <= MIN_LIMIT
    assert decode_result(value).reason == result.reason


# The schemas say the same


def plausible(name: str) -> st.SearchStrategy[Any]:
    """Values near the border between right and wrong for a field."""
    right: dict[str, st.SearchStrategy[Any]] = {
        "custom_id": st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        "timeout": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1, 3),
        "deadline": st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "x"]),
        "metadata": st.dictionaries(texts, texts, max_size=2),
        "theorem": st.sampled_from(["t", "t" * 512, "t" * 513]),
        "run": st.sampled_from(["", "r" * 128, "r" * 129]),
        "group": st.sampled_from(["", "g" * 128, "g" * 129]),
    }
    words = st.sampled_from(["full", "tactics", "checked", "audited", "none", ""])
    return right.get(name, words) | words | st.none() | st.booleans() | st.integers(0, 2) | st.just([])


@untimed
@given(requests, st.data())
def test_a_request_is_valid_by_its_schema_exactly_when_the_decoder_takes_it(
    request: ProofRequest, data: st.DataObject
) -> None:
    fields = json.loads(encode_request(request))
    for name in data.draw(st.lists(st.sampled_from([*ProofRequest.model_fields, *ALIASES.values()]), max_size=3)):
        if data.draw(st.booleans()):
            fields[name] = data.draw(plausible(name))
        else:
            fields.pop(name, None)

    assert REQUEST_SCHEMA.is_valid(fields) == decodes(json.dumps(fields).encode(), NO_LIMITS)


@untimed
@given(requests)
def test_what_we_send_is_valid_by_its_schema(request: ProofRequest) -> None:
    REQUEST_SCHEMA.validate(orjson.loads(encode_request(request)))


@untimed
@given(any_results, st.integers(0, 5000))
def test_what_a_worker_answers_is_valid_by_its_schema(result: ProofResult, limit: int) -> None:
    RESULT_SCHEMA.validate(json.loads(encode_result(result, limit=limit, overhead=0).value))


@untimed
@given(sound_results, st.data())
def test_what_is_valid_by_the_results_schema_can_be_decoded(result: ProofResult, data: st.DataObject) -> None:
    value = orjson.loads(encode_result(result, limit=10**9, overhead=0).value)
    name = data.draw(st.sampled_from(sorted(value)))
    if data.draw(st.booleans()):
        del value[name]
    else:
        value[name] = data.draw(json_values(texts, int64s) | st.just({}) | st.sampled_from(["ok", "verified", "x y"]))

    if RESULT_SCHEMA.is_valid(value):
        decode_result(json.dumps(value).encode())
