"""The live state of a gateway, against a plain list of what has happened."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.gateway.live import (
    MAX_HEADERS,
    MAX_LAST,
    MAX_OWNERS,
    MAX_REASONS,
    MAX_TEXT,
    OTHER,
    WINDOW,
    LastVerdict,
    LiveState,
    VerdictRate,
    seconds_at_rate,
)
from streamverify.core.messages.models import Timings

RAN = Timings(run=0.5)
WORDS = st.text("abc", min_size=1, max_size=3)


def verdict(name: str, reason: str = "ok") -> LastVerdict:
    return LastVerdict(custom_id=name, status="verified", reason=reason, summary="fine", at=0)


@given(st.lists(st.floats(0, 3), max_size=300), st.floats(0, 200))
def test_the_rate_is_that_of_the_last_minute(pauses: list[float], wait: float) -> None:
    rate, now, times = VerdictRate(), 0.0, []
    for pause in pauses:
        now += pause
        rate.add(now)
        times.append(now)
    now += wait
    # A bucket holds a second, and counts while its beginning lies in the window.
    recent = [time for time in times if int(time) > now - WINDOW]
    expected = len(recent) / max(1.0, now - int(recent[0])) if recent else 0.0
    assert rate.per_second(now) == pytest.approx(expected)
    assert len(rate._buckets) <= WINDOW + 1


@given(st.integers(0, 10**9), st.just(0.0) | st.floats(0.001, 10**6))
def test_a_backlog_takes_as_long_as_its_records_at_that_rate(to_do: int, rate: float) -> None:
    seconds = seconds_at_rate(to_do, rate)
    if to_do == 0:
        assert seconds == 0
    elif rate == 0:
        assert seconds is None, "nobody works: no number would be true"
    else:
        assert seconds is not None
        assert seconds * rate == pytest.approx(to_do)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["ann", "bob"])), max_size=80))
def test_counts_are_of_all_and_the_last_ones_of_each_owner(events: list[tuple[str, str]]) -> None:
    live = LiveState()
    for number, (reason, owner) in enumerate(events):
        one = verdict(str(number), reason)
        live.seen(one, float(number))
        live.answered(one, owner, f"import {owner}", RAN)
    assert live.reasons() == Counter(reason for reason, _ in events)
    newest = [str(number) for number in reversed(range(len(events)))]
    assert [one.custom_id for one in live.last()] == newest[:MAX_LAST]
    for owner in ("ann", "bob"):
        theirs = [name for name in newest if events[int(name)][1] == owner]
        assert [one.custom_id for one in live.last_of(owner)] == theirs[:MAX_LAST]
        assert [header.header for header in live.headers_of(owner)] == [f"import {owner}"] * bool(theirs)
    assert live.last_of("eve") == []
    assert live.headers_of("eve") == []


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([0.0, 2.5]), st.sampled_from([0.0, 0.1]))))
def test_a_header_is_warm_if_the_newest_answer_that_ran_needed_no_import(
    answers: list[tuple[str, float, float]],
) -> None:
    live = LiveState()
    for header, imported, run in answers:
        live.answered(verdict("x"), "", header, Timings(import_=imported, run=run))
    states = {state.header: state for state in live.headers_of("")}
    for name in ("A", "B"):
        ran = [imported for header, imported, run in answers if header == name and (imported or run)]
        assert (name in states) == bool(ran)
        if ran:
            assert states[name].warm == (ran[-1] == 0)
            assert states[name].proofs == len(ran)
            assert states[name].import_seconds == (2.5 if any(ran) else 0)


def test_nothing_grows_without_bound() -> None:
    live = LiveState()
    for number in range(max(MAX_OWNERS, MAX_REASONS, MAX_HEADERS) + 50):
        live.seen(verdict(str(number), f"r{number}"), 0.0)
        live.answered(verdict(str(number)), f"owner {number}", "import A", RAN)
        live.answered(verdict(str(number)), "one", f"import {'A' * MAX_TEXT}{number}", RAN)
        live.answered(verdict(str(number)), "one", f"import {number}", RAN)
    assert len(live._owners) == MAX_OWNERS
    assert len(live.headers_of("one")) == MAX_HEADERS
    assert max(len(state.header) for state in live.headers_of("one")) <= MAX_TEXT
    reasons = live.reasons()
    assert len(reasons) == MAX_REASONS + 1
    assert reasons[OTHER] == MAX_OWNERS + 50 - MAX_REASONS
