"""Values and axes of the drawn dashboards, as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quantities import ticks, written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.0021, "s", "2.1 ms"),
        (90.0, "s", "1.5 min"),
        (7200.0, "s", "2 h"),
        (0.0, "bytes", "0 B"),
        (1536.0, "bytes", "1.5 KiB"),
        (3 * 2.0**30, "bytes", "3 GiB"),
        (0.837, "percentunit", "83.7 %"),
        (15.42, "suffix:/s", "15.4/s"),
        (1400.0, "suffix:/s", "1.4 k/s"),
        (1100.0, "short", "1.1 k"),
        (100.0, "short", "100"),
        (0.0, "short", "0"),
    ],
)
def test_a_value_is_written_short(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


@given(st.floats(1e-3, 1e7), st.sampled_from(["s", "bytes", "short", "percentunit", "suffix:/s"]))
def test_an_axis_has_a_few_values_from_zero_on(top: float, unit: str) -> None:
    values = ticks(top, unit)
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] <= top * (1 + 1e-9)
    assert len(values) <= 7
