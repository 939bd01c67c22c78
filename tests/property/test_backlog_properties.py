"""The estimate of the backlog: what it says, and when it says nothing."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.metrics.backlog import RECENT_ANSWERS, STALE, Backlog

# What happened between two looks: the time of the slots, and the records answered. A clock has microseconds.
looks = st.lists(st.tuples(st.integers(0, 10**9).map(lambda us: us / 1e6), st.integers(0, 5_000)), max_size=20)
slots = st.integers(1, 64)
offsets = st.dictionaries(st.integers(0, 20), st.integers(0, 2**40), max_size=8)


def worked(backlog: Backlog, history: list[tuple[float, int]]) -> None:
    seconds, answers = 0.0, 0
    for more_seconds, more_answers in history:
        seconds += more_seconds
        answers += more_answers
        backlog.worked(seconds, answers)


@given(looks, slots)
def test_no_backlog_takes_no_time_and_an_unknown_one_an_unknown_time(
    history: list[tuple[float, int]], number: int
) -> None:
    backlog = Backlog(number)
    worked(backlog, history)
    assert backlog.seconds(0) == 0.0
    assert backlog.seconds(None) is None


@given(looks, slots, st.integers(1, 10**9))
def test_a_time_is_known_as_soon_as_a_record_was_answered_and_not_before(
    history: list[tuple[float, int]], number: int, records: int
) -> None:
    backlog = Backlog(number)
    worked(backlog, history)
    seconds = backlog.seconds(records)
    if not any(answers for _, answers in history):
        assert seconds is None
    else:
        assert seconds is not None
        assert seconds >= 0
        assert math.isfinite(seconds)


@given(looks, slots, st.integers(1, 10**6), st.integers(1, 100))
def test_it_grows_with_the_records_and_shrinks_with_the_slots(
    history: list[tuple[float, int]], number: int, records: int, times: int
) -> None:
    one, many = Backlog(number), Backlog(number * times)
    for backlog in (one, many):
        worked(backlog, history)
    seconds = one.seconds(records)
    if seconds is not None:
        assert math.isclose(one.seconds(records * times) or 0, seconds * times, rel_tol=1e-9)
        assert math.isclose((many.seconds(records) or 0) * times, seconds, rel_tol=1e-9)


@given(st.floats(0.001, 600), st.lists(st.integers(1, 3_000), min_size=1, max_size=30), slots, st.integers(1, 10**6))
def test_where_every_record_takes_as_long_the_mean_is_that(
    each: float, answers: list[int], number: int, records: int
) -> None:
    backlog = Backlog(number)
    worked(backlog, [(each * count, count) for count in answers])
    seconds = backlog.seconds(records)
    assert seconds is not None
    assert math.isclose(seconds, records * each / number, rel_tol=1e-6)


@given(st.floats(0.01, 60), st.floats(0.01, 60), slots)
def test_what_is_long_past_counts_no_more(before: float, now: float, number: int) -> None:
    backlog = Backlog(number)
    worked(backlog, [(before * 50_000, 50_000), *[(now * 1_000, 1_000)] * 20])
    seconds = backlog.seconds(number)
    assert seconds is not None
    # Of what was before there is exp(-20) left, of a mean that may have been thousands of times as large.
    assert math.isclose(seconds, now, rel_tol=1e-3)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), min_size=1, max_size=20))
def test_it_hardly_matters_how_often_one_looks(history: list[tuple[float, int]]) -> None:
    often, once = Backlog(1), Backlog(1)
    worked(often, history)
    worked(once, [(sum(seconds for seconds, _ in history), sum(answers for _, answers in history))])
    answered = sum(answers for _, answers in history)
    # At most so much has faded between the first look and the last.
    assert math.isclose(
        often.seconds(1) or 0, once.seconds(1) or 0, rel_tol=math.exp(2 * answered / RECENT_ANSWERS) - 1, abs_tol=1e-9
    )


@given(offsets, offsets, st.integers(0, 10_000), st.floats(0, STALE * 0.999))
def test_the_records_are_those_beyond_the_positions_and_those_in_flight(
    ends: dict[int, int], positions: dict[int, int], in_flight: int, later: float
) -> None:
    backlog = Backlog(1)
    backlog.heard(ends, 1000.0)
    records = backlog.records(positions, in_flight, 1000.0 + later)
    if positions.keys() <= ends.keys():
        # A position beyond the end that was heard before: the partition has grown since.
        assert records == in_flight + sum(max(0, ends[each] - position) for each, position in positions.items())
    else:
        assert records is None, "a partition whose end nobody has told must not count as empty"


@given(offsets, st.floats(STALE, 10**6))
def test_what_the_brokers_said_long_ago_counts_as_unknown(ends: dict[int, int], later: float) -> None:
    backlog = Backlog(1)
    backlog.heard(ends, 1000.0)
    records = backlog.records(ends, 0, 1000.0 + later + 1e-6)
    # A worker without partitions has no backlog, and needs nobody to tell.
    assert records == (0 if not ends else None)


def test_before_anything_was_heard_only_a_worker_without_partitions_knows_its_backlog() -> None:
    backlog = Backlog(2)
    assert backlog.records({}, 0, 0.0) == 0
    assert backlog.records({0: 0}, 0, 0.0) is None
    # Right after a machine has started its monotonic clock is near 0.
    assert backlog.records({0: 0}, 0, 1.0) is None


@given(st.floats(0.001, 10**6), st.integers(1, 10**5), st.integers(1, 20))
def test_time_that_was_spent_before_the_answer_came_is_not_lost(spent: float, answers: int, looked: int) -> None:
    backlog = Backlog(1)
    for part in range(1, looked + 1):
        backlog.worked(spent * part / looked, 0)
    backlog.worked(spent, answers)
    assert math.isclose(backlog.seconds(answers) or 0, spent, rel_tol=1e-9)
