"""Tells how a worker is as a whole: starting, joining, serving, without a broker, draining; and whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from streamverify.bus.liveness import OUTAGE_GRACE

if TYPE_CHECKING:
    from streamverify.bus.liveness import BrokerWatch
    from streamverify.core.delivery.partitions import Partitions
    from streamverify.runtime import Signals


class StartStep(Enum):
    """The steps of a start; `ConditionReport` has the diagram."""

    STARTING = auto()
    IMPORTING = auto()
    """HTTP is answered, and headers are imported: the partitions of a member would wait for that."""
    JOINING = auto()
    """The worker is a member of its group, or about to be one. It serves when its partitions are restored."""


@dataclass(frozen=True, slots=True)
class WorkerCondition:
    """The condition of a worker as a whole."""

    state: str
    ready: bool
    problem: str | None
    """The reason why the worker does not work, in words; None where it does."""


class ConditionReport:
    """Tells how one worker is, from where its start has come to and from what its parts know.

    STARTING ──> IMPORTING ──> JOINING ── all partitions are restored ──> (serving)
                                       <── a rebalance ──
    JOINING or serving ── no broker answers ──> (no_broker) ── one answers ──> as before
    any ── a signal ──> (draining), for good
    """

    def __init__(self, signals: Signals, partitions: Partitions, brokers: BrokerWatch, *, group: str) -> None:
        """`group`: the name of the worker's consumer group."""
        self._step = StartStep.STARTING
        self._signals = signals
        self._partitions = partitions
        self._brokers = brokers
        self._group = group

    def start_came_to(self, step: StartStep) -> None:
        """Note that the start has come to this step."""
        self._step = step

    def now(self) -> WorkerCondition:
        """Return the condition. A worker that is not ready is taken out of service by its supervisor."""
        # In this order: the first that holds says why nothing is taken, whatever else there is.
        joining = self._step is StartStep.JOINING
        if self._signals.drain.is_set():
            problem = "the worker drains: it finishes what runs, and takes nothing more"
            return WorkerCondition("draining", ready=False, problem=problem)
        if outage := self._brokers.outage:
            # A broker that restarts is no reason to take the worker out of service; a long outage is.
            ready = self._brokers.seconds_without_broker <= OUTAGE_GRACE
            return WorkerCondition("no_broker" if joining else "starting", ready=ready, problem=outage)
        if self._partitions.are_restored:
            return WorkerCondition("serving", ready=True, problem=None)
        words = {
            StartStep.STARTING: "the worker starts",
            StartStep.IMPORTING: "headers are being imported before the worker joins its group",
            StartStep.JOINING: f"the worker has not got its partitions from the group {self._group} yet",
        }
        return WorkerCondition("joining" if joining else "starting", ready=False, problem=words[self._step])

    def is_ready(self) -> bool:
        """Tell whether the worker is ready."""
        return self.now().ready
