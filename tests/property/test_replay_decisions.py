"""The decisions of a replay: its pace, where it reads on, which types columns have, how long it will take."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.datasets.forecast import Forecast, in_words
from streamverify.core.datasets.inference import Inference, Type, as_text
from streamverify.core.datasets.pace import Pace
from streamverify.core.datasets.resume import (
    CLOCKS,
    OpenRequest,
    OpenRequests,
    differences,
    number_of,
    request_id,
    where_to_read,
)

SECONDS = st.floats(0, 5)


@given(st.integers(1, 20), st.lists(st.booleans(), max_size=80))
def test_a_closed_loop_never_has_more_unanswered_and_never_waits_for_less(most: int, answers: list[bool]) -> None:
    pace, unanswered, now = Pace(in_flight=most), 0, 0.0
    for answer in answers:
        now += 0.1
        unanswered -= answer and unanswered > 0
        wait = pace.wait(now, unanswered)
        assert (wait is None) == (unanswered >= most)
        if wait is not None:
            assert wait == 0.0
            assert pace.sent(now) == now
            unanswered += 1
    assert (pace.behind, pace.held_back, pace.complaint()) == (0.0, 0, None)


@given(st.floats(0.1, 1000), SECONDS, st.lists(SECONDS, min_size=1, max_size=60))
def test_an_open_loop_sends_each_at_its_moment_however_long_something_took(
    rate: float, start: float, pauses: list[float]
) -> None:
    pace, now = Pace(rate=rate), start
    for number, pause in enumerate(pauses):
        wait = pace.wait(now, 10)
        assert wait is not None
        now += wait
        due = pace.sent(now)
        # Its moment is by the rate alone, whatever was late before: a request behind a queue counts from there.
        assert math.isclose(due, start + number / rate, abs_tol=1e-6)
        assert due <= now + 1e-9
        assert pace.behind >= now - due - 1e-9
        now += pause
    assert pace.held_back == 0


def test_an_open_loop_that_falls_behind_says_so_and_not_all_the_time() -> None:
    pace = Pace(rate=10, max_unanswered=5)
    said = []
    for number in range(100):
        assert pace.wait(float(number), 0) is not None
        pace.sent(float(number))
        said.append(pace.complaint())
    told = [text for text in said if text]
    assert 5 <= len(told) <= 8
    assert "behind --rate 10: they cannot be sent so fast" in told[0]
    assert pace.wait(200.0, 5) is None
    assert pace.held_back == 1
    pace.sent(900.0)
    assert "5 requests are unanswered, and no more are held" in (pace.complaint() or "")


@given(st.integers(0, 10**12), st.text(alphabet="0123456789abcdef", min_size=1, max_size=16), st.text(max_size=20))
def test_a_request_id_names_one_attempt_of_one_replay(number: int, replay: str, other: str) -> None:
    name = request_id(replay, number)
    assert number_of(replay, name) == number
    assert number_of(replay + "0", name) is None
    assert number_of(replay, f"{replay}-{number}-1") is None
    assert number_of(replay, other) is None or other.startswith(f"{replay}-")
    assert number_of(replay, f"{replay}-\u0664") is None


OFFSETS = st.dictionaries(st.integers(0, 3), st.integers(0, 20))


@given(OFFSETS, st.dictionaries(st.integers(0, 3), st.tuples(st.integers(0, 15), st.integers(0, 15))))
def test_nothing_unread_is_passed_over(stored: dict[int, int], logs: dict[int, tuple[int, int]]) -> None:
    beginnings = {partition: first for partition, (first, _) in logs.items()}
    ends = {partition: first + count for partition, (first, count) in logs.items()}
    positions, lost = where_to_read(stored, beginnings, ends)
    assert positions.keys() == ends.keys()
    for partition, position in positions.items():
        assert beginnings[partition] <= position <= ends[partition]
        inside = beginnings[partition] <= stored.get(partition, beginnings[partition]) <= ends[partition]
        # All that was not read, or all there is where it is not known what was.
        assert position == (stored.get(partition, beginnings[partition]) if inside else beginnings[partition])
        assert inside or lost
    if set(stored) <= set(ends) and all(beginnings[p] <= offset <= ends[p] for p, offset in stored.items()):
        assert not lost


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40))
def test_the_ledger_takes_one_answer_and_knows_the_oldest(steps: list[tuple[int, bool]]) -> None:
    requests, model, clock = OpenRequests(), dict[int, int](), 10_000_000
    for number, is_answer in steps:
        clock += 1
        if is_answer:
            assert (requests.answered(number) is not None) == (number in model)
            model.pop(number, None)
        elif number not in model:
            requests.sent(number, OpenRequest(0.0, clock, b""))
            model[number] = clock
        assert len(requests) == len(model)
        assert requests.look_from(clock) == min(model.values(), default=clock) - CLOCKS


def test_what_differs_is_named() -> None:
    was = {"source": "a.jsonl", "limit": None, "files": [1]}
    assert differences(was, was) == []
    assert differences(was, {"source": "b\n.jsonl", "limit": 3, "files": [1]}) == [
        "source: was a.jsonl, is b\ufffd.jsonl",
        "limit: was not given, is 3",
    ]
    asked = {"request": {"run": "r", "timeout": 5.0}, "limit": 3}
    assert differences(asked, {"request": {"run": "r"}, "limit": 3}) == ["request.timeout: was 5.0, is not given"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def fits(value: Any, kind: Type) -> bool:  # noqa: PLR0911 - one for each type
    """Whether a column of this type holds the value as it is."""
    match kind.name:
        case "bool":
            return value is None or isinstance(value, bool)
        case "int" | "long":
            return value is None or (type(value) is int and -(2**63) <= value < 2**63)
        case "float":
            return value is None or isinstance(value, float) or (type(value) is int and int(float(value)) == value)
        case "text":
            return value is None or isinstance(value, str)
        case "list":
            return value is None or (isinstance(value, list) and all(fits(each, kind.item or kind) for each in value))
        case "struct":
            return value is None or (
                isinstance(value, dict)
                and all(name in kind.fields and fits(each, kind.fields[name]) for name, each in value.items())
            )
        case _:
            return value is None


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), max_size=5))
def test_every_value_fits_the_type_of_its_column(rows: list[dict[str, Any]]) -> None:
    inference = Inference()
    for row in rows:
        inference.add(row)
    shape = inference.shape()
    assert set(shape.columns) == {name for row in rows for name in row}
    for row in rows:
        for name, value in row.items():
            if name in shape.texts:
                assert shape.columns[name].name == "text"
                assert value is None or isinstance(as_text(value), str)
            else:
                assert not shape.columns[name].is_mixed
                assert fits(value, shape.columns[name])


@given(st.floats(0.5, 5000), st.integers(2, 200), st.floats(0.05, 20))
def test_at_a_steady_rate_the_forecast_is_right(rate: float, count: int, step: float) -> None:
    forecast = Forecast()
    assert (forecast.rate, forecast.left(10)) == (0.0, None)
    for n in range(count):
        forecast.add(n * step, round(n * step * rate * 1000))
    done = round((count - 1) * step * rate * 1000)
    assert forecast.rate == pytest.approx(rate * 1000, rel=0.1)
    assert forecast.left(None) is None
    assert forecast.left(done) == 0.0
    assert forecast.left(done + 10_000) == pytest.approx(10_000 / (rate * 1000), rel=0.1)


def test_lengths_of_time_are_worded_for_people() -> None:
    said = [in_words(seconds) for seconds in (None, 0.4, 89, 240, 7500, 400_000)]
    assert said == ["?", "0 s", "89 s", "4 min", "2 h 5 min", "4 d 15 h"]
