"""Asks for verdicts on completions, again where that may help, within a budget of time.

A scorer connects when it is first asked, and once in each process: it may be made before a data loader or a trainer
forks.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, get_args

from streamverify.core.errors import BrokerUnavailable, RefusedRequest, SettingsError, Unscored
from streamverify.core.messages.models import Require
from streamverify.core.rewards.completions import (
    as_statement,
    completion_text,
    has_other_imports,
    with_header,
)
from streamverify.core.rewards.scoring import Batch, CompletionProof, RewardRules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from streamverify.core.messages.models import ProofResult
    from streamverify.core.rewards.scoring import Otherwise

    Verify = Callable[[list[dict[str, Any]], float], Sequence[ProofResult | None]]
    VerifyAsync = Callable[[list[dict[str, Any]], float], Awaitable[Sequence[ProofResult | None]]]

_PAUSES = (0.0, 1.0, 5.0, 15.0)
"""Seconds before the first, the second and each further try: a worker that is started again needs a moment."""


class OptionFields(TypedDict, total=False):
    """The options that `lean_reward` takes by name."""

    require: str
    header: str
    proof_timeout: float | None
    timeout: float
    retries: int
    on_timeout: Otherwise
    on_failure: Otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of all reward functions; `lean_reward` says what each is."""

    require: str = "audited"
    header: str = ""
    proof_timeout: float | None = None
    timeout: float = 600.0
    retries: int = 2
    on_timeout: Otherwise = 0.0
    on_failure: Otherwise = "raise"

    def __post_init__(self) -> None:
        """Refuse now what would otherwise show in the middle of a training run.

        Raises:
            SettingsError: A value is out of range, and which.
        """
        for name in ("on_timeout", "on_failure"):
            value = getattr(self, name)
            if value is not None and value != "raise" and not isinstance(value, int | float):
                raise SettingsError(f"{name} is a number, None or 'raise', not {value!r}")
        if self.require not in get_args(Require):
            raise SettingsError(f"require is one of {', '.join(get_args(Require))}, not {self.require!r}")
        if self.timeout <= 0 or self.retries < 0:
            raise SettingsError(f"timeout={self.timeout} must be positive, and retries={self.retries} not negative")


class Scorer:
    """Gives completions their rewards."""

    def __init__(self, options: Options, extract: Callable[[str], str | None]) -> None:
        self._options = options
        self._extract = extract

    def score(self, verify: Verify, completions: Sequence[Any], statements: Sequence[str | None]) -> list[float | None]:
        """Give the rewards of completions, in their order, with verdicts from `verify`.

        Raises:
            Unscored: Some have none, and `on_failure` or `on_timeout` is to raise.
        """
        batch = self._batch(completions, statements)
        for requests, pause, left in self._tries(batch):
            time.sleep(pause)
            try:
                batch.take(verify(requests, left))
            except RefusedRequest as refused:
                batch.refuse(refused)
            except BrokerUnavailable as error:
                batch.take([None] * len(requests), str(error))
        return batch.rewards()

    # The same once more: to run the one by the other would need an event loop in each thread that calls.
    async def score_async(
        self, verify: VerifyAsync, completions: Sequence[Any], statements: Sequence[str | None]
    ) -> list[float | None]:
        """Do the same in an event loop."""
        batch = self._batch(completions, statements)
        for requests, pause, left in self._tries(batch):
            await asyncio.sleep(pause)
            try:
                batch.take(await verify(requests, left))
            except RefusedRequest as refused:
                batch.refuse(refused)
            except BrokerUnavailable as error:
                batch.take([None] * len(requests), str(error))
        return batch.rewards()

    def _batch(self, completions: Sequence[Any], statements: Sequence[str | None]) -> Batch:
        options, attempts = self._options, []
        for completion, statement in zip(completions, statements, strict=True):
            proof = self._extract(completion_text(completion))
            if proof is not None:
                proof = with_header(proof, options.header)
            if statement is not None:
                statement = as_statement(with_header(statement, options.header))  # noqa: PLW2901
                if proof is not None and options.require != "checked" and has_other_imports(proof, statement):
                    # It cannot be verified. Asked for all the same, an import that does not exist would look like a
                    # failure of the infrastructure where Lean cannot tell, and end a training run by a model's words.
                    proof = None
            attempts.append(CompletionProof(proof, statement))
        fields: dict[str, Any] = {"require": options.require}
        if options.proof_timeout is not None:
            fields["timeout"] = options.proof_timeout
        rules = RewardRules(options.retries, options.on_timeout, options.on_failure)
        return Batch(attempts, rules, fields=fields)

    def _tries(self, batch: Batch) -> Iterator[tuple[list[dict[str, Any]], float, float]]:
        """Yield what is to be asked, after which pause, and the seconds that are left for it then.

        The requests carry the end of the budget as their deadline: what nobody waits for any more is not run.
        """
        end = time.monotonic() + self._options.timeout
        while requests := batch.requests():
            pause = _PAUSES[min(batch.tries, len(_PAUSES) - 1)]
            left = end - time.monotonic() - pause
            if left <= 0:
                return
            deadline = (datetime.now(UTC) + timedelta(seconds=pause + left)).isoformat()
            yield [{**request, "deadline": deadline} for request in requests], pause, left


def column(name: str | None, columns: dict[str, Any], count: int) -> list[str | None]:
    """Read the statements of a batch from the column of that name; all None where none is named.

    Raises:
        Unscored: There is no such column, or it has no statement for one of the completions.
    """
    if name is None:
        return [None] * count
    if name not in columns:
        known = ", ".join(sorted(columns)) or "none"
        raise Unscored(f"there is no column {name!r} to take the statements from; the columns are: {known}")
    values = list(columns[name])
    for index, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            raise Unscored(f"row {index} of the batch has no statement in {name!r}: {value!r:.80}")
    return values
