"""What sends proofs to partitions: ours, as producers and the router run it, and what it is compared with."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from streamverify.core.scheduling import partitioner as partitioning
from streamverify.core.scheduling.partitioner import Affinity, first_partitions

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Choose = Callable[[bytes], int]
    Make = Callable[[int, random.Random], Choose]

_first = lru_cache(maxsize=20_000)(lambda key, partitions: first_partitions(key, partitions)[0])


def round_robin(partitions: int, rng: random.Random) -> Choose:
    """One after the other, whatever the header."""
    turn = rng.randrange(partitions)

    def choose(_key: bytes) -> int:
        nonlocal turn
        turn = (turn + 1) % partitions
        return turn

    return choose


def header_hash(partitions: int, _rng: random.Random) -> Choose:
    """What any producer does whose key is the header."""
    return lambda key: _first(key, partitions)


def half_a_share(partitions: int, rng: random.Random) -> Choose:
    """Our first rule: a header above half of a partition's share goes to all partitions in turn, any other to one."""
    counts: Counter[bytes] = Counter()
    turns: dict[bytes, int] = {}
    start = rng.randrange(partitions)

    def choose(key: bytes) -> int:
        counts[key] += 1
        if counts[key] * 2 * partitions <= counts.total():
            return _first(key, partitions)
        turns[key] = turns.get(key, start + len(turns)) + 1
        return turns[key] % partitions

    return choose


def ours(partitions: int, rng: random.Random) -> Choose:
    """The class that runs in production."""
    chooser, numbers = Affinity(rng.random), range(partitions)
    return lambda key: chooser.choose(key, partitions, numbers)


class OursTold:
    """Ours, of a producer that reads the results and so knows what each header's proofs take (`Client.verify`)."""

    def __init__(self, partitions: int, rng: random.Random) -> None:
        self._chooser, self._partitions = Affinity(rng.random), range(partitions)

    def __call__(self, key: bytes) -> int:
        return self._chooser.choose(key, len(self._partitions), self._partitions)

    def took(self, key: bytes, seconds: float) -> None:
        """A proof is done."""
        self._chooser.took(key, seconds)


def ours_with_spread(times: int, of: int) -> Make:
    """Ours with another constant than `SPREAD`."""

    def make(partitions: int, rng: random.Random) -> Choose:
        choose = ours(partitions, rng)

        def chosen(key: bytes) -> int:
            before, partitioning.SPREAD = partitioning.SPREAD, (times, of)
            try:
                return choose(key)
            finally:
                partitioning.SPREAD = before

        return chosen

    return make


PARTITIONERS: dict[str, Make] = {
    "round robin": round_robin,
    "header hash": header_hash,
    "half a share (our first rule)": half_a_share,
    "ours": ours,
}

TOLD = {"ours, told the times": OursTold}
"""For scenarios that are `told`."""
