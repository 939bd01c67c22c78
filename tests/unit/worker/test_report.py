"""What a worker says of its work, in the log and at `/ready`."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from streamverify.core.activity import EVERY, Activity
from streamverify.core.messages.models import Reason
from streamverify.worker import report
from streamverify.worker.report import Reporter


def reporter(activity: Activity, *, unread: int | None = 40) -> Reporter:
    async def asked() -> int | None:
        return unread

    pool, runner = SimpleNamespace(running=1), SimpleNamespace(queued=3)
    partitions = SimpleNamespace(flow=SimpleNamespace(in_flight=4), restored=lambda: frozenset({1, 2}))
    parts: dict[str, Any] = {"partitions": partitions, "consumer": SimpleNamespace(unread=asked)}
    return Reporter(activity, slots=2, pool=cast("Any", pool), runner=cast("Any", runner), **parts)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "LOOK_SECONDS", 0.001)


@pytest.mark.parametrize(("unread", "lag"), [(40, 44), (None, None)])
async def test_a_line_says_what_was_done_how_fast_and_what_is_left(unread: int | None, lag: int | None) -> None:
    # It began a minute before the clock's zero, so a report is due.
    activity = Activity(asyncio.get_running_loop().time() - EVERY)
    for reason in (Reason.OK, Reason.OK, Reason.SORRY, Reason.TIMEOUT):
        activity.answered(reason)
    activity.dead_letter()
    with capture_logs() as logs:
        running = asyncio.create_task(reporter(activity, unread=unread).run())
        while not logs:
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    [line] = logs
    assert line["event"] == "worked"
    assert (line["verified"], line["rejected"], line["inconclusive"], line["dead_letters"]) == (2, 1, 1, 1)
    assert line["reasons"] == {"ok": 2, "sorry": 1, "timeout": 1}
    assert (line["slots_busy"], line["queued"], line["lag"]) == ("1/2", 3, lag)
    assert 0 < line["per_second"] < 0.1


def test_what_was_done_since_the_last_line_is_said_at_the_end() -> None:
    activity = Activity(0.0)
    says = reporter(activity)
    with capture_logs() as logs:
        says.last()
        activity.answered(Reason.OK)
        says.last()
        says.last()
    assert [(each["event"], each["verified"]) for each in logs] == [("worked", 1)]
    assert says.counters()["answered"] == {"verified": 1, "rejected": 0, "inconclusive": 0}
    assert says.counters()["partitions"] == 2
