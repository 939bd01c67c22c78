"""The partitioner: keys, vectors for other languages, and what becomes of keys that are none of ours."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any

import pytest
from support import ROOT

from streamverify.core.errors import HeaderError
from streamverify.core.scheduling import partitioner as partitioning
from streamverify.core.scheduling.partitioner import (
    BLANK,
    COUNTERS,
    MAX_LOADS,
    MAX_WEIGHT,
    SLACK,
    Affinity,
    AffinityPartitioner,
    RecentCounts,
    RunTimes,
    affinity_key,
    first_partitions,
    is_fingerprint,
    jump,
    partitions_for,
)
from streamverify.core.syntax.header import parse_header

VECTORS = json.loads((ROOT / "schemas" / "partitioner.vectors.json").read_text())
HEADERS = json.loads((ROOT / "schemas" / "header.vectors.json").read_text())["headers"]
ORDERS, TRACE = VECTORS["orders"], VECTORS["trace"]
PARTITIONS = list(range(12))
HOT = affinity_key("import Mathlib\n")
RARE = affinity_key("import Aesop\n")
SHARES = [80, 6, 4, 3, 3, 2, 1, 1]


def key(number: int) -> bytes:
    return affinity_key(f"import M{number}\n")


def jump_by_specification(number: int, partitions: int) -> int:
    """Step 2 of schemas/partitioner.md as anybody would write it, in whole numbers."""
    at, after = -1, 0
    while after < partitions:
        at = after
        number = (2862933555777941757 * number + 1) % 2**64
        after = (at + 1) * 2**31 // (number // 2**33 + 1)
    return at


def order_by_specification(fingerprint: bytes, partitions: int) -> list[int]:
    """The whole order, with no look at how many are asked for."""
    order: list[int] = []
    block = 0
    while len(order) < partitions:
        digest = hashlib.sha256(fingerprint + bytes([0, 0, block >> 8, block & 255])).digest()
        for start in (0, 8, 16, 24):
            partition = jump_by_specification(int.from_bytes(digest[start : start + 8], "big"), partitions)
            if partition not in order:
                order.append(partition)
        block += 1
    return order


def spread(affinity: Affinity, sent: list[bytes], partitions: int = 12) -> dict[bytes, Counter[int]]:
    seen: dict[bytes, Counter[int]] = {each: Counter() for each in sent}
    for each in sent:
        seen[each][affinity.choose(each, partitions, range(partitions))] += 1
    return seen


def mix(records: int) -> list[bytes]:
    deck = [number for number, share in enumerate(SHARES) for _ in range(share)]
    return [key(deck[(step * 37) % 100]) for step in range(records)]


@pytest.mark.parametrize("vector", ORDERS, ids=lambda vector: vector["key"][:8])
def test_the_orders_of_the_vectors_hold(vector: dict[str, Any]) -> None:
    header, first = vector["header"], vector["first"]
    made = affinity_key(header + "theorem t : True := trivial")
    assert made.decode() == vector["key"] == hashlib.sha256(header.encode()).hexdigest()[:32]
    assert {count: first_partitions(made, int(count), 12) for count in first} == first
    assert {count: order_by_specification(made, int(count))[:12] for count in first} == first


@pytest.mark.parametrize("vector", VECTORS["jumps"], ids=lambda vector: vector["number"])
def test_the_jumps_of_the_vectors_hold(vector: dict[str, Any]) -> None:
    number = int(vector["number"])
    for partitions, expected in vector["partition"].items():
        assert jump(number, int(partitions)) == jump_by_specification(number, int(partitions)) == expected


def test_the_vectors_tell_the_partitions_apart() -> None:
    assert len({vector["first"]["12"][0] for vector in ORDERS}) > 3
    assert len({tuple(vector["first"]["12"]) for vector in ORDERS}) == len(ORDERS)


def test_the_trace_of_the_vectors_holds() -> None:
    starts = iter(TRACE["starts"])
    partitioner = AffinityPartitioner(lambda: next(starts))
    every = list(range(TRACE["partitions"]))
    for step in TRACE["steps"]:
        available = [number for number in every if number not in step["without_leader"]]
        keys = [ORDERS[number]["key"].encode() for number in step["headers"]]
        assert [partitioner(each, every, available) for each in keys] == step["partitions"], step["says"]


@pytest.mark.parametrize(
    ("constant", "other"),
    [
        *(("SPREAD", other) for other in [(1, 1), (4, 3), (5, 3), (2, 1)]),
        *(("RELIEF", other) for other in [3, 5]),
        *(("NEW", other) for other in [7, 9]),
        *(("SLACK", other) for other in [7, 9]),
    ],
)
def test_the_trace_notices_another_rule(constant: str, other: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector that a wrong producer passes is none."""
    monkeypatch.setattr(partitioning, constant, other)
    with pytest.raises(AssertionError):
        test_the_trace_of_the_vectors_holds()


