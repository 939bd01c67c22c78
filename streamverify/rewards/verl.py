"""Reward functions in the signature of verl, which loads them from a file path by name.

    custom_reward_function.path   the path of this file, or pkg://streamverify.rewards.verl
    custom_reward_function.name   compute_score, compute_score_async, or compute_score_batch for `batch`
    custom_reward_function.reward_kwargs   servers, statement and the options of `lean_reward`

verl calls them from many threads or coroutines at once, with one completion each; they share one connection. The module
may be loaded under a name that nothing can import, and its functions be sent to other processes by value, as Ray does:
so it keeps no state and defines no classes.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from streamverify.core.errors import SettingsError
from streamverify.core.rewards.completions import last_lean_block
from streamverify.rewards.clients import verifier, verifier_async
from streamverify.rewards.scorer import OptionFields, Options, Scorer, column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_OWN = frozenset({"servers", "statement", "verify", *OptionFields.__annotations__})


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> float:
    """Give the reward of one completion: 1.0 where its proof is verified, 0.0 where it is not.

    Args:
        data_source: Not used.
        solution_str: The completion.
        ground_truth: The statement that was to be proved.
        extra_info: Further columns of the data set.
        **kwargs: `servers`; `statement`, where the statement is: `ground_truth` (default), another key of `extra_info`,
            or None to reward every theorem; and the options of `lean_reward`. What else verl hands in is ignored.

    Raises:
        Unscored: The infrastructure gave no verdict. Some of verl's reward managers make that a 0.0 (docs/rewards.md).
        SettingsError: An option is wrong.
    """
    return compute_score_batch([data_source], [solution_str], [ground_truth], [extra_info], **kwargs)[0]


async def compute_score_async(
    data_source: str,  # noqa: ARG001 -- verl's name
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> float:
    """Do the same as a coroutine function, which verl's reward loop runs without threads."""
    own, statements = _own(kwargs, [ground_truth], [extra_info])
    verify = own.pop("verify", None) or verifier_async(own.pop("servers", None))
    rewards = await Scorer(Options(**own), last_lean_block).score_async(verify, [solution_str], statements)
    return _number(rewards[0])


def compute_score_batch(
    data_sources: Sequence[str],  # noqa: ARG001 -- verl's name
    solution_strs: Sequence[str],
    ground_truths: Sequence[Any],
    extra_infos: Sequence[Mapping[str, Any] | None],
    **kwargs: Any,
) -> list[float]:
    """Do the same for a batch, as verl's reward manager `batch` asks for it: one request to all workers."""
    own, statements = _own(kwargs, ground_truths, extra_infos)
    verify = own.pop("verify", None) or verifier(own.pop("servers", None))
    rewards = Scorer(Options(**own), last_lean_block).score(verify, solution_strs, statements)
    return [_number(reward) for reward in rewards]


def _own(
    kwargs: dict[str, Any], ground_truths: Sequence[Any], extra_infos: Sequence[Mapping[str, Any] | None]
) -> tuple[dict[str, Any], list[str | None]]:
    """Return the options that are ours, and the statement of each completion."""
    for name in kwargs.keys() - _OWN:
        if near := get_close_matches(name, _OWN, n=1, cutoff=0.8):
            raise SettingsError(f"reward_kwargs has {name!r}: did you mean {near[0]!r}?")
    own = {name: value for name, value in kwargs.items() if name in _OWN}
    if own.get("on_failure", "raise") is None or own.get("on_timeout", 0.0) is None:
        raise SettingsError("verl knows no reward None: give on_failure and on_timeout a number or 'raise'")
    name = own.pop("statement", "ground_truth")
    if name in {None, "ground_truth"}:
        columns: dict[str, Any] = {"ground_truth": ground_truths}
    else:
        columns = {name: [(extra or {}).get(name) for extra in extra_infos]}
    return own, column(name, columns, len(ground_truths))


def _number(reward: float | None) -> float:
    # `_own` has refused the two options that could make it None.
    return cast("float", reward)
