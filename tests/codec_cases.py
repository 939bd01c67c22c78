"""Requests as they are sent and results as a worker writes them, for tests of the codec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamverify.core.errors import InvalidRequest, UndecodableRequest
from streamverify.core.messages.codec import RequestLimits, decode_request
from streamverify.core.messages.models import (
    Finding,
    ProofRequest,
    ProofResult,
    Reason,
    Response,
    Source,
    Status,
    Theorem,
    Verifier,
)

LIMITS = RequestLimits(max_proof_bytes=1000)
"""What a worker takes, in these tests."""


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


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


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
