"""Whatever is logged and when: of each kind few lines, and every event is either logged or counted."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.log import log_storms
from streamverify.core.log.log_storms import LogStorms

events = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.0, 0.001, 1.0, 9.0, 10.0, 35.0])), max_size=200)


@given(events, st.integers(0, 5))
def test_every_event_is_logged_or_counted_and_few_are_logged(steps: list[tuple[str, float]], first: int) -> None:
    storms: LogStorms[str] = LogStorms(first, interval=10.0)
    now = 0.0
    came: Counter[str] = Counter()
    logged: dict[str, list[float]] = {}
    counted: Counter[str] = Counter()
    for kind, later in steps:
        now += later
        for each in storms.due(now):
            assert each.events > 0
            assert each.seconds >= 10.0
            counted[each.kind] += each.events
        came[kind] += 1
        if storms.may_pass(kind, now):
            logged.setdefault(kind, []).append(now)
        else:
            # The first of a kind are always logged, and nothing is suppressed before so many were.
            assert len([time for time in logged.get(kind, []) if now - time < 10.0]) == first
    for each in storms.all_due(now):
        counted[each.kind] += each.events
    assert storms.all_due(now) == []
    for kind, count in came.items():
        times = logged.get(kind, [])
        assert len(times) + counted[kind] == count
        for at in range(len(times) - first):
            assert times[at + first] - times[at] >= 0
        # In any interval at most the first ones of two that touch it.
        for time in times:
            assert len([other for other in times if time <= other < time + 10.0]) <= 2 * first


@given(st.integers(1, 3 * log_storms.MAX_KINDS))
def test_a_storm_of_kinds_is_bounded_too(kinds: int) -> None:
    storms: LogStorms[int] = LogStorms(1)
    counted = 0
    for kind in range(kinds):
        for _ in range(2):
            counted += sum(each.events for each in storms.due(0.0))
            storms.may_pass(kind, 0.0)
    assert len(storms._intervals) <= log_storms.MAX_KINDS
    assert counted + sum(each.events for each in storms.all_due(0.0)) == kinds
