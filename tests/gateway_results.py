"""Results as workers write them, for tests of the gateway: every reason, with and without an answer of Lean."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from streamverify.core.messages.models import OUTCOMES, Assurance, ProofResult, Reason, Response, Source, Verifier

PROOF = "theorem t : 1 = 1 := rfl"
SHA256 = hashlib.sha256(PROOF.encode()).hexdigest()
ERROR = {"severity": "error", "pos": {"line": 2, "column": 4}, "endPos": None, "data": "type mismatch"}
WARNING = {"severity": "warning", "pos": {"line": 1, "column": 8}, "endPos": None, "data": "declaration uses 'sorry'"}
INFO = {"severity": "info", "pos": {"line": 1, "column": 0}, "endPos": None, "data": "Nat : Type"}
SORRY = {"pos": {"line": 1, "column": 9}, "endPos": {"line": 1, "column": 14}, "goal": "⊢ False", "proofState": 0}

RESPONSES: dict[str, dict[str, Any] | None] = {
    "no answer": None,
    "an empty answer": {},
    "an info": {"messages": [INFO], "env": 3},
    "a warning": {"messages": [WARNING], "env": 3},
    "an error": {"messages": [WARNING, ERROR], "env": 3},
    "a sorry": {"messages": [WARNING], "sorries": [SORRY], "env": 3},
}
CASES = [
    pytest.param(reason, answer, id=f"{reason}, {name}")
    for reason in Reason
    for name, answer in RESPONSES.items()
    if answer is not None or reason is not Reason.OK
]
"""Every reason with every answer; a verified proof always has one."""


def result(reason: str, response: dict[str, Any] | None, /, **fields: Any) -> ProofResult:
    """A result with this reason. What a worker would not send together is sent, too: nobody shall rely on it."""
    outcome = OUTCOMES[Reason(reason)]
    verified = reason == Reason.OK
    given: dict[str, Any] = {
        "custom_id": "gw-1",
        "status": outcome.status,
        "reason": reason,
        "retriable": outcome.retriable,
        "error": None if response is not None else f"the sentence for {reason}",
        "summary": f"the sentence for {reason}",
        "response": None if response is None else Response.model_validate(response),
        "assurance": Assurance.AUDITED if verified else Assurance.NONE,
        "worker": "w1",
        "verifier": Verifier(kind="lean", lean_version="4.35.0"),
        "source": Source(topic="lean.proofs", partition=0, offset=1, timestamp=2),
        "proof_sha256": SHA256,
    }
    return ProofResult(**{**given, **fields})
