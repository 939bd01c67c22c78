"""The memory of a system: the largest sum over all its processes, sampled while it runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from streamverify.lean.repl.usage import resident, tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

EVERY = 0.3


class Sum(NamedTuple):
    """Bytes of several processes."""

    pss: int = 0
    """Resident pages, those that several processes share divided among them."""
    rss: int = 0


def of_trees(roots: Sequence[int]) -> Sum:
    """Return the memory of these processes and all below them."""
    pids = {pid for root in roots for pid in tree(root)}
    return Sum(sum(map(_pss, pids)), sum(map(resident, pids)))


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    found = [line.split() for line in text.splitlines() if line.startswith("Pss:")]
    return int(found[0][1]) * 1024 if found else 0


class Peak:
    """Samples the memory of trees of processes in a thread, from entering to leaving; keeps the largest sums."""

    def __init__(self, roots: Sequence[int]) -> None:
        self.peak = Sum()
        self._roots = roots
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(EVERY):
            now = of_trees(self._roots)
            self.peak = Sum(max(self.peak.pss, now.pss), max(self.peak.rss, now.rss))