def test_the_examples_of_the_documentation_are_those_of_the_vectors() -> None:
    text = (ROOT / "docs" / "partitioning.md").read_text()
    rows = re.findall(r"^\| `(import [^`]*)` \| `([0-9a-f]{32})` \| ([\d, ]+) \|$", text, re.MULTILINE)
    known = {(vector["header"].strip().replace("\n", "; "), vector["key"]): vector["first"]["12"] for vector in ORDERS}
    assert len(rows) >= 3
    for header, made, order in rows:
        assert [int(number) for number in order.split(", ")] == known[header, made]


def test_the_key_is_the_fingerprint_and_that_of_no_header_where_there_is_no_lean() -> None:
    assert affinity_key("import Lean\nexample := 1") == parse_header("import Lean").fingerprint.encode()
    assert affinity_key("prelude\n") == affinity_key("import\n") == affinity_key("theorem t := 1") == BLANK


@pytest.mark.parametrize("foreign", [None, b"", b"a", HOT.upper(), HOT + b"0", HOT[:-1], b"g" * 32])
def test_a_key_that_is_no_fingerprint_goes_wherever_least_was_sent(foreign: bytes | None) -> None:
    assert not is_fingerprint(foreign)
    partitioner = AffinityPartitioner(lambda: 0.0)
    assert [partitioner(foreign, PARTITIONS, PARTITIONS) for _ in range(24)] == PARTITIONS * 2


def test_producers_begin_anywhere() -> None:
    assert len({AffinityPartitioner()(None, range(1000), range(1000)) for _ in range(20)}) > 10


def test_producers_of_one_proof_each_fill_no_partition() -> None:
    first = Counter(AffinityPartitioner()(HOT, PARTITIONS, PARTITIONS) for _ in range(1200))
    assert max(first.values()) < 200


def test_each_header_of_the_mix_gets_the_partitions_that_its_share_needs() -> None:
    """80/6/4/3/3/2/1/1 % on 100 partitions, from the 2,000th record on: before, shares are not known."""
    affinity = Affinity()
    spread(affinity, mix(2000), 100)
    seen = spread(affinity, mix(6000), 100)
    for number, share in enumerate(SHARES):
        expected = partitions_for(share, 100, 100)
        used = seen[key(number)]
        # One more is where the first record went, when little was known.
        assert len(set(used) - set(first_partitions(key(number), 100, 2 * expected))) <= 1
        assert sum(count for _, count in used.most_common(expected)) > 0.95 * used.total()
    total = sum(seen.values(), Counter[int]())
    assert max(total.values()) - min(total.values()) <= SLACK + 2


def test_producers_beside_each_other_use_the_same_partitions() -> None:
    """The router and four clients: each knows only what it sent, and 1 % goes where the others send it."""
    used: Counter[int] = Counter()
    for start in range(5):
        affinity = Affinity(lambda start=start: start / 5)  # type: ignore[misc]
        spread(affinity, mix(2000), 100)
        used += spread(affinity, mix(2000), 100)[key(7)]
    # Five partitions each, and as many to fall back on.
    assert set(used) <= set(first_partitions(key(7), 100, 10))
    assert len(used) <= 6


