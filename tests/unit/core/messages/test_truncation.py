"""A result becomes a record of its topic: whole where it fits, else cut part by part, and the cuts are named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from codec_cases import MESSAGE, full, nested, result

from streamverify.core.messages.codec import (
    MIN_LIMIT,
    RECORD_RESERVE,
    EncodedResult,
    decode_result,
    encode_bare_result,
    encode_result,
    record_overhead,
)
from streamverify.core.messages.models import (
    OUTCOMES,
    Cached,
    Finding,
    ProofResult,
    Reason,
    Response,
    Source,
    Status,
    Theorem,
    Timings,
    Verifier,
)
from streamverify.core.messages.truncation import PARTS


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
