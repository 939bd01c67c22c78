"""Counting by name where the names come from outside and may be any number."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Counted(Protocol):
    """The figures that stand beside a name."""

    rows: int

    def merge(self, other: Self) -> None:
        """Take everything into account that the other has."""


C = TypeVar("C", bound=Counted)
T = TypeVar("T")


class BoundedTable(Generic[C]):
    """A table by name that never has more than `most` names.

    While there are no more names than that, everything is exact. When one more comes, the rarer half is forgotten: its
    rows count as `others`. A forgotten name that comes again begins anew. So after that the figures of a name are lower
    bounds, exact for a name that was never forgotten, as every frequent one is where its rows are spread; `exact` says
    which of the two it is.
    """

    def __init__(self, most: int, make: Callable[[], C]) -> None:
        self._most = most
        self._make = make
        self._names: dict[str, C] = {}
        self.others = 0

    @property
    def exact(self) -> bool:
        """True as long as no name was forgotten."""
        return self.others == 0

    def __len__(self) -> int:
        return len(self._names)

    def entry(self, name: str) -> C:
        """Find what stands beside a name, which is added where it is new."""
        found = self._names.get(name)
        if found is None:
            if len(self._names) >= self._most:
                self._forget()
            found = self._names[name] = self._make()
        return found

    def most_frequent(self, number: int) -> list[tuple[str, C]]:
        """List the names with the most rows; of equals the first in the alphabet."""
        return heapq.nsmallest(number, self._names.items(), key=lambda item: (-item[1].rows, item[0]))

    def merge(self, other: BoundedTable[C]) -> None:
        """Take everything into account that the other has."""
        self.others += other.others
        for name, counted in other._names.items():
            self.entry(name).merge(counted)

    def _forget(self) -> None:
        # Half at once: to find the rarest of all for each new name would cost a pass over the table each time.
        kept = self.most_frequent(self._most // 2)
        self.others += sum(counted.rows for counted in self._names.values()) - sum(each.rows for _, each in kept)
        self._names = dict(kept)


class Largest(Generic[T]):
    """Keeps the `most` largest of what is added, by a key that decides alone: equal keys are equal things."""

    def __init__(self, most: int, key: Callable[[T], tuple[float, str]]) -> None:
        self._most = most
        self._key = key
        self._heap: list[tuple[float, str, int, T]] = []
        self._added = 0

    def add(self, thing: T) -> None:
        """Keep it, if it is large enough."""
        size, name = self._key(thing)
        # Things need not be comparable: among equals the order in which they came decides, and never the thing.
        self._added += 1
        item = (size, name, self._added, thing)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, item)
        elif item > self._heap[0]:
            heapq.heapreplace(self._heap, item)

    def extend(self, things: Iterable[T]) -> None:
        """Keep those of them that are large enough."""
        for thing in things:
            self.add(thing)

    def in_order(self) -> list[T]:
        """List what was kept, the largest first."""
        return [item[3] for item in sorted(self._heap, key=lambda item: (-item[0], item[1]))]
