"""What holds of the partitioner whatever is sent."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streamverify.core.scheduling.partitioner import (
    RELIEF,
    SLACK,
    Affinity,
    RecentCounts,
    affinity_key,
    partitions_for,
    rendezvous,
)

keys = st.integers(0, 10**9).map(lambda number: affinity_key(f"import M{number}\n"))
few_keys = st.integers(0, 12).map(lambda number: f"{number:032x}".encode())


@given(keys, st.integers(1, 60), st.integers(1, 60))
def test_partitions_that_are_added_come_between_the_others(key: bytes, before: int, added: int) -> None:
    old = rendezvous(key, before, before)
    new = rendezvous(key, before + added, before + added)
    assert sorted(new) == list(range(before + added))
    assert [number for number in new if number < before] == old


@given(keys, st.integers(1, 60), st.integers(1, 60))
def test_the_first_are_the_first_of_the_whole_order(key: bytes, partitions: int, first: int) -> None:
    assert rendezvous(key, partitions, first) == rendezvous(key, partitions, partitions)[:first]


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_headers_are_balanced(first: int, partitions: int) -> None:
    number = partitions * 60
    counts = Counter(rendezvous(f"{first + step:032x}".encode(), partitions)[0] for step in range(number))
    assert len(counts) == partitions
    assert max(counts.values()) < 60 + 6 * 60**0.5


@given(st.integers(0, 10**6), st.integers(2, 24))
def test_one_more_partition_moves_its_own_part(first: int, partitions: int) -> None:
    made = [f"{first + step:032x}".encode() for step in range(1000)]
    moved = sum(rendezvous(key, partitions) != rendezvous(key, partitions + 1) for key in made)
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
    """Steps 3 and 4 of schemas/partitioner.md as anybody would write them: all counts exact, all partitions seen."""
    partitions = len(starts)
    to, of, chosen = list(starts), Counter[bytes](), []
    for number, key in enumerate(sent, start=1):
        of[key] += 1
        order = rendezvous(key, partitions, partitions)
        own = min(partitions, -(-3 * of[key] * partitions // (2 * number)))
        best = min(order[:own], key=lambda at: to[at])
        other = min(order[: max(2 * own, 4)], key=lambda at: to[at])
        if to[best] > to[other] + 8:
            best = other
        to[best] += 1
        chosen.append(best)
    return chosen


@given(st.lists(few_keys, max_size=300), st.integers(1, 20).flatmap(lambda count: st.permutations(range(count))))
def test_each_choice_is_the_specifications(sent: list[bytes], begins: list[int]) -> None:
    partitions, starts = len(begins), [number / 32 for number in begins]
    given_out = iter(starts)
    affinity = Affinity(lambda: next(given_out))
    assert (RELIEF, SLACK) == (4, 8)
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
