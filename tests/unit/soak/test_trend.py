"""What a soak calls a leak, and what it does not."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from soak.judgement import ALLOWED, OUTAGE, judge_lives, judge_open
from soak.trend import FEWEST, trend

HOUR = 3600


def series(figure: object, seconds: int = HOUR, every: int = 2) -> list[tuple[float, float]]:
    return [(float(at), float(figure(at))) for at in range(0, seconds, every)]  # type: ignore[operator]


def noisy(seed: int, size: float) -> list[float]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [rng.gauss(0, size) for _ in range(HOUR)]


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_leak_and_a_leak_in_noise_is_one(seed: int) -> None:
    noise = noisy(seed, 5.0)
    flat = trend(series(lambda at: 100 + noise[at]))
    assert not flat.grows(1.0)
    # 16 MiB an hour, of which the half that is looked at has eight.
    leak = trend(series(lambda at: 100 + noise[at] + 16 * at / HOUR))
    assert leak.grows(5.0)
    assert leak.growth == pytest.approx(8.0, abs=1.5)
    assert not leak.grows(12.0)


def test_what_warms_up_and_then_stays_is_no_leak() -> None:
    noise = noisy(9, 1.0)
    warming = trend(series(lambda at: 100 + 80 * (1 - math.exp(-at / 300)) + noise[at]))
    assert not warming.grows(1.0)


def test_bursts_are_no_leak_wherever_they_are() -> None:
    noise = noisy(3, 0.5)
    # Twenty times memory of ten seconds, more often towards the end.
    bursts = {HOUR - 5 * number**2 for number in range(20)}
    bursty = trend(series(lambda at: 100 + noise[at] + 300 * any(0 <= at - begin < 10 for begin in bursts)))
    assert not bursty.grows(1.0)


def test_a_descriptor_that_is_lost_at_each_fault_is_a_leak() -> None:
    lost = trend(series(lambda at: 40 + at // 180))
    assert lost.grows(ALLOWED["descriptors"])
    assert not trend(series(lambda at: 40 + (at > 2000))).grows(ALLOWED["descriptors"])


def test_what_falls_does_not_grow() -> None:
    falling = trend(series(lambda at: 100 - at / 100))
    assert falling.growth == pytest.approx(-18, abs=1.5)
    assert not falling.grows(0.0)


@pytest.mark.parametrize("samples", [[], [(0.0, 1.0)], [(0.0, 1.0)] * 9, series(lambda at: at, seconds=4, every=2)])
def test_of_too_few_samples_nothing_is_said(samples: list[tuple[float, float]]) -> None:
    seen = trend(samples)
    assert not seen.known
    assert not seen.grows(0.0)


figures = st.lists(st.integers(0, 10**6), min_size=60, max_size=120)


@given(figures, st.sampled_from([0.25, 2.0, 1024.0]), st.integers(-1000, 1000))
def test_a_trend_does_not_depend_on_the_unit_nor_on_where_zero_is(drawn: list[int], unit: float, zero: int) -> None:
    seen = trend([(float(at), figure) for at, figure in enumerate(drawn)])
    other = trend([(float(at), (figure + zero) * unit) for at, figure in enumerate(drawn)])
    assert seen.windows >= FEWEST
    assert 0 <= seen.chance <= 1
    assert other.chance == seen.chance
    assert other.growth == pytest.approx(seen.growth * unit, rel=1e-9, abs=1e-6)
    assert not (seen.grows(0.0) and trend([(float(at), -figure) for at, figure in enumerate(drawn)]).grows(0.0))


@given(st.floats(0, 1e6), st.integers(60, 300))
def test_a_figure_that_stays_has_no_trend(figure: float, count: int) -> None:
    seen = trend([(float(at), figure) for at in range(count)])
    assert (seen.growth, seen.chance) == (0.0, 1.0)
    assert not seen.grows(0.0)


@given(st.floats(0.01, 100), st.integers(100, 400))
def test_a_steady_rise_is_always_found(slope: float, count: int) -> None:
    seen = trend([(float(at), slope * at) for at in range(count)])
    assert seen.grows(0.9 * slope * count / 2 * 0.9)
    assert not seen.grows(slope * count)


def test_only_processes_that_lived_long_enough_are_judged_and_one_must_have() -> None:
    long = {name: series(lambda _: 10.0) for name in ALLOWED}
    short = {name: series(lambda at: at, seconds=600) for name in ALLOWED}
    assert all(finding.ok for finding in judge_lives({"long": long, "short": short}, HOUR))
    assert len(judge_lives({"long": long, "short": short}, HOUR)) == 3
    nobody = judge_lives({"short": short}, HOUR)
    assert [finding.ok for finding in nobody] == [False] * 3
    leaking = judge_lives({"long": long | {"threads": series(lambda at: 5 + at // 600)}}, HOUR)
    assert [finding.what for finding in leaking if not finding.ok] == ["threads of long"]


def test_waiting_requests_are_bounded() -> None:
    rate = 200.0
    outages = series(lambda at: 4_000 if at % 300 < 20 else 50)
    assert all(finding.ok for finding in judge_open(outages, rate))
    behind = judge_open(series(lambda at: at * 2), rate)
    assert [finding.ok for finding in behind] == [True, False]
    lost = judge_open(series(lambda at: OUTAGE * rate + 1 if at == 1800 else 0), rate)
    assert [finding.ok for finding in lost] == [False, True]
    assert [finding.ok for finding in judge_open([], rate)] == [True, False]
