"""Identical work that is on its way at once: one job leads, the others follow and get its verdict. Pure.

    enter ── nobody leads ──> LEADS ── ended ──> out, and with it every follower
          ── somebody does ──> FOLLOWS ── leave ──> out
    LEADS ── step_down ──> out; the first that follows LEADS

A follower is nowhere else: whoever has the table sees to it that each gets an answer or is started.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

J = TypeVar("J", bound=Hashable)


class InFlight(Generic[J]):
    """The jobs that lead, and who follows each."""

    def __init__(self) -> None:
        self._works: dict[Hashable, tuple[J, OrderedDict[J, None]]] = {}
        self._leads: dict[J, Hashable] = {}
        self._follows: dict[J, Hashable] = {}

    @property
    def following(self) -> int:
        """The number of jobs that wait for another's verdict."""
        return len(self._follows)

    def enter(self, work: Hashable, job: J) -> bool:
        """Take a job in. Returns whether it leads, and is to be run; else it waits for the one that does."""
        if work not in self._works:
            self._works[work] = job, OrderedDict()
            self._leads[job] = work
            return True
        self._works[work][1][job] = None
        self._follows[job] = work
        return False

    def ended(self, job: J) -> list[J]:
        """The verdict of a job is there. Returns who followed it, in the order in which they came; all are out now."""
        work = self._leads.pop(job, None)
        if work is None:
            return []
        followers = list(self._works.pop(work)[1])
        for each in followers:
            del self._follows[each]
        return followers

    def step_down(self, job: J) -> J | None:
        """A job ends without a verdict that others could have. Returns the one that leads now, and is to be run."""
        work = self._leads.pop(job, None)
        if work is None:
            return None
        followers = self._works.pop(work)[1]
        if not followers:
            return None
        successor, _ = followers.popitem(last=False)
        del self._follows[successor]
        self._works[work] = successor, followers
        self._leads[successor] = work
        return successor

    def leave(self, doomed: Callable[[J], bool]) -> list[J]:
        """Take those that follow and that `doomed` names out, and return them."""
        # A list first: the mapping must not change while it is walked.
        gone = [job for job in self._follows if doomed(job)]
        for job in gone:
            del self._works[self._follows.pop(job)][1][job]
        return gone
