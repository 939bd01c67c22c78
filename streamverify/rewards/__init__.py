"""Rewards for training a prover, from verdicts: functions in the signatures that trainers call.

`lean_reward` and `async_lean_reward` make functions for TRL; the module `verl` has those for verl. What a verdict is
worth is decided in `core/rewards`. docs/rewards.md says what becomes of `inconclusive`.
"""

from __future__ import annotations

from streamverify.core.errors import Unscored
from streamverify.core.rewards.completions import last_lean_block
from streamverify.rewards.trl import async_lean_reward, lean_reward

__all__ = ["Unscored", "async_lean_reward", "last_lean_block", "lean_reward"]