def test_a_header_whose_share_falls_gives_partitions_back() -> None:
    affinity = Affinity(counts=RecentCounts(counters=64, window=1000))
    spread(affinity, [HOT] * 2000)
    others = [key(number % 40) for number in range(20_000)]
    spread(affinity, others)
    assert set(spread(affinity, [HOT] * 5)[HOT]) <= set(first_partitions(HOT, 12, 4))


def test_partitions_that_are_added_are_not_filled_at_once() -> None:
    affinity = Affinity()
    spread(affinity, mix(3000), 10)
    added = sum(spread(affinity, mix(1100), 11).values(), Counter[int]())
    assert abs(added[10] - 100) <= SLACK


def test_a_partition_without_a_leader_is_left_out_and_not_filled_when_it_is_back() -> None:
    affinity = Affinity()
    spread(affinity, mix(1200))
    up = [number for number in PARTITIONS if number != 5]
    assert 5 not in {affinity.choose(each, 12, up) for each in mix(1200)}
    back = sum(spread(affinity, mix(1200)).values(), Counter[int]())
    assert abs(back[5] - 100) <= 3 * SLACK


def test_a_header_whose_only_partition_has_no_leader_goes_to_the_next() -> None:
    affinity = Affinity()
    spread(affinity, [key(number % 60) for number in range(600)])
    first, second = first_partitions(key(7), 12, 2)
    up = [number for number in PARTITIONS if number != first]
    assert affinity.choose(key(7), 12, up) in first_partitions(key(7), 12, 5)[1:]
    assert second in {affinity.choose(key(7), 12, up) for _ in range(5)}


def test_with_no_leader_at_all_something_is_chosen() -> None:
    partitioner = AffinityPartitioner(lambda: 0.0)
    assert {partitioner(HOT, PARTITIONS, []) for _ in range(24)} == set(PARTITIONS)


def test_a_header_whose_proofs_take_long_gets_partitions_for_that() -> None:
    """6 % of the proofs and four times as slow as the rest: a fifth of the work."""
    affinity = Affinity()
    for _ in range(30):
        for each in mix(100):
            affinity.took(each, 4.0 if each == key(1) else 1.0)
    spread(affinity, mix(3000), 100)
    used = spread(affinity, mix(3000), 100)
    assert len(used[key(1)]) >= 25 > partitions_for(6, 100, 100)
    assert len(used[key(2)]) <= partitions_for(4, 100, 100)


def test_what_a_record_counts_is_bounded_and_one_slow_proof_says_little() -> None:
    times = RunTimes()
    assert times.weight(HOT) == 1.0
    for _ in range(50):
        times.note(HOT, 1.0)
    times.note(RARE, 60.0)
    assert times.weight(HOT) < 1.0 < times.weight(RARE) < 6.0
    for _ in range(500):
        times.note(RARE, 1e6)
        times.note(key(1), 0.0)
    assert times.weight(RARE) <= MAX_WEIGHT
    assert times.weight(key(1)) == 1 / MAX_WEIGHT
    for number in range(COUNTERS * 2):
        times.note(f"{number:032x}".encode(), 1.0)
    assert len(times._of) <= COUNTERS


def test_what_is_kept_is_bounded() -> None:
    affinity = Affinity()
    for number in range(COUNTERS * 2):
        affinity.choose(f"{number:032x}".encode(), 2, range(2))
    for partitions in range(1, 20):
        affinity.choose(HOT, partitions, range(partitions))
    assert len(affinity._counts) <= COUNTERS
    assert len(affinity._loads) <= MAX_LOADS
    assert all(len(load._orders) <= COUNTERS for load in affinity._loads.values())


@pytest.mark.parametrize("vector", HEADERS)
def test_the_headers_of_the_vectors_hold(vector: dict[str, Any]) -> None:
    try:
        header = parse_header(vector["proof"]).canonical
    except HeaderError:
        header = ""
    assert header == vector["header"]
    assert affinity_key(vector["proof"]).decode() == vector["key"]
