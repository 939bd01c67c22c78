"""When a worker reports what it has done, and that no answer is missing in its reports or counted twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.activity import EVERY, IDLE_EVERY, Activity
from streamverify.core.messages.models import OUTCOMES, Reason

STEP = 5.0


@given(st.lists(st.tuples(st.lists(st.sampled_from([*Reason, None]), max_size=4), st.integers(0, 2))))
def test_the_reports_have_every_answer_once_and_come_in_time(steps: list[tuple[list[Reason | None], int]]) -> None:
    activity, now, last = Activity(0.0), 0.0, 0.0
    reported: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for answers, running in steps:
        for reason in answers:
            if reason is None:
                activity.dead_letter()
                done["dead"] += 1
            else:
                activity.answered(reason)
                done[reason] += 1
        now += STEP
        report = activity.report(now, running=running)
        unreported = done - reported
        if report is None:
            assert now - last < (EVERY if unreported or running else IDLE_EVERY)
            continue
        assert report.seconds == now - last >= EVERY
        assert Counter(report.by_reason()) + Counter(dead=report.dead_letters) == unreported
        assert sum(report.by_status().values()) == report.total == report.per_second * report.seconds
        reported, last = done.copy(), now
    if report := activity.report(now, running=0, last=True):
        assert Counter(report.by_reason()) + Counter(dead=report.dead_letters) == done - reported
    else:
        assert done == reported
    total = activity.so_far(now)
    assert Counter(total.by_reason()) + Counter(dead=total.dead_letters) == done


def test_counts_by_status_and_the_most_frequent_reason_first() -> None:
    activity = Activity(0.0)
    for reason in (Reason.SORRY, Reason.OK, Reason.OK, Reason.TIMEOUT, Reason.SORRY, Reason.SORRY):
        activity.answered(reason)
    done = activity.so_far(2.0)
    assert done.by_status() == {"verified": 2, "rejected": 3, "inconclusive": 1}
    assert list(done.by_reason()) == ["sorry", "ok", "timeout"]
    assert done.per_second == 3.0
    assert {OUTCOMES[reason].status.value for reason in Reason} <= done.by_status().keys()


def test_cached_answers_are_counted_apart_and_once() -> None:
    activity = Activity(0.0)
    activity.answered(Reason.OK)
    activity.answered(Reason.OK, cached=True)
    first = activity.report(EVERY, running=0)
    assert first is not None
    assert (first.total, first.cached) == (2, 1)
    activity.answered(Reason.OK)
    second = activity.report(2 * EVERY, running=0)
    assert second is not None
    assert (second.total, second.cached) == (1, 0)
    assert activity.so_far(2 * EVERY).cached == 1
