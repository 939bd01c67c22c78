"""The memory of a system: the largest sum over all its processes, sampled while it runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from streamverify.lean.repl.usage import tree

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
    each = [_of_process(pid) for pid in {pid for root in roots for pid in tree(root)}]
    return Sum(sum(memory.pss for memory in each), sum(memory.rss for memory in each))


def _of_process(pid: int) -> Sum:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return Sum()
    found = {
        words[0]: int(words[1]) * 1024 for line in text.splitlines() if (words := line.split())[0] in {"Pss:", "Rss:"}
    }
    return Sum(found.get("Pss:", 0), found.get("Rss:", 0))


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
