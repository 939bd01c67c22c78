"""The partitioner: keys, vectors for other languages, and what becomes of keys that are none of ours."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from support import ROOT

from streamverify.bus.partitioner import AffinityPartitioner
from streamverify.core.header import parse_header
from streamverify.core.partitioning import (
    BLANK,
    COUNTERS,
    Affinity,
    RecentCounts,
    affinity_key,
    is_fingerprint,
    rendezvous,
)

VECTORS = json.loads((ROOT / "schemas" / "partitioner.vectors.json").read_text())["vectors"]
PARTITIONS = list(range(12))
HOT = affinity_key("import Mathlib\n")
RARE = affinity_key("import Aesop\n")


def key(number: int) -> bytes:
    return affinity_key(f"import M{number}\n")


def by_specification(fingerprint: bytes, partitions: int) -> int:
    """Step 2 and 3 of schemas/partitioner.md, written as anybody would."""
    weights = []
    for partition in range(partitions):
        digest = hashlib.sha256(fingerprint + bytes([0, 0, partition >> 8, partition & 255])).hexdigest()
        weights.append(int(digest, 16))
    return weights.index(max(weights))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["key"][:8])
def test_the_vectors_hold(vector: dict[str, object]) -> None:
    header, expected = vector["header"], vector["partition"]
    assert isinstance(header, str)
    assert isinstance(expected, dict)
    made = affinity_key(header + "theorem t : True := trivial")
    assert made.decode() == vector["key"] == hashlib.sha256(header.encode()).hexdigest()[:32]
    assert {count: rendezvous(made, int(count)) for count in expected} == expected
    assert {count: by_specification(made, int(count)) for count in expected} == expected


def test_the_vectors_tell_the_partitions_apart() -> None:
    assert len({vector["partition"]["12"] for vector in VECTORS}) > 3
    assert {vector["partition"]["1"] for vector in VECTORS} == {0}


def test_the_key_is_the_fingerprint_and_that_of_no_header_where_there_is_no_lean() -> None:
    assert affinity_key("import Lean\nexample := 1") == parse_header("import Lean").fingerprint.encode()
    assert affinity_key("prelude\n") == affinity_key("import\n") == affinity_key("theorem t := 1") == BLANK


@pytest.mark.parametrize("foreign", [None, b"", b"a", HOT.upper(), HOT + b"0", HOT[:-1], b"g" * 32])
def test_what_is_no_fingerprint_takes_turns(foreign: bytes | None) -> None:
    assert not is_fingerprint(foreign)
    partitioner = AffinityPartitioner(0)
    chosen = [partitioner(foreign, PARTITIONS, PARTITIONS) for _ in range(24)]
    assert chosen == PARTITIONS * 2


def test_turns_begin_anywhere() -> None:
    assert len({AffinityPartitioner()(None, list(range(1000)), []) for _ in range(20)}) > 10


def test_a_header_without_a_leader_to_go_to_waits_a_hot_one_does_not() -> None:
    partitioner = AffinityPartitioner(0)
    up = [number for number in PARTITIONS if number != rendezvous(RARE, 12)]
    for _ in range(1000):
        assert partitioner(HOT, PARTITIONS, up) in up
    assert partitioner(RARE, PARTITIONS, up) == rendezvous(RARE, 12)


def test_with_no_leader_at_all_something_is_chosen() -> None:
    partitioner = AffinityPartitioner(0)
    assert {partitioner(HOT, PARTITIONS, []) for _ in range(24)} == set(PARTITIONS)


def test_partitions_come_in_any_order() -> None:
    backwards, forwards = AffinityPartitioner(3), AffinityPartitioner(3)
    keys = [key(number % 30) for number in range(500)]
    assert [backwards(item, PARTITIONS[::-1], PARTITIONS[::-1]) for item in keys] == [
        forwards(item, PARTITIONS, PARTITIONS) for item in keys
    ]


def test_two_hot_headers_that_alternate_both_get_around() -> None:
    affinity = Affinity()
    seen: dict[bytes, Counter[int]] = {HOT: Counter(), RARE: Counter()}
    for _ in range(600):
        for item, counts in seen.items():
            counts[affinity.choose(item, PARTITIONS, PARTITIONS)] += 1
    assert [set(counts.values()) for counts in seen.values()] == [{50}, {50}]


def test_a_header_that_was_hot_cools_down() -> None:
    affinity = Affinity(counts=RecentCounts(counters=64, window=1000))
    for _ in range(2000):
        affinity.choose(HOT, PARTITIONS, PARTITIONS)
    for number in range(20_000):
        affinity.choose(key(number % 40), PARTITIONS, PARTITIONS)
    assert {affinity.choose(HOT, PARTITIONS, PARTITIONS) for _ in range(5)} == {rendezvous(HOT, 12)}


def test_who_sends_one_proof_each_fills_no_single_partition() -> None:
    first = Counter(AffinityPartitioner()(HOT, PARTITIONS, PARTITIONS) for _ in range(1200))
    assert max(first.values()) < 200


def test_turns_are_forgotten_before_they_are_many() -> None:
    affinity = Affinity()
    for number in range(COUNTERS * 3):
        affinity.next_in_turn(str(number).encode(), PARTITIONS)
    assert len(affinity._turns) <= COUNTERS


def test_the_distribution_of_real_headers() -> None:
    """80/6/4/3/3/2/1/1 %: the hot ones are spread, each of the others stays on one partition."""
    shares = [80, 6, 4, 3, 3, 2, 1, 1]
    affinity = Affinity()
    seen: dict[int, Counter[int]] = {number: Counter() for number in range(8)}
    deck = [number for number, share in enumerate(shares) for _ in range(share)]
    for step in range(6000):
        number = deck[(step * 37) % 100]
        seen[number][affinity.choose(key(number), PARTITIONS, PARTITIONS)] += 1
    assert max(seen[0].values()) - min(seen[0].values()) <= 1
    assert set(seen[1]) == set(PARTITIONS)  # 6 % is above 1/24
    for number in range(3, 8):  # 4 % is so near to it that either may be
        partition, count = seen[number].most_common(1)[0]
        assert partition == rendezvous(key(number), 12)
        assert count > sum(seen[number].values()) * 0.9
