"""One batch of completions, from the requests that it needs to the rewards that it gives. No clock, no I/O.

Three kinds of answers become rewards:

- a verdict: 1.0 for `verified`, 0.0 for `rejected`;
- the proof itself was the reason that there is none (it ran out of time, it is too large, it crashes a fresh Lean too):
  the value of `on_timeout`;
- anything else, also no answer at all: the infrastructure failed. It is tried again where that may help, and then
  `on_failure` says whether to raise or which value to give. It never is a 0.0 by itself: a model must not learn from
  the state of a cluster.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from streamverify.core.errors import RefusedRequest, RequestTooLarge, Unscored
from streamverify.core.messages.jsontext import is_encodable
from streamverify.core.messages.models import Assurance, Reason, Status, is_enough

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streamverify.core.messages.models import ProofResult

    Otherwise = float | None | Literal["raise"]

GIVEN_UP_ON_PROOF = frozenset({Reason.TIMEOUT, Reason.TOO_LARGE, Reason.REPL_CRASH})
"""Reasons that the proof itself is answerable for, where they are not retriable."""


class RewardRules(NamedTuple):
    """The rewards of answers that are no verdicts, and how often a retriable one is asked for again."""

    retries: int = 2
    on_timeout: Otherwise = 0.0
    on_failure: Otherwise = "raise"


class CompletionProof(NamedTuple):
    """The file in one completion, or None where there is none, and the statement that was to be proved."""

    proof: str | None
    statement: str | None


class Batch:
    """The rewards of one batch. Hand in answers to `requests` until there are none; then read `rewards`.

    Completions that are the same share one request: in a group of samples many often are.
    """

    def __init__(self, attempts: Iterable[CompletionProof], rules: RewardRules, *, fields: dict[str, Any]) -> None:
        """Begin with everything to be asked.

        Args:
            attempts: In the order of the completions.
            rules: What becomes of answers that are no verdicts.
            fields: Further fields of each request: `require`, `timeout`.
        """
        self._attempts = list(attempts)
        self._rules = rules
        self._fields = fields
        self._asked = Assurance(fields.get("require", Assurance.AUDITED))
        self._open = [
            attempt
            for attempt in dict.fromkeys(self._attempts)
            # Without a file, or with one that no UTF-8 can hold, there is nothing to ask: it is no proof.
            if attempt.proof is not None and is_encodable(attempt.proof)
        ]
        self._rewards: dict[CompletionProof, float | None] = dict.fromkeys(set(self._attempts) - set(self._open), 0.0)
        self._why: dict[CompletionProof, str] = {}
        self.tries = 0
        """How often answers were taken."""

    def requests(self) -> list[dict[str, Any]]:
        """List what is to be sent now; nothing where all is known or no more tries are left."""
        # The first try is not a retry.
        if self.tries > self._rules.retries:
            return []
        return [
            {
                "custom_id": _custom_id(number),
                "proof": attempt.proof,
                **({} if attempt.statement is None else {"statement": attempt.statement}),
                **self._fields,
            }
            for number, attempt in enumerate(self._open)
        ]

    def take(self, results: Sequence[ProofResult | None], missing: str = "no answer in time") -> None:
        """Take the answers to `requests`, in that order; None for one that did not come, and why it did not."""
        self.tries += 1
        again = []
        for attempt, result in zip(self._open, results, strict=True):
            if result is not None and result.status is Status.VERIFIED:
                if is_enough(result.assurance, self._asked):
                    self._rewards[attempt] = 1.0
                else:
                    # A worker that does not know what was asked for: a reward for it would teach false proofs.
                    why = f"`{self._asked}` was asked for, and a worker says `{result.assurance}` only"
                    self._settle(attempt, self._rules.on_failure, why)
            elif result is not None and result.status is Status.REJECTED and result.reason != Reason.INVALID_REQUEST:
                self._rewards[attempt] = 0.0
            elif result is not None and not result.retriable and result.reason in GIVEN_UP_ON_PROOF:
                self._settle(attempt, self._rules.on_timeout, _wording(result))
            elif result is None or result.retriable:
                self._why[attempt] = missing if result is None else _wording(result)
                again.append(attempt)
            else:
                # A wrong request or a worker that cannot audit is as wrong the next time.
                self._settle(attempt, self._rules.on_failure, _wording(result))
        self._open = again

    def refuse(self, refused: RefusedRequest) -> None:
        """Note that one of `requests` cannot be sent, and that none of them was answered.

        It costs no try: the others are asked for again without it.
        """
        for number, attempt in enumerate(self._open):
            if refused.custom_id == _custom_id(number):
                value = self._rules.on_timeout if isinstance(refused, RequestTooLarge) else self._rules.on_failure
                self._settle(attempt, value, str(refused))
                del self._open[number]
                return
        raise refused

    def rewards(self) -> list[float | None]:
        """Give the reward of each completion, in their order.

        Raises:
            Unscored: The infrastructure gave no verdict on some, and `on_failure` (or `on_timeout`) is to raise.
        """
        for attempt in self._open:
            self._settle(attempt, self._rules.on_failure, self._why.get(attempt, "not asked: no time was left"))
        self._open = []
        unscored = [self._why[attempt] for attempt in self._attempts if attempt not in self._rewards]
        if unscored:
            words = "; ".join(f"{count} times {why}" for why, count in Counter(unscored).most_common(3))
            raise Unscored(
                f"{len(unscored)} of {len(self._attempts)} completions have no reward: {words}. "
                "Give on_failure (or on_timeout) a value to go on with that instead."
            )
        return [self._rewards[attempt] for attempt in self._attempts]

    def _settle(self, attempt: CompletionProof, value: Otherwise, why: str) -> None:
        self._why[attempt] = why
        if value != "raise":
            self._rewards[attempt] = value


def _custom_id(number: int) -> str:
    return f"reward-{number}"


def _wording(result: ProofResult) -> str:
    return f"{result.reason} ({result.summary})"
