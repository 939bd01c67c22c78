"""Reward functions in the signature of TRL: `prompts, completions, **columns` -> `list[float | None]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamverify.core.rewards.completions import last_lean_block
from streamverify.rewards.clients import verifier, verifier_async
from streamverify.rewards.scorer import Options, Scorer, column

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from typing_extensions import Unpack

    from streamverify.rewards.scorer import OptionFields, Verify, VerifyAsync

    Rewards = list[float | None]


def lean_reward(
    servers: str | None = None,
    *,
    statement: str | None,
    extract: Callable[[str], str | None] = last_lean_block,
    verify: Verify | None = None,
    **options: Unpack[OptionFields],
) -> Callable[..., Rewards]:
    """Make a reward function: 1.0 where the proof in a completion is verified, 0.0 where it is not.

    Example:
        >>> reward = lean_reward("localhost:9092", statement="formal_statement")
        >>> trainer = GRPOTrainer(model=model, reward_funcs=reward, train_dataset=dataset)

    Args:
        servers: Kafka brokers, host:port, separated by commas. Default: those of the settings.
        statement: The column that has what was to be proved. None rewards every theorem, whatever it says: a model
            soon finds `True`.
        extract: Finds the Lean file in the text of a completion; it returns None for one without, which gets 0.0.
        verify: What gives the verdicts: called with requests and the seconds that are left, it returns a result, or
            None, for each. Default: a client of its own, made at the first call in each process.
        **options: Further settings, by name:
            require: The assurance that a reward takes, `audited` (default), `checked`, `replayed` or
                `cross_checked`.
            header: Put before each proof and statement that has no import of its own.
            proof_timeout: Seconds that Lean may run on one proof. Default: the worker's.
            timeout: Seconds for one call in all, 600 by default; what has no verdict by then is a failure.
            retries: How often what the infrastructure failed on is tried again; 2 by default.
            on_timeout: The reward of a proof that is itself the reason that there is no verdict (`timeout`,
                `too_large`, `repl_crash` in a fresh process too): 0.0 by default; None or "raise" are possible.
            on_failure: The reward where the infrastructure failed in spite of all tries: "raise" by default. With None,
                TRL leaves the completion out, but counts it as 0 where there is another reward function.

    Returns:
        The function. It raises `Unscored` where it has no reward to give.

    Raises:
        SettingsError: The value of an option is wrong.
        TypeError: There is no such option.
    """
    scorer, ask = Scorer(Options(**options), extract), verify or verifier(servers)

    def reward(prompts: object, completions: Sequence[Any], **columns: Any) -> Rewards:  # noqa: ARG001 -- TRL's names
        return scorer.score(ask, completions, column(statement, columns, len(completions)))

    # TRL logs the mean of each reward function under its name.
    reward.__name__ = reward.__qualname__ = "lean_reward"
    return reward


def async_lean_reward(
    servers: str | None = None,
    *,
    statement: str | None,
    extract: Callable[[str], str | None] = last_lean_block,
    verify: VerifyAsync | None = None,
    **options: Unpack[OptionFields],
) -> Callable[..., Awaitable[Rewards]]:
    """Make the same as a coroutine function, which TRL runs beside its other asynchronous reward functions.

    The arguments are those of `lean_reward`; `verify` returns an awaitable.
    """
    scorer, ask = Scorer(Options(**options), extract), verify or verifier_async(servers)

    async def reward(prompts: object, completions: Sequence[Any], **columns: Any) -> Rewards:  # noqa: ARG001 -- as above
        return await scorer.score_async(ask, completions, column(statement, columns, len(completions)))

    reward.__name__ = reward.__qualname__ = "lean_reward"
    return reward
