"""A verifier without Kafka for the tests of rewards: it answers by what a proof says."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from streamverify.core.messages.models import OUTCOMES, ProofResult, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence


def a_result(custom_id: str, reason: Reason, *, retriable: bool | None = None) -> ProofResult:
    """A result for a reason, as a worker gives it."""
    outcome = OUTCOMES[reason]
    return ProofResult.model_validate(
        {
            "custom_id": custom_id,
            "status": outcome.status,
            "reason": reason,
            "retriable": outcome.retriable if retriable is None else retriable,
            "assurance": "audited" if reason is Reason.OK else "none",
            "summary": f"it is {reason}",
            "error": None if reason in {Reason.OK, Reason.LEAN_ERROR} else f"it is {reason}",
            "response": {} if reason in {Reason.OK, Reason.LEAN_ERROR} else None,
            "verifier": {"kind": "lean"},
            "source": {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0},
        }
    )


class Verifier:
    """Answers each proof by the reasons that its text names, one for each try; `missing` is no answer.

    A proof `ok` is verified, `worker_error ok` at the second try.
    """

    def __init__(self) -> None:
        self.asked: list[list[dict[str, Any]]] = []
        self._tries: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, requests: Sequence[dict[str, Any]], timeout: float) -> list[ProofResult | None]:
        """Answer them."""
        assert timeout > 0
        with self._lock:
            self.asked.append(list(requests))
            return [self._answer(request) for request in requests]

    async def verify_async(self, requests: Sequence[dict[str, Any]], timeout: float) -> list[ProofResult | None]:
        """Answer them, after others had their turn."""
        await asyncio.sleep(0)
        return self(requests, timeout)

    def _answer(self, request: dict[str, Any]) -> ProofResult | None:
        proof = request["proof"]
        words = proof.splitlines()[-1].split()
        number = self._tries[proof] = self._tries.get(proof, -1) + 1
        word = words[min(number, len(words) - 1)]
        if word == "missing":
            return None
        name, _, final = word.partition("!")
        return a_result(request["custom_id"], Reason(name), retriable=False if final == "" and "!" in word else None)
