"""The outcome of one proof of a batch, as every endpoint tells it. Pure.

The clients of other servers look at messages, `sorries` and `error` alone, and take what has none of them for valid. So
everything that is not `verified` is given one of them here, whatever else is known of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamverify.core.messages.models import OUTCOMES, Assurance, Reason, Status, errors_in, is_enough

if TYPE_CHECKING:
    from streamverify.core.messages.models import Message, ProofResult

WORD = "streamverify"
"""The word with which our own sentences begin among Lean's."""


@dataclass(frozen=True, slots=True)
class ProofOutcome:
    """The outcome of one proof: a verdict, or the reason why there is none.

    `error` is None where the verdict is definite. Then `messages` and `sorries` tell which it is: a proof that is not
    verified has a message of severity `error` or a `sorry` there. Else `error` says why nothing is known.
    """

    status: Status
    reason: str
    sentence: str
    error: str | None
    messages: list[Message]
    sorries: list[dict[str, Any]]
    result: ProofResult | None

    @property
    def verified(self) -> bool:
        """True where the proof is verified, with the assurance that was asked for."""
        return self.status is Status.VERIFIED

    @property
    def seconds(self) -> float:
        """The seconds that Lean ran."""
        return 0.0 if self.result is None else self.result.timings.run

    def fields(self) -> dict[str, Any]:
        """Return the verdict as on the topic, without Lean's answer: every endpoint adds it to its own fields."""
        result = self.result
        fields: dict[str, Any] = {
            "status": self.status,
            "reason": self.reason,
            "summary": self.sentence,
            "retriable": OUTCOMES[Reason(self.reason)].retriable if result is None else result.retriable,
            "assurance": result.assurance if result is not None and self.verified else Assurance.NONE,
        }
        if result is not None:
            fields["verifier"] = result.verifier.kind
            # Each only where there is something in it: a batch has thousands of these.
            if result.theorems:
                fields["theorems"] = [theorem.model_dump() for theorem in result.theorems]
            if result.findings:
                fields["findings"] = [finding.model_dump() for finding in result.findings]
            if result.cached is not None:
                fields["cached"] = result.cached.model_dump()
            if result.superseded_by is not None:
                fields["superseded_by"] = result.superseded_by
            if result.truncated:
                fields["truncated"] = result.truncated
        return fields


def outcome_of(result: ProofResult, asked: Assurance, sha256: str) -> ProofOutcome:
    """Return the outcome that a result is.

    Args:
        result: The result.
        asked: The assurance that the request asked for.
        sha256: Of the proof that was sent, in hexadecimal digits.
    """
    if result.status is Status.VERIFIED:
        return _verified(result, asked, sha256)
    sentence = result.summary
    if result.status is Status.INCONCLUSIVE:
        return _inconclusive(result, sentence)
    response = result.response
    messages = [] if response is None else list(response.messages)
    sorries = [] if response is None else response.sorries
    found = bool(errors_in(messages))
    # A finding of the policy, say, is no error of Lean's: clients that look at messages alone must see it, too.
    if not found and not (result.reason is Reason.SORRY and sorries):
        messages.append(_message(result, sentence))
    return ProofOutcome(Status.REJECTED, result.reason, sentence, None, messages, sorries, result)


def no_verdict(reason: str, sentence: str) -> ProofOutcome:
    """Make the outcome of a proof that no worker has answered."""
    return ProofOutcome(Status.INCONCLUSIVE, reason, sentence, f"{WORD}: {reason}: {sentence}", [], [], None)


def refused(reason: str, sentence: str) -> ProofOutcome:
    """Make the outcome of a proof that was not sent, because no worker would take it."""
    message: Message = {
        "severity": "error",
        "pos": {"line": 1, "column": 0},
        "data": f"{WORD}: {reason}: {sentence}",
    }
    return ProofOutcome(Status.REJECTED, reason, sentence, None, [message], [], None)


def _verified(result: ProofResult, asked: Assurance, sha256: str) -> ProofOutcome:
    if not is_enough(result.assurance, asked):
        # An older worker that does not know what was asked for: its word is worth less than the caller takes it for.
        return no_verdict(
            Reason.UNSUPPORTED, f"{asked} was asked for, and the worker {result.worker} says `{result.assurance}` only"
        )
    if result.proof_sha256 != sha256:
        return no_verdict(Reason.WORKER_ERROR, f"the worker {result.worker} has verified another text than was sent")
    response = result.response
    messages = [] if response is None else response.messages
    sorries = [] if response is None else response.sorries
    return ProofOutcome(Status.VERIFIED, result.reason, result.summary, None, messages, sorries, result)


def _inconclusive(result: ProofResult, sentence: str) -> ProofOutcome:
    if result.reason in {Reason.TIMEOUT, Reason.IMPORT_TIMEOUT}:
        # The words by which `kimina-client` knows a time-out.
        error = f"Lean timed out ({WORD}: {result.reason}: {sentence})"
    else:
        # In no other sentence: a reader would take it for the proof's own fault.
        error = f"{WORD}: {result.reason}: {sentence.replace('timed out', 'ran out of time')}"
    return ProofOutcome(Status.INCONCLUSIVE, result.reason, sentence, error, [], [], result)


def _message(result: ProofResult, sentence: str) -> Message:
    """Make the message of a rejection where Lean reported no error: at the first finding, else at the beginning."""
    first = result.findings[0] if result.findings else None
    return {
        "severity": "error",
        "pos": {"line": first.line, "column": first.column} if first else {"line": 1, "column": 0},
        "data": f"{WORD}: {result.reason}: {sentence}",
    }
