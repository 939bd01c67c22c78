"""From a request to its record."""

from __future__ import annotations

import json

import pytest

from streamverify.client.requests import prepare
from streamverify.core.messages.codec import RequestLimits, decode_request
from streamverify.core.messages.models import ProofRequest
from streamverify.core.syntax.header import parse_header


def test_the_key_is_the_headers_fingerprint() -> None:
    proof = "import Lean\ntheorem t : 1 = 1 := rfl"
    made = prepare(ProofRequest(custom_id="a", proof=proof), "id-1")
    assert made.key == parse_header(proof).fingerprint.encode()
    assert made.kafka_headers == [("streamverify-request-id", b"id-1")]


@pytest.mark.parametrize("proof", ["prelude\ntheorem t : 1 = 1 := rfl", "import\n", "/- no end"])
def test_a_header_that_does_not_parse_goes_with_the_blank_ones(proof: str) -> None:
    made = prepare(ProofRequest(custom_id="a", proof=proof), "id-1")
    assert made.key == parse_header("").fingerprint.encode()
    assert json.loads(made.value)["proof"] == proof


def test_a_worker_reads_what_was_asked_for() -> None:
    request = ProofRequest(
        custom_id="é", proof="import Lean\r\n\u2028", timeout=2.5, all_tactics=True, metadata={"a": [1, None]}
    )
    assert decode_request(prepare(request, "1").value, limits=RequestLimits(1000)) == request
