"""When a REPL is worn."""

from __future__ import annotations

import pytest

from streamverify.core.scheduling.recycling import DEFAULT_ROOM, MAX_PROOFS_BETWEEN_LOOKS, Wear, WearLimits

MIB = 1024**2


def proofs(wear: Wear, count: int, *, leak: int, memory: int = 100 * MIB) -> tuple[int, int]:
    """Run that many proofs, or until it is worn: how many ran, and how often the memory was read."""
    looks = 0
    for number in range(1, count + 1):
        memory += leak
        if wear.used():
            looks += 1
            wear.look(memory)
        if wear.worn:
            return number, looks
    return count, looks


def test_a_process_that_does_not_grow_is_looked_at_seldom_and_kept() -> None:
    ran, looks = proofs(Wear(WearLimits(1000 * MIB), 100 * MIB), 10_000, leak=0)
    assert ran == 10_000
    assert looks <= 10_000 / MAX_PROOFS_BETWEEN_LOOKS + 1


def test_it_is_replaced_when_half_of_what_the_import_left_is_used() -> None:
    wear = Wear(WearLimits(1000 * MIB), 100 * MIB)
    ran, looks = proofs(wear, 10_000, leak=MIB)
    assert wear.allowed == 550 * MIB
    assert 450 < ran <= 450 + MAX_PROOFS_BETWEEN_LOOKS
    assert looks < 40
    assert wear.worn is not None
    assert "it grew from 100 MiB to " in wear.worn


def test_one_proof_that_takes_it_all_is_seen_at_once() -> None:
    wear = Wear(WearLimits(1000 * MIB), 100 * MIB)
    assert wear.used()
    wear.look(900 * MIB)
    assert wear.worn == "it grew from 100 MiB to 900 MiB in 1 proofs"


def test_it_is_replaced_after_so_many_proofs_however_small_it_stays() -> None:
    wear = Wear(WearLimits(1000 * MIB, uses=300), 100 * MIB)
    assert proofs(wear, 10_000, leak=0)[0] == 300
    assert wear.worn == "it has run 300 proofs"


def test_without_a_limit_there_is_a_usual_room() -> None:
    assert Wear(WearLimits(), MIB).allowed == MIB + DEFAULT_ROOM // 2


def test_an_import_that_fills_its_limit_leaves_one_proof_each() -> None:
    wear = Wear(WearLimits(100 * MIB), 120 * MIB)
    assert proofs(wear, 10, leak=1, memory=120 * MIB) == (1, 1)


def test_memory_that_is_given_back_is_no_growth() -> None:
    wear = Wear(WearLimits(1000 * MIB), 100 * MIB)
    wear.used()
    wear.look(50 * MIB)
    assert wear.worn is None
    assert not any(wear.used() for _ in range(MAX_PROOFS_BETWEEN_LOOKS - 1))
    assert wear.used()


@pytest.mark.parametrize("leak", [MIB // 1024, MIB // 10, 10 * MIB, 100 * MIB])
def test_a_steady_leak_stays_within_the_limit(leak: int) -> None:
    wear = Wear(WearLimits(1000 * MIB), 100 * MIB)
    ran, _ = proofs(wear, 10_000_000, leak=leak)
    assert 100 * MIB + ran * leak <= 1000 * MIB
