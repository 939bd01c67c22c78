"""What holds of the partitioner whatever is sent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.partitioning import Affinity, RecentCounts, affinity_key, rendezvous

keys = st.integers(0, 10**9).map(lambda number: affinity_key(f"import M{number}\n"))
few_keys = st.integers(0, 12).map(lambda number: f"{number:032x}".encode())


@given(keys, st.integers(1, 60), st.integers(1, 60))
def test_partitions_that_are_added_only_win(key: bytes, before: int, added: int) -> None:
    old, new = rendezvous(key, before), rendezvous(key, before + added)
    assert new == old or new >= before


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_headers_are_balanced(first: int, partitions: int) -> None:
    number = partitions * 60
    counts = Counter(rendezvous(f"{first + step:032x}".encode(), partitions) for step in range(number))
    assert len(counts) == partitions
    assert max(counts.values()) < 60 + 6 * 60**0.5


@given(st.integers(0, 10**6), st.integers(2, 24))
def test_one_more_partition_moves_its_own_part(first: int, partitions: int) -> None:
    made = [f"{first + step:032x}".encode() for step in range(1000)]
    moved = sum(rendezvous(key, partitions) != rendezvous(key, partitions + 1) for key in made)
    expected = 1000 / (partitions + 1)
    assert abs(moved - expected) < 6 * expected**0.5 + 1


@given(st.lists(few_keys, max_size=400), st.integers(1, 8))
def test_a_count_is_never_too_high_nor_far_too_low(sent: list[bytes], counters: int) -> None:
    counts = RecentCounts(counters, window=10**9)
    exact: Counter[bytes] = Counter()
    for key in sent:
        known = counts.add(key)
        exact[key] += 1
        assert exact[key] - counts.total / (counters + 1) <= known <= exact[key]
        assert len(counts) <= counters


@given(st.lists(few_keys, max_size=600), st.integers(1, 6), st.integers(2, 50))
def test_memory_is_bounded_and_the_past_fades(sent: list[bytes], counters: int, window: int) -> None:
    counts = RecentCounts(counters, window)
    for key in sent:
        assert counts.add(key) <= counts.total
        assert len(counts) <= counters
        assert counts.total < window


@given(st.integers(1, 32), st.integers(0, 1000), st.lists(few_keys, max_size=200))
def test_a_hot_header_is_spread_evenly_whatever_comes_between(partitions: int, start: int, others: list[bytes]) -> None:
    hot = b"f" * 32
    numbers = list(range(partitions))
    affinity = Affinity(start)
    seen: Counter[int] = Counter()
    for step in range(len(others) + partitions * 4):
        for key in [hot, *others[step : step + 1], hot]:
            chosen = affinity.choose(key, numbers, numbers)
            assert chosen in numbers
            if key == hot:
                seen[chosen] += 1
    assert max(seen.values()) - min(seen[number] for number in numbers) <= 1


@given(st.integers(2, 24), st.integers(0, 2**32))
def test_a_header_of_the_tail_always_goes_to_the_same_partition(partitions: int, first: int) -> None:
    """With three times as many equally frequent headers as partitions none has half of a partition's share."""
    numbers = list(range(partitions))
    made = [f"{first + step:032x}".encode() for step in range(partitions * 3)]
    affinity = Affinity()
    for _ in range(2):
        for key in made:
            affinity.choose(key, numbers, numbers)
    for _ in range(5):
        for key in made:
            assert affinity.choose(key, numbers, numbers) == rendezvous(key, partitions)
