"""What holds of the partitioner whatever is sent."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.scheduling.partitioner import (
    NEW,
    RELIEF,
    SLACK,
    Affinity,
    RecentCounts,
    affinity_key,
    first_partitions,
    jump,
    partitions_for,
)

keys = st.integers(0, 10**9).map(lambda number: affinity_key(f"import M{number}\n"))
few_keys = st.integers(0, 12).map(lambda number: f"{number:032x}".encode())


@given(st.integers(0, 2**64 - 1), st.integers(1, 2000))
def test_a_number_moves_to_the_partition_that_is_added_or_stays(number: int, partitions: int) -> None:
    assert 0 <= jump(number, partitions) < partitions
    assert jump(number, partitions + 1) in (jump(number, partitions), partitions)


@given(keys, st.integers(1, 60), st.integers(1, 20))
def test_an_order_has_each_partition_once_and_its_first_stays_or_is_a_new_one(
    key: bytes, before: int, added: int
) -> None:
    old, new = first_partitions(key, before, before), first_partitions(key, before + added, before + added)
    assert sorted(old) == list(range(before))
    assert sorted(new) == list(range(before + added))
    # What comes first stays first, or one that was added does.
    assert new[0] == old[0] or new[0] >= before


@given(keys, st.integers(1, 60), st.integers(1, 60))
def test_the_first_are_the_first_of_the_whole_order(key: bytes, partitions: int, first: int) -> None:
    assert first_partitions(key, partitions, first) == first_partitions(key, partitions, partitions)[:first]


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_headers_are_balanced(first: int, partitions: int) -> None:
    number = partitions * 60
    counts = Counter(first_partitions(f"{first + step:032x}".encode(), partitions)[0] for step in range(number))
    assert len(counts) == partitions
    assert max(counts.values()) < 60 + 6 * 60**0.5


@given(st.integers(0, 10**6), st.integers(2, 24))
def test_one_more_partition_moves_its_own_part(first: int, partitions: int) -> None:
    made = [f"{first + step:032x}".encode() for step in range(1000)]
    moved = sum(first_partitions(key, partitions) != first_partitions(key, partitions + 1) for key in made)
    expected = 1000 / (partitions + 1)
    assert abs(moved - expected) < 6 * expected**0.5 + 1


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 5000))
def test_a_header_gets_its_share_and_half_as_many_more(count: int, total: int, partitions: int) -> None:
    count = min(count, total)
    number = partitions_for(count, total, partitions)
    assert 1 <= number <= partitions
    needed = 3 * count * partitions / (2 * total)
    assert number >= min(partitions, needed)
    assert number < needed + 1 or number == 1


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


def by_specification(sent: list[bytes], starts: list[float]) -> list[int]:
    """Steps 3 to 5 of schemas/partitioner.md as anybody would write them: all counts exact, all partitions seen."""
    partitions = len(starts)
    to, of, chosen = list(starts), Counter[bytes](), []
    places: dict[bytes, list[int]] = {}
    for number, key in enumerate(sent, start=1):
        of[key] += 1
        order = places.setdefault(key, first_partitions(key, partitions, partitions))
        own = math.ceil(Fraction(3 * of[key] * partitions, 2 * number))
        if own >= partitions:
            best = min(range(partitions), key=lambda at: to[at])
        else:
            new = of[key] == 1
            others = max(2 * own, 8 if new else 4)
            best = min(order[:own], key=lambda at: to[at])
            among = range(partitions) if others >= partitions else order[:others]
            other = min(among, key=lambda at: to[at])
            if to[best] > to[other] + (0 if new else 8):
                best = other
                if new:
                    order.remove(other)
                    order.insert(0, other)
        to[best] += 1
        chosen.append(best)
    return chosen


@given(st.lists(few_keys, max_size=300), st.integers(1, 40).flatmap(lambda count: st.permutations(range(count))))
def test_each_choice_is_the_specifications(sent: list[bytes], begins: list[int]) -> None:
    partitions, starts = len(begins), [number / 64 for number in begins]
    given_out = iter(starts)
    affinity = Affinity(lambda: next(given_out))
    # Named here, as so few headers seldom get far enough ahead to need relief.
    assert (RELIEF, NEW, SLACK) == (4, 8, 8)
    chosen = [affinity.choose(key, partitions, range(partitions)) for key in sent]
    assert chosen == by_specification(sent, starts)


@given(
    st.lists(st.tuples(st.none() | few_keys, st.sets(st.integers(0, 7))), max_size=200),
    st.integers(2, 30),
)
def test_a_partition_without_a_leader_is_not_chosen(sent: list[tuple[bytes | None, set[int]]], window: int) -> None:
    affinity = Affinity(counts=RecentCounts(counters=3, window=window))
    for key, reachable in sent:
        chosen = affinity.choose(key, 8, sorted(reachable))
        assert chosen in (reachable or range(8))


@given(st.lists(st.tuples(few_keys, st.sampled_from([3, 4, 12])), max_size=200), st.integers(2, 40))
def test_topics_with_different_numbers_of_partitions_may_alternate(sent: list[tuple[bytes, int]], window: int) -> None:
    affinity = Affinity(counts=RecentCounts(counters=4, window=window))
    for key, partitions in sent:
        assert affinity.choose(key, partitions, range(partitions)) in range(partitions)


@given(st.integers(2, 24), st.integers(0, 2**32))
def test_no_partition_of_a_flat_tail_gets_far_ahead(partitions: int, first: int) -> None:
    """Three headers, equally frequent, for each partition: by their first choice alone some get thrice the mean."""
    numbers = range(partitions)
    made = [f"{first + step:032x}".encode() for step in range(partitions * 3)]
    affinity, counts = Affinity(), Counter[int]()
    for _ in range(20):
        for key in made:
            counts[affinity.choose(key, partitions, numbers)] += 1
    assert max(counts.values()) <= 60 + 3 * SLACK


@given(st.integers(1, 32), st.lists(few_keys, max_size=200))
def test_a_header_with_most_of_the_proofs_fills_what_the_others_leave(partitions: int, others: list[bytes]) -> None:
    """Four fifths of one header: whatever the rest does, all partitions get the same."""
    affinity, counts = Affinity(), Counter[int]()
    for step in range(len(others) + partitions):
        for key in [b"f" * 32] * 4 + others[step : step + 1]:
            counts[affinity.choose(key, partitions, range(partitions))] += 1
    assert max(counts.values()) - min(counts[number] for number in range(partitions)) <= SLACK + 1
