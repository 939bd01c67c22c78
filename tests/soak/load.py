"""The proofs of a soak, made one by one: each has its number, and the verdict that is right for it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from chaos.load import PROOF, Case

from streamverify.core.messages.models import ProofRequest, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = 8.0
_SHARES: tuple[tuple[float, str, Reason], ...] = (
    (0.10, "error", Reason.LEAN_ERROR),
    (0.19, "sorry", Reason.SORRY),
    # What ends a REPL or leaves it hanging costs the start of a new one: a few a minute are what a data set has.
    (0.1905, "exit=3", Reason.PROTOCOL_VIOLATION),
    (0.1907, "crash", Reason.REPL_CRASH),
    (0.1909, "hang", Reason.TIMEOUT),
    (1.0, "", Reason.OK),
)
VERDICTS: tuple[str, ...] = tuple(reason.value for _, _, reason in _SHARES)
_LONG = 0.004


def expectations(count: int, seed: int) -> bytes:
    """For each of `count` proofs the number of its verdict in `VERDICTS`."""
    return bytes(_kind(number, seed) for number in range(count))


def make_case(number: int, seed: int, expected: Sequence[int]) -> Case:
    """The proof of this number: most take milliseconds, one in 250 one or two seconds."""
    rng = random.Random(f"{seed} {number} service")  # noqa: S311 - no secret
    seconds = rng.uniform(1.0, 2.0) if rng.random() < _LONG else min(0.5, rng.lognormvariate(-4.2, 0.8))
    _, word, reason = _SHARES[expected[number]]
    # That of a proof that hangs is its time-out, which is not to hold a slot for long.
    timeout = 1.0 if reason is Reason.TIMEOUT else _TIMEOUT
    text = f"{PROOF} -- synthetic: service={seconds:.3f} {word}".rstrip()
    return Case(ProofRequest(custom_id=f"{number}-{reason.value}", proof=text, timeout=timeout), reason)


def _kind(number: int, seed: int) -> int:
    draw = random.Random(f"{seed} {number}").random()  # noqa: S311 - no secret
    return next(kind for kind, (share, _, _) in enumerate(_SHARES) if draw < share)
