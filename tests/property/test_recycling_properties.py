"""Whatever the proofs leave behind: a worn process is seen in time, and is looked at no more often than it must."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.scheduling.recycling import MAX_PROOFS_BETWEEN_LOOKS, Wear, WearLimits

MIB = 1024**2
LIMIT = 4096 * MIB

sizes = st.integers(0, LIMIT)


@given(first=sizes, leaks=st.lists(st.integers(0, 64 * MIB), max_size=300), uses=st.integers(1, 500))
def test_it_ends_for_one_of_the_two_reasons_and_looks_often_enough(first: int, leaks: list[int], uses: int) -> None:
    wear, memory, since = Wear(WearLimits(LIMIT, uses), first), first, 0
    seen = first
    for number, leak in enumerate(leaks, start=1):
        memory += leak
        since += 1
        if wear.used():
            wear.look(memory)
            seen, since = memory, 0
        assert since < MAX_PROOFS_BETWEEN_LOOKS
        assert (wear.worn is not None) == (seen > wear.allowed or number >= uses)
        if wear.worn:
            break


@given(first=st.integers(0, LIMIT // 2), leak=st.integers(1, 16 * MIB))
def test_a_steady_leak_never_reaches_the_limit(first: int, leak: int) -> None:
    wear, memory = Wear(WearLimits(LIMIT), first), first
    while not wear.worn:
        memory += leak
        if wear.used():
            wear.look(memory)
        assert memory <= LIMIT


@given(first=sizes, looks=st.lists(sizes, min_size=1, max_size=50))
def test_what_is_allowed_lies_between_the_import_and_the_limit(first: int, looks: list[int]) -> None:
    wear = Wear(WearLimits(LIMIT), first)
    for memory in looks:
        wear.used()
        wear.look(memory)
        assert first <= wear.allowed <= LIMIT
