"""How a worker is as a whole, as `/ready`, `/status` and the metrics say it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from streamverify.bus.liveness import OUTAGE_GRACE, BrokerWatch
from streamverify.core.delivery.partitions import Partitions
from streamverify.runtime import Signals
from streamverify.worker.condition import ConditionReport, StartStep


class Case:
    def __init__(self, step: StartStep = StartStep.JOINING, outage: str | None = None, seconds: float = 0.0) -> None:
        self.signals, self.partitions = Signals(), Partitions("t")
        self.brokers = SimpleNamespace(outage=outage, seconds_without_broker=seconds)
        self.report = ConditionReport(self.signals, self.partitions, cast("BrokerWatch", self.brokers), group="g")
        self.report.start_came_to(step)


@pytest.mark.parametrize(
    ("step", "state", "words"),
    [
        (StartStep.STARTING, "starting", "the worker starts"),
        (StartStep.IMPORTING, "starting", "headers are being imported"),
        (StartStep.JOINING, "joining", "from the group g yet"),
    ],
)
async def test_until_its_partitions_are_restored_it_says_what_it_does(step: StartStep, state: str, words: str) -> None:
    condition = Case(step).report.now()
    assert (condition.state, condition.ready) == (state, False)
    assert words in str(condition.problem)


async def test_with_its_partitions_it_serves_until_the_group_takes_them_back() -> None:
    case = Case()
    case.partitions.assign([])
    assert (case.report.now().state, case.report.is_ready(), case.report.now().problem) == ("serving", True, None)
    case.partitions.revoke()
    assert (case.report.now().state, case.report.is_ready()) == ("joining", False)


@pytest.mark.parametrize("restored", [True, False])
async def test_an_outage_counts_only_after_its_grace_time(restored: bool) -> None:  # noqa: FBT001 - a case
    case = Case(outage="no broker answers", seconds=OUTAGE_GRACE)
    if restored:
        case.partitions.assign([])
    condition = case.report.now()
    assert (condition.state, condition.ready, condition.problem) == ("no_broker", True, "no broker answers")
    case.brokers.seconds_without_broker += 1
    assert not case.report.is_ready()


async def test_before_it_joins_an_outage_is_a_part_of_its_start() -> None:
    condition = Case(StartStep.IMPORTING, outage="no broker answers").report.now()
    assert (condition.state, condition.problem) == ("starting", "no broker answers")


async def test_a_worker_that_drains_says_so_whatever_else_there_is() -> None:
    case = Case(outage="no broker answers")
    case.partitions.assign([])
    case.signals.drain.set()
    condition = case.report.now()
    assert (condition.state, condition.ready) == ("draining", False)
    assert "drains" in str(condition.problem)
