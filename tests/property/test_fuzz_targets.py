"""The fuzz targets on Hypothesis' examples, on their seeds, and on seeds with something changed."""

from __future__ import annotations

import pytest
from fuzz.targets import TARGETS, seeds
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_there_and_hold(name: str) -> None:
    found = seeds(name)
    assert found
    for seed in found:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_hold(name: str) -> None:
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_with_something_changed_holds(name: str) -> None:
    known = seeds(name)

    @given(st.sampled_from(known), st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=20))
    def check(seed: bytes, start: int, length: int, instead: bytes) -> None:
        at = start % (len(seed) + 1)
        TARGETS[name](seed[:at] + instead + seed[at + length :])

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_two_seeds_after_one_another_hold(name: str) -> None:
    known = seeds(name)

    @given(st.sampled_from(known), st.sampled_from(known), st.integers(0, 2000), st.integers(0, 2000))
    def check(one: bytes, other: bytes, end: int, start: int) -> None:
        TARGETS[name](one[: end % (len(one) + 1)] + other[start % (len(other) + 1) :])

    check()
